"""A caller of a server over HTTP: what `python -m serving ask` uses."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import orjson

from pricing.errors import InputError

TIMEOUT_SECONDS = 30.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A key goes to the server it was meant for, and to none that this one names."""

    def redirect_request(self, *_: Any) -> None:
        """Go nowhere: the redirect itself is the answer."""


_OPENER = urllib.request.build_opener(_NoRedirects)


@dataclass(frozen=True)
class Answer:
    """A status and the body that came with it."""

    status: int
    body: bytes

    @property
    def document(self) -> Any:
        """Return the body as JSON."""
        return orjson.loads(self.body)


@dataclass(frozen=True)
class Client:
    """Speaks to one server."""

    url: str
    key: str = field(default="", repr=False)  # "": public addresses only

    def __post_init__(self) -> None:
        """Refuse what is no http address."""
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise InputError.of("URL", "http://... or https://...", repr(self.url))

    def post(self, path: str, body: bytes, request: str = "") -> Answer:
        """Send JSON; a refusal is an answer too.

        Args:
            path: the address.
            body: the JSON.
            request: its Idempotency-Key: the same again for a retry; empty is a fresh one.
        """
        named = {"Idempotency-Key": request or str(uuid4())}
        return self._ask(path, body, {"Content-Type": "application/json", **named})

    def get(self, path: str) -> Answer:
        """Read an address; a refusal is an answer too."""
        return self._ask(path, None, {})

    def _ask(self, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.url.rstrip("/") + path, body, headers)
        try:
            with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as reply:
                return Answer(reply.status, reply.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read())

    def wait_ready(self, seconds: float, sleep: Callable[[float], None] = time.sleep) -> str:
        """Wait until quotes can be made; return why not, or an empty string."""
        until = time.monotonic() + seconds
        while True:
            why = self._why_not_ready()
            if not why or time.monotonic() >= until:
                return why
            sleep(0.25)

    def _why_not_ready(self) -> str:
        try:
            with urllib.request.urlopen(self.url.rstrip("/") + "/readyz", timeout=5):
                return ""
        except urllib.error.HTTPError as error:
            return str(orjson.loads(error.read())["detail"])
        except OSError as error:
            return f"nobody answers at {self.url}: {error}"
