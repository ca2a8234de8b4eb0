"""Sessions of people who have shown a key: a random cookie here, its digest in the database.

A session is worth what its key is worth now: tenant and scopes are read from the key at every
request, so a key that is revoked or expires ends its sessions. It lives beside the keys
(SEEDRATE_ACCESS), so that every server knows it and a restart ends none.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateTable

from pricing.errors import InputError
from serving.access.caller import Caller
from serving.access.store import KeyRecord, KeyStore
from serving.problem import ACCESS_UNAVAILABLE, TOO_MANY_REQUESTS, RefusedError

IDLE_SECONDS = 30 * 60
WHOLE_SECONDS = 12 * 3600
TOUCH_SECONDS = 60  # between two notes of when a session was last used
ID_BYTES = 32
MOST_FAILURES = 10  # of one address in a minute
FAILURE_SECONDS = 60.0
MOST_ADDRESSES = 10_000

SESSION = Table(
    "console_session",
    MetaData(),
    Column("digest", LargeBinary, primary_key=True),  # SHA-256 of the cookie's 256 random bits
    Column("key_id", Text, nullable=False),
    Column("begun", BigInteger, nullable=False),  # this and the next in seconds since 1970
    Column("used", BigInteger, nullable=False),
)
Answer = TypeVar("Answer")


class Sessions:
    """Begins, finds and ends sessions; asks the database in a thread of its own."""

    def __init__(
        self, keys: KeyStore, now: Callable[[], float], random_bytes: Callable[[int], bytes]
    ) -> None:
        """Open nothing yet.

        Args:
            keys: beside which sessions are kept.
            now: in seconds since 1970.
            random_bytes: as `secrets.token_bytes`.
        """
        self._keys, self._now, self._random_bytes = keys, now, random_bytes
        self._thread = ThreadPoolExecutor(1, "sessions")

    async def begin(self, key: str) -> tuple[str, KeyRecord]:
        """Return the cookie of a new session, and whose it is.

        Args:
            key: an API key, as it was typed.

        Raises:
            CredentialError: it opens nothing.
            RefusedError: the database cannot be asked.
        """
        return await self._ask(lambda: self._begin(key))

    async def caller(self, cookie: str) -> Caller | None:
        """Return who is behind a cookie; None if the session is over or never was."""
        return await self._ask(lambda: self._caller(cookie))

    async def end(self, cookie: str) -> None:
        """End a session."""
        await self._ask(lambda: self._end(SESSION.c.digest == digest(cookie)))

    def close(self) -> None:
        """Let the database go."""
        self._thread.shutdown()
        self._keys.close()

    def _begin(self, key: str) -> tuple[str, KeyRecord]:
        record, now = self._keys.check(key), int(self._now())
        cookie = base64.urlsafe_b64encode(self._random_bytes(ID_BYTES)).decode().rstrip("=")
        self._end((SESSION.c.used < now - IDLE_SECONDS) | (SESSION.c.begun < now - WHOLE_SECONDS))
        values = {"digest": digest(cookie), "key_id": record.id, "begun": now, "used": now}
        with self._engine.begin() as connection:
            connection.execute(insert(SESSION).values(values))
        return cookie, record

    def _caller(self, cookie: str) -> Caller | None:
        here, now = SESSION.c.digest == digest(cookie), int(self._now())
        with self._engine.connect() as connection:
            row = connection.execute(select(SESSION).where(here)).first()
        if row is None or now - row.used >= IDLE_SECONDS or now - row.begun >= WHOLE_SECONDS:
            return None
        record = self._keys.find(row.key_id)
        if record is None or record.state(now) != "live":
            return None
        if now - row.used >= TOUCH_SECONDS:
            with self._engine.begin() as connection:
                connection.execute(update(SESSION).where(here).values(used=now))
        return Caller(record.tenant, record.client, record.scopes)

    def _end(self, which: ColumnElement[bool]) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(SESSION).where(which))

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, question)
        except (SQLAlchemyError, OSError, InputError):
            detail = "keys and sessions cannot be checked; the server's log says why"
            raise RefusedError(ACCESS_UNAVAILABLE, detail, headers={"Retry-After": "5"}) from None

    @cached_property
    def _engine(self) -> Engine:
        with self._keys.engine.begin() as connection:
            connection.execute(CreateTable(SESSION, if_not_exists=True))
        return self._keys.engine


class Throttle:
    """Lets an address try so many wrong keys a minute, and then none."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Start with nothing tried.

        Args:
            now: in seconds, by a clock that nobody sets.
        """
        self._now = now
        self._failed: dict[str, deque[float]] = {}

    def check(self, address: str) -> None:
        """Let an address try.

        Raises:
            RefusedError: `too_many_requests`.
        """
        failed, now = self._failed.get(address), self._now()
        while failed and failed[0] <= now - FAILURE_SECONDS:
            failed.popleft()
        if failed and len(failed) >= MOST_FAILURES:
            wait = str(int(failed[0] + FAILURE_SECONDS - now) + 1)
            detail = f"an address must try at most {MOST_FAILURES} wrong keys a minute"
            raise RefusedError(TOO_MANY_REQUESTS, detail, headers={"Retry-After": wait})

    def failed(self, address: str) -> None:
        """Count a wrong key."""
        if len(self._failed) >= MOST_ADDRESSES:
            self._failed.clear()
        self._failed.setdefault(address, deque()).append(self._now())


def digest(cookie: str) -> bytes:
    """Return what is stored of a session's cookie."""
    return hashlib.sha256(cookie.encode()).digest()
