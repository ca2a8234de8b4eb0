"""The gate in front of every address: what it lets through is small, known, and read once.

What passes has a known method and path, no query, an allowed Host, and a body only where one is
taken: plain `application/json`, uncompressed, within its size, strict (serving/strict_json.py).
`scope["state"]` tells what is behind: the `door`, the `caller` (the credential itself goes no
further), and the `body` that was read, so that nobody routes or parses twice: what is behind has
an empty object to read instead. Whatever goes wrong, here or behind, leaves as problem+json; an
unexpected error shows an id and nothing else, and is logged under that id. The console's doors are
handed on with their query and body unread: its house (serving/console/house.py) knows sessions and
forms, and tells refusals as pages.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access.caller import Caller
from serving.admission import Admission
from serving.answered import REQUEST_ID, Answered, Observe
from serving.doors import CONSOLE, KEY, Door, doors_at
from serving.problem import (
    BODY_TOO_LARGE,
    MALFORMED_REQUEST,
    MEDIA_TYPE,
    METHOD_NOT_ALLOWED,
    MISSING_KEY,
    NOT_ACCEPTABLE,
    NOT_FOUND,
    REQUEST_TIMEOUT,
    TIMED_OUT,
    UNSUPPORTED_MEDIA_TYPE,
    WRONG_HOST,
    RefusedError,
    answer,
)
from serving.request_id import RequestIds, traceparent
from serving.strict_json import parse

log = logging.getLogger("seedrate.gate")

SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
SINGULAR = {
    b"content-type",
    b"content-length",
    b"content-encoding",
    b"host",
    b"accept",
    b"idempotency-key",
    b"authorization",
}
OF_PAGES = {
    b"content-security-policy": (
        b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    b"referrer-policy": b"same-origin",  # else a browser sends no Origin with a form
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
}
PAGE_HEADERS = tuple({**dict(SECURITY_HEADERS), **OF_PAGES}.items())
NO_CONSOLE = "this server has no console"
_KEY = re.compile(KEY)


class Guards(Protocol):
    """Who may pass: `serving.access.guard.Guard`, or a small one in a test."""

    async def caller(self, door: Door, authorization: bytes | None) -> Caller:
        """Return who asks at a door; raise `RefusedError` if they may not."""

    def check(self, door: Door, caller: Caller) -> None:
        """Raise `RefusedError` if a caller has too much under way already."""

    def enter(self, door: Door, caller: Caller, body: Any) -> None:
        """Let a request begin; raise `RefusedError` if it is too much."""

    def leave(self, door: Door, caller: Caller) -> None:
        """End a request that began."""


class House(Protocol):
    """What answers the console's doors: `serving.console.house.House`, or a small one in a test."""

    async def answer(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; raise nothing but what nobody expected."""

    async def refuse(self, refused: RefusedError, scope: Scope, send: Send) -> None:
        """Show why there is no answer."""


@dataclass(frozen=True)
class Gate:
    """An ASGI application that lets the known through to ours or to what it stands in front of."""

    ours: ASGIApp
    behind: ASGIApp | None
    guard: Guards
    admission: Admission
    hosts: frozenset[str]
    timeout_seconds: float
    observe: Observe
    new_error_id: Callable[[], str]
    ids: RequestIds = field(default_factory=RequestIds)
    console: House | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await (self.behind or self.ours)(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _Reply(send, self._begin(scope)))
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _begin(self, scope: Scope) -> Answered:
        headers = dict(scope["headers"])
        said = Answered(request_id=self.ids.of(headers), traceparent=traceparent(headers))
        REQUEST_ID.set(said.request_id)  # the server gives each request a context of its own
        return said

    async def _answer(self, scope: Scope, receive: Receive, reply: _Reply) -> None:
        began = perf_counter()
        console = self.console if _is_of(CONSOLE, scope["path"]) else None
        reply.added = PAGE_HEADERS if console else SECURITY_HEADERS
        try:
            async with asyncio.timeout(self.timeout_seconds) as limit:
                await self._pass(scope, receive, reply, console, limit)
        except Exception as error:
            if reply.said.status:
                log.exception("an answer broke off")
            elif console:
                await console.refuse(self._refusal(error, scope, reply), scope, reply.send)
            else:
                await reply.refuse(self._refusal(error, scope, reply))
        reply.said.seconds = perf_counter() - began
        self.observe(reply.said)

    async def _pass(
        self,
        scope: Scope,
        receive: Receive,
        reply: _Reply,
        console: House | None,
        limit: asyncio.Timeout,
    ) -> None:
        door = _door(scope["path"], scope["method"])
        if door.page and console is None:
            raise RefusedError(NOT_FOUND, NO_CONSOLE)
        said = reply.said
        said.route, said.method = door.path, scope["method"]
        headers = _headers(scope["headers"])
        self._check_host(headers.get(b"host"))
        if console:
            reply.asked = True
            if door.seconds:
                limit.reschedule(asyncio.get_running_loop().time() + door.seconds)
            return await console.answer(door, scope, receive, reply.send)
        if scope["query_string"]:
            raise RefusedError(
                MALFORMED_REQUEST, "no address here takes a query, however: one came"
            )
        _check_accept(headers.get(b"accept"), door)
        caller = await self.guard.caller(door, headers.get(b"authorization"))
        said.tenant, said.client = caller.tenant, caller.client
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
        scope["path_params"] = door.values(scope["path"])
        state = scope.setdefault("state", {})
        state.update(caller=caller, door=door)
        self.guard.check(door, caller)
        self.admission.check(door)  # before a body is read, and again once it has come
        if door.most_bytes:
            _check_body_headers(headers)
            key = _key(headers.get(b"idempotency-key"), needed=door.keyed)
            state.update(body=parse(await _body(receive, headers, door.most_bytes)), key=key)
        reply.asked = True
        self.admission.enter(door)
        try:
            self.guard.enter(door, caller, state.get("body"))
            try:
                await self.admission.turn(door)
                if door.ours or self.behind is None:
                    await self.ours(scope, receive, reply.send)
                else:
                    await self.behind(scope, _read_already(receive), reply.send)
            finally:
                self.guard.leave(door, caller)
        finally:
            self.admission.leave(door)
            said.quote_id, said.code = state.get("quote_id", ""), state.get("code", "")

    def _check_host(self, given: bytes | None) -> None:
        name = (given or b"").decode("latin-1").lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        if name not in self.hosts and "*" not in self.hosts:
            raise RefusedError(
                WRONG_HOST, f"Host must be in SEEDRATE_HOSTS, however: {name[:100]!r}"
            )

    def _refusal(self, error: Exception, scope: Scope, reply: _Reply) -> RefusedError:
        if isinstance(error, TimeoutError):
            problem = TIMED_OUT if reply.asked else REQUEST_TIMEOUT
            return RefusedError(problem, f"it must take at most {self.timeout_seconds:g} s")
        return answer(error, self.new_error_id, scope["path"])


@dataclass
class _Reply:
    """Sends, adds the headers that every answer has, and remembers what was said."""

    out: Send
    said: Answered
    asked: bool = False  # the request has arrived whole
    added: Sequence[tuple[bytes, bytes]] = SECURITY_HEADERS

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.said.status = message["status"]
            own = [*message.get("headers", ()), *self._names()]
            said = {name for name, _ in own}
            message["headers"] = own + [pair for pair in self.added if pair[0] not in said]
        await self.out(message)

    def _names(self) -> list[tuple[bytes, bytes]]:
        """Return the headers by which the caller finds this answer again."""
        names = [(b"x-request-id", self.said.request_id.encode())]
        if self.said.traceparent:
            names.append((b"traceparent", self.said.traceparent.encode()))
        return names

    async def refuse(self, refused: RefusedError) -> None:
        self.said.code = refused.problem.code
        body = refused.body()
        extra = [(k.lower().encode(), v.encode("latin-1")) for k, v in refused.headers.items()]
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            *extra,
        ]
        status = refused.problem.status
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


def _is_of(folder: str, path: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _door(path: str, method: str) -> Door:
    found = doors_at(path)
    if not found:
        raise RefusedError(NOT_FOUND, "docs/api.md and /openapi.json list the addresses there are")
    for door in found:
        if method in door.methods:
            return door
    allowed = ", ".join(name for door in found for name in door.methods)
    detail = f"the method must be {allowed}, however: {method[:20]!r}"
    raise RefusedError(METHOD_NOT_ALLOWED, detail, headers={"Allow": allowed})


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers by name; those that decide something must not come twice."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name in headers and name in SINGULAR:
            raise RefusedError(
                MALFORMED_REQUEST, f"{name.decode('latin-1')} must come once, however: twice"
            )
        headers[name] = value
    return headers


def _check_accept(given: bytes | None, door: Door) -> None:
    if given is None or given in (b"*/*", b"application/json"):
        return
    family = door.replies.partition("/")[0] + "/*"
    for part in given.decode("latin-1").lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        if kind in ("*/*", family, door.replies, MEDIA_TYPE) and not any(map(_zero, parameters)):
            return
    raise RefusedError(
        NOT_ACCEPTABLE,
        f"Accept must allow {door.replies}, however: {given[:100].decode('latin-1')!r}",
    )


def _zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name == "q" and value.strip("0.") == ""


def _check_body_headers(headers: dict[bytes, bytes]) -> None:
    if b"content-encoding" in headers:
        raise RefusedError(
            UNSUPPORTED_MEDIA_TYPE,
            "Content-Encoding must be absent, however: it came",
            headers={"Accept-Encoding": "identity"},
        )
    given = headers.get(b"content-type", b"")
    if given != b"application/json" and not _is_json(given):
        raise RefusedError(
            UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type must be application/json, however: {given[:100].decode('latin-1')!r}",
            headers={"Accept": "application/json"},
        )


def _is_json(content_type: bytes) -> bool:
    kind, *parameters = (part.strip() for part in content_type.lower().split(b";"))
    return kind == b"application/json" and parameters in ([], [b"charset=utf-8"])


def _key(given: bytes | None, *, needed: bool) -> str | None:
    """Return the Idempotency-Key, with or without the quotes of a structured header."""
    if given is None and needed:
        raise RefusedError(
            MISSING_KEY, "a request must name itself in an Idempotency-Key, such as a fresh UUID"
        )
    if given is None:
        return None
    key = given.decode("latin-1")
    key = key[1:-1] if key[:1] == key[-1:] == '"' else key
    if not _KEY.fullmatch(key):
        raise RefusedError(
            MALFORMED_REQUEST,
            f"Idempotency-Key must be 1 to 200 of A-Z a-z 0-9 . _ ~ : + = -, however: {key[:40]!r}",
        )
    return key


async def _body(receive: Receive, headers: dict[bytes, bytes], most: int) -> bytes:
    announced = headers.get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > most:
        raise _too_large(most)
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(
                MALFORMED_REQUEST, "the body must arrive whole, however: it broke off"
            )
        chunk: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            raise _too_large(most)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(most: int) -> RefusedError:
    return RefusedError(BODY_TOO_LARGE, f"the body must have at most {most} bytes, however: more")


def _read_already(receive: Receive) -> Receive:
    """Return a `receive` that gives an empty object for the body, then what comes after it.

    BentoML would read the body once more, and refuse in its own words what is no object.
    """
    waiting: list[Any] = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
