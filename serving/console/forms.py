"""Forms that only our own pages can send: plain fields, and a stamp that no other site knows.

Source: OWASP, Cross-Site Request Forgery Prevention: a token bound to the session by HMAC, and the
browser's own word (Sec-Fetch-Site, Origin) on where the form was.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from serving.access.pepper import Pepper
from serving.problem import (
    BODY_TOO_LARGE,
    FORBIDDEN,
    MALFORMED_REQUEST,
    UNSUPPORTED_MEDIA_TYPE,
    RefusedError,
)

FIELD = "token"
MOST_FIELDS = 400
URLENCODED = "application/x-www-form-urlencoded"
WITH_FILE = "multipart/form-data"


class Stamps:
    """Makes and checks the tokens of forms."""

    def __init__(self, pepper: Path, random_bytes: Callable[[int], bytes]) -> None:
        """Name the file without which no token can be made.

        Args:
            pepper: made where it is absent.
            random_bytes: as `secrets.token_bytes`.
        """
        self._path, self._random_bytes = pepper, random_bytes

    def token(self, whose: str) -> str:
        """Return the token of whoever holds a session, or a cookie from before one."""
        return self._pepper.digest(f"form {whose}").hex()

    def check(self, whose: str, form: Mapping[str, str]) -> None:
        """Let a form pass that carries its token.

        Raises:
            RefusedError: `forbidden`.
        """
        demand(self.token(whose) if whose else "", form)

    @cached_property
    def _pepper(self) -> Pepper:
        return Pepper.made(self._path, self._random_bytes)


def demand(token: str, form: Mapping[str, str]) -> None:
    """Let a form pass that carries a token.

    Raises:
        RefusedError: `forbidden`.
    """
    given = form.get(FIELD, "")
    if not token or not hmac.compare_digest(token.encode(), given.encode()):
        raise RefusedError(FORBIDDEN, "a form must carry the token of its page")


def check_sender(request: Request, kind: str) -> None:
    """Let a form begin that is of a kind, and of this site.

    Raises:
        RefusedError: it is not.
    """
    headers = request.headers
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != kind or "content-encoding" in headers:
        raise RefusedError(UNSUPPORTED_MEDIA_TYPE, f"a form must be plain {kind}")
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise RefusedError(FORBIDDEN, "a form must be of this site")
    if "origin" in headers and urlsplit(headers["origin"]).netloc != headers.get("host"):
        raise RefusedError(FORBIDDEN, "a form must be of this site")


async def read(request: Request, most_bytes: int) -> dict[str, str]:
    """Return the fields of a form that one of our pages has sent.

    Raises:
        RefusedError: it is no such form.
    """
    check_sender(request, URLENCODED)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise RefusedError(BODY_TOO_LARGE, f"a form must have at most {most_bytes} bytes")
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise RefusedError(MALFORMED_REQUEST, "a form must be fields in UTF-8") from None
    return dict(pairs)
