"""Requests to an ASGI application, as raw as a test wants them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from starlette.types import ASGIApp, Message

from serving.admission import Admission
from serving.doors import Door
from serving.gate import Gate
from serving.gauges import Gauges
from serving.ledger.anchors import Anchors
from serving.ledger.counter import Counter
from serving.office import Bundle, Office
from tests.serving.fakes import COLUMN_SET, ListLedger, Open, desk

Header = tuple[bytes, bytes]
KEYS = count()
JSON: Header = (b"content-type", b"application/json")
HOST: Header = (b"host", b"localhost:3000")


def address(door: Door) -> str:
    """Return an address of a door at which nothing is recorded."""
    parts = {"quote_id": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "key": "k", "level": "0"}
    return door.path.format_map(
        {
            **parts,
            "index": "x999/999",
            "digest": "0" * 16,
            "model": "0" * 64,
            "number": "7",
            "book": "0" * 32,
            "asset": "console.css",
        }
    )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    pairs: tuple[tuple[str, str], ...] = ()  # the headers, also those that come twice

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for known, value in self.pairs if known == name]

    @property
    def document(self) -> Any:
        return orjson.loads(self.body)


def gate(office: Office, **more: Any) -> Gate:
    settings: dict[str, Any] = {
        "ours": office.app(),
        "behind": None,
        "guard": Open(),
        "admission": Admission(64),
        "hosts": frozenset({"localhost", "[::1]"}),
        "timeout_seconds": 5.0,
        "observe": Gauges().request,
        "new_error_id": lambda: "e77",
    }
    return Gate(**{**settings, **more})


def office(ledger: ListLedger | None = None, *, ready: bool = True) -> Office:
    ledger = ledger or ListLedger()
    rooms = Office(Counter(ledger, Anchors(Path("no-anchors"))), Gauges())
    if ready:
        rooms.bundle = Bundle(
            desk(ledger),
            COLUMN_SET,
            {"anyone": b'{"name":"m"}'},
            b'{"columns":[]}',
            b'{"openapi":"x"}',
        )
    return rooms


def ask(
    app: ASGIApp,
    method: str,
    path: str,
    body: Any = b"",
    headers: Iterable[Header] | None = None,
    query: bytes = b"",
    chunks: Iterable[bytes] | None = None,
) -> Answer:
    """Send one request; a body that is no bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    given = [HOST, JSON] if headers is None else [*headers]
    if method == "POST" and not any(name == b"idempotency-key" for name, _ in given):
        given.append((b"idempotency-key", b"test-%d" % next(KEYS)))
    return asyncio.run(_ask(app, method, path, given, query, [*chunks] if chunks else [raw]))


async def _ask(
    app: ASGIApp, method: str, path: str, headers: list[Header], query: bytes, chunks: list[bytes]
) -> Answer:
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": headers,
        "http_version": "1.1",
        "scheme": "http",
        "root_path": "",
        "asgi": {"version": "3.0"},
    }
    inbox = [
        {"type": "http.request", "body": chunk, "more_body": index + 1 < len(chunks)}
        for index, chunk in enumerate(chunks)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        if not inbox:
            await asyncio.sleep(3600)
        message: Message = inbox.pop(0)
        return message

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    pairs = [(k.decode().lower(), v.decode()) for k, v in start["headers"]]
    body = b"".join(message["body"] for message in rest)
    return Answer(start["status"], dict(pairs), body, tuple(pairs))
