"""Who are you: a page that asks for a key, and the way out."""

from __future__ import annotations

import re

from starlette.responses import RedirectResponse, Response

from serving.access.audit import Audit, Event, Refusals
from serving.access.credential import CredentialError
from serving.console.cookies import SESSION, VISITOR, forget, keep
from serving.console.session import Sessions, Throttle
from serving.console.visit import Page, Visit
from serving.doors import CONSOLE

HERE = f"{CONSOLE}/sign-in"
FIRST = f"{CONSOLE}/quotes"
_LOCAL = re.compile(rf"{CONSOLE}/[!-\[\]-~]*")  # an address of ours: printable, no backslash


class SignIn:
    """Lets people in who show a key, and out again."""

    def __init__(
        self, sessions: Sessions, throttle: Throttle, audit: Audit, refusals: Refusals
    ) -> None:
        """Stand at the door.

        Args:
            sessions: that begin and end here.
            throttle: of wrong keys.
            audit: in which who came and went is noted.
            refusals: in which who was not let in is noted.
        """
        self._sessions, self._throttle = sessions, throttle
        self._audit, self._refusals = audit, refusals

    def page(self) -> Page:
        """Return the page."""
        return Page(
            {
                ("GET", CONSOLE): self.lead,
                ("GET", HERE): self.ask,
                ("POST", HERE): self.enter,
                ("POST", f"{CONSOLE}/sign-out"): self.leave,
            }
        )

    async def lead(self, visit: Visit) -> Response:
        """Lead to the first page."""
        return RedirectResponse(FIRST, 303)

    async def ask(self, visit: Visit) -> Response:
        """Ask for a key; who has signed in is led on."""
        onward = _onward(visit.asked("next"))
        if visit.signed_in:
            return RedirectResponse(onward, 303)
        return visit.page("sign_in.html", onward=onward, fault="")

    async def enter(self, visit: Visit) -> Response:
        """Begin a session with a key."""
        onward, address = _onward(visit.form.get("next", "")), _address(visit)
        self._throttle.check(address)
        try:
            cookie, record = await self._sessions.begin(visit.form.get("key", "").strip())
        except CredentialError as error:
            self._throttle.failed(address)
            self._refusals.note(error.why, route=HERE, key_id=error.key_id)
            return visit.page("sign_in.html", status=422, onward=onward, fault="wrong")
        if not any(scope.startswith("console:") for scope in record.scopes):
            await self._sessions.end(cookie)
            return visit.page("sign_in.html", status=422, onward=onward, fault="opens_nothing")
        self._audit.note(Event("signed_in", record.tenant, record.client, record.id, HERE))
        response = RedirectResponse(onward, 303)
        keep(visit.request, response, SESSION, cookie)
        forget(visit.request, response, VISITOR)
        return response

    async def leave(self, visit: Visit) -> Response:
        """End the session."""
        await self._sessions.end(visit.request.cookies.get(SESSION, ""))
        caller = visit.caller
        self._audit.note(Event("signed_out", caller.tenant, caller.client, route=HERE))
        response = RedirectResponse(HERE, 303)
        forget(visit.request, response, SESSION)
        return response


def _onward(wish: str) -> str:
    """Return where to go on: only ever an address of the console.

    >>> _onward("/console/quotes?grade=3"), _onward("//evil.example"), _onward("/console/ x")
    ('/console/quotes?grade=3', '/console/quotes', '/console/quotes')
    """
    return wish if _LOCAL.fullmatch(wish) else FIRST


def _address(visit: Visit) -> str:
    client = visit.request.client
    return client.host if client else ""
