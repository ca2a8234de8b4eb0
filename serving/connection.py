"""A connection that keeps the server waiting is cut, and one too many is turned away unread.

uvicorn waits for ever for a request's headers, and for a reader that does not read: the gate begins
to count when the headers are there, and ends when the answer is handed on. Idle connections between
two requests are uvicorn's, which ends them after 5 s. Where the server is full, even a refusal in
the gate's words, in a task of its own, would cost what is needed to answer the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

GRACE_SECONDS = 1.0  # in which the gate may still say why


class Connection(HttpToolsProtocol):
    """uvicorn's, with a time in which a request must come whole and an answer must be read."""

    patience_seconds = 11.0  # this and the next are set once the settings are read
    straight: Mapping[bytes, tuple[ASGIApp, float]] = {}  # where files come: by whom, how long
    is_full: Callable[[], bool] = staticmethod(lambda: False)  # whether a request is one too many
    turned_away: Callable[[], bytes]  # gives the answer to it
    away = False  # the request that comes is one too many
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
        """Begin an answer, unless the request is one too many."""
        self.away = self._too_many()
        if self.away:
            return
        straight = self.straight.get(self.url)
        if straight is None:
            super().on_headers_complete()
        else:
            self._go_straight(*straight)

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; that of one too many is dropped."""
        if not self.away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait no more: the request is there."""
        self._end()
        if not self.away:
            super().on_message_complete()
        elif not self.transport.is_closing():
            self.transport.write(type(self).turned_away())
            self.on_response_complete()
            if not self.parser.should_keep_alive():
                self.transport.close()

    def pause_writing(self) -> None:
        """Wait for whoever does not read the answer."""
        super().pause_writing()
        self._begin()

    def resume_writing(self) -> None:
        """Begin anew: it is read, and what came meanwhile may be half a request."""
        self._begin()
        super().resume_writing()

    def _go_straight(self, door: ASGIApp, seconds: float) -> None:
        """Hand a request to our door without what BentoML has before it: a timer, one for all."""
        usual, self.app = self.app, cast("Any", door)
        super().on_headers_complete()
        self.app = usual
        if self.timer is not None:
            self._begin(seconds)

    def _too_many(self) -> bool:
        """Say whether to turn it away; whoever only looks, or has an answer to come, is let in."""
        free = self.cycle is None or self.cycle.response_complete
        asks = self.parser.get_method() == b"POST" and not self.expect_100_continue
        return free and asks and type(self).is_full()

    def _begin(self, seconds: float | None = None) -> None:
        self._end()
        patience = self.patience_seconds if seconds is None else seconds
        self.timer = self.loop.call_later(patience, self.transport.abort)

    def _end(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
