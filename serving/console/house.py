"""The console's house: who comes in, which page answers, and how a refusal looks.

A door that a person may not open does not exist for them (404). Whoever has not said who they are
is led to the page that asks. The tenant comes from the session's key, or from the token that a
proxy hands on in `Authorization`, and from nothing else.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Message, Receive, Scope, Send

from serving.access.caller import NOBODY, Caller
from serving.access.credential import CredentialError, Why
from serving.access.guard import Guard
from serving.console import forms
from serving.console.assets import Assets
from serving.console.books.runner import Runner
from serving.console.cookies import LANGUAGE, SESSION, VISITOR, keep
from serving.console.forms import Stamps
from serving.console.press import Press
from serving.console.rooms import Rooms
from serving.console.session import Sessions
from serving.console.visit import Answer, Page, Visit
from serving.console.words import LANGUAGES, Words, catalogue, chosen
from serving.doors import CONSOLE, PUBLIC, Door
from serving.problem import MALFORMED_REQUEST, NOT_FOUND, UNAUTHENTICATED, RefusedError

SIGN_IN = f"{CONSOLE}/sign-in"
ASSET = f"{CONSOLE}/static/{{digest}}/{{asset}}"
A_YEAR = 365 * 86_400
NOWHERE = Door("GET", CONSOLE, PUBLIC, "Nothing is here", page=True)


@dataclass(frozen=True)
class House:
    """Answers the console's doors."""

    rooms: Rooms
    pages: tuple[Page, ...]
    assets: Assets
    press: Press
    guard: Guard
    sessions: Sessions
    stamps: Stamps
    books: Runner

    @property
    def answers(self) -> Mapping[tuple[str, str], Answer]:
        """Return what answers, by method and path of a door."""
        return {door: answer for page in self.pages for door, answer in page.answers.items()}

    async def answer(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(_placed(scope, door), receive)
        caller, whose = NOBODY, ""
        try:
            if door.path == ASSET:
                return await self.assets.answer(request)(scope, receive, send)
            caller, whose = await self._who(request)
            whose = whose or self._newcomer(request)
            if door.scope != PUBLIC and caller is NOBODY:
                return await _to_sign_in(request)(scope, receive, send)
            self._check_scope(door, caller)
            form = await self._form(door, request, whose)
            self.guard.enter(door, caller, None)
        except RefusedError as refused:
            visit = self._visit(door, request, caller, whose, {})
            return await _refusal(visit, refused)(scope, receive, send)
        try:
            visit = self._visit(door, request, caller, whose, form)
            await (await self._answered(visit))(scope, receive, send)
        finally:
            self.guard.leave(door, caller)

    async def refuse(self, refused: RefusedError, scope: Scope, send: Send) -> None:
        """Show why there is no answer, to anybody."""
        request = Request(scope)
        try:
            caller, whose = await self._who(request)
        except RefusedError:
            caller, whose = NOBODY, ""
        visit = self._visit(NOWHERE, request, caller, whose, {})
        await _refusal(visit, refused)(scope, _nothing, send)

    def start(self) -> None:
        """Let the work begin that goes on beside the pages."""
        self.books.start()

    def close(self) -> None:
        """Let the sessions go, and that work stop."""
        self.books.close()
        self.sessions.close()

    async def _answered(self, visit: Visit) -> Response:
        try:
            response = await self.answers[visit.door.method, visit.door.path](visit)
        except RefusedError as refused:
            response = _refusal(visit, refused)
        except ClientDisconnect:
            response = Response(status_code=MALFORMED_REQUEST.status)
        asked = visit.request.query_params.get("language")
        if asked and asked in LANGUAGES:
            keep(visit.request, response, LANGUAGE, asked, seconds=A_YEAR)
        newcomer = getattr(visit.request.state, "newcomer", "")
        if newcomer and visit.door.path == SIGN_IN:
            keep(visit.request, response, VISITOR, newcomer)
        return response

    async def _who(self, request: Request) -> tuple[Caller, str]:
        """Return who asks, and whose token their forms carry."""
        authorization = request.headers.get("authorization")
        if authorization is not None:
            try:
                caller = await self.guard.shown(authorization.encode("latin-1"))
            except CredentialError as error:
                self.guard.refusals.note(error.why, route=CONSOLE, key_id=error.key_id)
                raise RefusedError(UNAUTHENTICATED, "a token that opens nothing") from None
            return caller, f"{caller.tenant}/{caller.client}"
        cookie = request.cookies.get(SESSION, "")
        caller_ = await self.sessions.caller(cookie) if cookie else None
        if caller_ is not None:
            return caller_, cookie
        return NOBODY, request.cookies.get(VISITOR, "")

    def _newcomer(self, request: Request) -> str:
        """Return a name for somebody of whom nothing is known: a cookie will hold it."""
        request.state.newcomer = secrets.token_urlsafe(16)
        return str(request.state.newcomer)

    def _check_scope(self, door: Door, caller: Caller) -> None:
        if door.scope not in (PUBLIC, *caller.scopes):
            whose = {"tenant": caller.tenant, "client": caller.client}
            self.guard.refusals.note(Why.OUT_OF_SCOPE, route=door.path, **whose)
            raise RefusedError(NOT_FOUND, "there is nothing here for this key")

    async def _form(self, door: Door, request: Request, whose: str) -> Mapping[str, str]:
        if door.file:  # the page reads it, which asks for the token before it keeps anything
            forms.check_sender(request, forms.WITH_FILE)
        if not door.most_bytes:
            return {}
        form = await forms.read(request, door.most_bytes)
        self.stamps.check(whose, form)
        return form

    def _visit(
        self, door: Door, request: Request, caller: Caller, whose: str, form: Mapping[str, str]
    ) -> Visit:
        token = self.stamps.token(whose) if whose else ""
        words = spoken(request)
        return Visit(door, request, caller, words, token, self.rooms, self.press, self.pages, form)


def spoken(request: Request) -> Words:
    """Return the words of whoever asks."""
    asked = request.query_params.get("language")
    kept = request.cookies.get(LANGUAGE)
    return catalogue(chosen(asked, kept, request.headers.get("accept-language")))


def _placed(scope: Scope, door: Door) -> Scope:
    found = re.fullmatch(door.pattern(), scope["path"])
    return {**scope, "path_params": found.groupdict() if found else {}}


def _to_sign_in(request: Request) -> Response:
    """Lead to the page that asks who somebody is, and from there back."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    onward = f"?next={quote(here, safe='')}" if request.method in ("GET", "HEAD") else ""
    return RedirectResponse(SIGN_IN + onward, 303)


def _refusal(visit: Visit, refused: RefusedError) -> Response:
    """Return the page of a refusal, in the visitor's language; the detail helps who runs it."""
    status = refused.problem.status
    response = visit.page("refusal.html", status=status, refused=refused)
    response.headers.update({k: v for k, v in refused.headers.items() if k != "WWW-Authenticate"})
    return response


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
