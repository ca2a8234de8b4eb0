"""The console's cookies: no script reads them, and no other site's form sends them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from serving.doors import CONSOLE

SESSION = "seedrate_session"
VISITOR = "seedrate_visitor"  # before anybody has signed in: what the form is stamped for
LANGUAGE = "seedrate_language"
LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}


def keep(
    request: Request, response: Response, name: str, value: str, *, seconds: int | None = None
) -> None:
    """Have a browser keep a cookie.

    Lax, so that a link in a letter finds its reader signed in; nothing is changed by a GET, and
    every form carries a token. Secure, unless the browser is on this very machine.

    Args:
        request: which is answered.
        response: that carries it.
        name: of the cookie.
        value: of the cookie.
        seconds: how long; None: until the browser closes.
    """
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=CONSOLE,
        secure=request.url.hostname not in LOOPBACK,
        httponly=True,
        samesite="lax",
    )


def forget(request: Request, response: Response, name: str) -> None:
    """Have a browser forget a cookie."""
    keep(request, response, name, "", seconds=0)
