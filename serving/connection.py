"""A connection that keeps the server waiting is cut, and one too many is turned away unread.

uvicorn waits for ever for a request's headers, and for a reader that does not read: the gate begins
to count when the headers are there, and ends when the answer is handed on. Idle connections between
two requests are uvicorn's, which ends them after 5 s. With far more requests on their way than are
let in, even a refusal in the gate's words would cost what is needed to answer the others.
"""

from __future__ import annotations

import asyncio
import sys

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

GRACE_SECONDS = 1.0  # in which the gate may still say why


class Connection(HttpToolsProtocol):
    """uvicorn's, with a time in which a request must come whole and an answer must be read."""

    patience_seconds = 11.0  # this and the next are set once the settings are read
    most_tasks = sys.maxsize
    turn_away: ASGIApp
    timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._end()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the rest of a request."""
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:
        """Answer a request, or turn it away; whoever only looks is always answered."""
        full = len(self.tasks) >= self.most_tasks and self.parser.get_method() == b"POST"
        self.app = type(self).turn_away if full else self.config.loaded_app
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait no more: the request is there."""
        self._end()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for whoever does not read the answer."""
        super().pause_writing()
        self._begin()

    def resume_writing(self) -> None:
        """Begin anew: it is read, and what came meanwhile may be half a request."""
        self._begin()
        super().resume_writing()

    def _begin(self) -> None:
        self._end()
        self.timer = self.loop.call_later(self.patience_seconds, self.transport.abort)

    def _end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
