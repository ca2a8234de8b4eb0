"""A caller of a server over HTTP: what `python -m serving ask` uses."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import orjson

from pricing.errors import InputError

TIMEOUT_SECONDS = 30.0


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

    def __post_init__(self) -> None:
        """Refuse what is no http address."""
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise InputError.of("URL", "http://... or https://...", repr(self.url))

    def post(self, path: str, body: bytes, key: str = "") -> Answer:
        """Send JSON; a refusal is an answer too.

        Args:
            path: the address.
            body: the JSON.
            key: of idempotency: the same again for a retry; empty is a fresh one.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid4())}
        request = urllib.request.Request(self.url.rstrip("/") + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:
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
