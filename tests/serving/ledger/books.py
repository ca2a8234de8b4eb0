"""Ledgers, entries and what is asked of them, for tests."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson

from serving.ledger import keyring
from serving.ledger.entry import Entry, Kept, of_quote
from serving.ledger.held import Held
from serving.ledger.ledger import Ledger
from serving.ledger.sqlite import SqliteStore
from serving.ledger.store import Store
from serving.quote_id import uuid7
from tests.serving.fakes import NOON

ORIGIN = "bank.example/log"
EXPLANATION = orjson.dumps({"items": [{"column": "cash", "bps": "12.30"}]})


def entry(name: str, *, key: str = "", tenant: str = "local", **asked: Any) -> Entry:
    """Return the entry of a quote of that id; the same name and request differ in nothing else."""
    document = {
        "quote_id": name,
        "instrument": {"kind": "term_loan", "amount": 1.5e6},
        "rate": "0.0512",
        "grade": 4,
        "spread_bps": "360.00",
        "explanation": orjson.Fragment(EXPLANATION),
        "model": {"name": "m", "version": "7", "digest": "d" * 64},
        "policy": {"name": "p", "version": "1", "digest": "e" * 64, "overrides": {"margin": 0.5}},
    }
    return of_quote(
        document=document,
        explanation=EXPLANATION,
        reply=orjson.dumps(document),
        asked={"project": {"cash": 0.1}, "instrument": {"amount": 1.5}, "reference": "R", **asked},
        tenant=tenant,
        key=key or name,
        salt=secrets.token_bytes(32),
        now=NOON,
        code="c" * 64,
    )


def opened(
    folder: Path, *, store: Store | None = None, most_waiting: int = 5000, wait: float = 10
) -> Ledger:
    """Return a ledger of a folder, open unless it cannot be."""
    made = Ledger(
        store or SqliteStore(folder / "ledger.db"),
        lambda: keyring.signer(folder / "ledger/signing.key", ORIGIN, make=True),
        Held(folder / "ledger/checkpoint"),
        most_waiting=most_waiting,
        now=lambda: NOON,
        new_id=lambda now: uuid7(now, secrets.token_bytes),
    )
    made.wait_open(wait)
    return made


@contextmanager
def ledger(folder: Path, **more: Any) -> Iterator[Ledger]:
    """Yield a ledger of a folder, closed afterwards."""
    made = opened(folder, **more)
    try:
        assert made.trouble == ""
        yield made
    finally:
        made.close()


def record(books: Ledger, entries: Iterable[Entry]) -> list[Kept | None]:
    """Record entries together."""

    async def together() -> list[Kept | None]:
        return [*await asyncio.gather(*[books.record(one) for one in entries])]

    return asyncio.run(together())


def filled(folder: Path, count: int, **more: Any) -> None:
    """Leave a ledger of some quotes, named q0, q1, ..."""
    with ledger(folder, **more) as books:
        record(books, [entry(f"q{number}") for number in range(count)])


def rows(folder: Path, sql: str, *values: Any) -> list[Any]:
    """Return what a query finds in a folder's database."""
    with closing(sqlite3.connect(folder / "ledger.db")) as database:
        return database.execute(sql, values).fetchall()


def forced(folder: Path, change: Callable[[sqlite3.Connection], object]) -> None:
    """Change a database as its owner can: without its triggers."""
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as database:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        triggers = database.execute(query).fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        change(database)
        for _, sql in triggers:
            database.execute(sql)
