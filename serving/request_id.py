"""By which names a request is told of: the caller's own `X-Request-ID` and `traceparent`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from itertools import count

NAME, PARENT = b"x-request-id", b"traceparent"
_NAME = re.compile(rb"[A-Za-z0-9._~:+=-]{1,64}")
_PARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEY_START = b"sr_"


class RequestIds:
    """Names requests: as their callers do, or by a number behind what tells processes apart."""

    def __init__(self) -> None:
        """Start at nought, behind eight random digits."""
        self._process = secrets.token_hex(4)
        self._numbers = count()

    def of(self, headers: Mapping[bytes, bytes]) -> str:
        """Return the id of a request: what came if it can be one, else a fresh one."""
        given = headers.get(NAME)
        if given is not None and _NAME.fullmatch(given) and not given.startswith(_KEY_START):
            return given.decode()
        return f"{self._process}-{next(self._numbers):x}"


def traceparent(headers: Mapping[bytes, bytes]) -> str:
    """Return the trace that a request belongs to (W3C Trace Context, version 00), or nothing.

    >>> traceparent({b"traceparent": b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"})[-3:]
    '-01'
    >>> traceparent({b"traceparent": b"00-" + b"0" * 32 + b"-" + b"b" * 16 + b"-01"})
    ''
    """
    given = headers.get(PARENT)
    return given.decode() if given is not None and _PARENT.fullmatch(given) else ""
