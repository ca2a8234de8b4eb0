"""Quotes are kept before they are given: what `record` has returned from survives a crash.

One thread writes. It takes all that waits, commits it as one SQLite transaction with
synchronous=FULL (the fsync itself forms the batches; there is no timer), and only then lets the
waiting requests go on. One process at a time may write: a lock file beside the database sees to
that, since SQLite before 3.51.3 can lose data when several connections checkpoint one log.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from serving.access.caller import LOCAL
from serving.problem import NOT_RECORDED, OVERLOADED, RefusedError

log = logging.getLogger("seedrate.journal")

MOST_ROWS = 512  # of a batch
RETRY_SECONDS = 1.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS quote (
    seq INTEGER PRIMARY KEY,
    quote_id TEXT NOT NULL UNIQUE,
    recorded_us INTEGER NOT NULL,
    reply BLOB NOT NULL,
    tenant TEXT NOT NULL DEFAULT 'local'
) STRICT
"""
HAS_TENANT = "SELECT 1 FROM pragma_table_info('quote') WHERE name = 'tenant'"
ADD_TENANT = "ALTER TABLE quote ADD COLUMN tenant TEXT NOT NULL DEFAULT 'local'"  # to older files


class Journal(Protocol):
    """Where acknowledged quotes are kept."""

    async def record(self, quote_id: str, reply: bytes, tenant: str = LOCAL.tenant) -> None:
        """Return once the reply is durable; raise `RefusedError` if it is not."""

    def find(self, quote_id: str, tenant: str = LOCAL.tenant) -> bytes | None:
        """Return the reply recorded under an id for a tenant, byte for byte."""

    @property
    def trouble(self) -> str:
        """Return why nothing can be recorded, or an empty string."""


@dataclass(frozen=True)
class _Entry:
    quote_id: str
    reply: bytes
    tenant: str
    recorded: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop


class SqliteJournal:
    """The journal of one server process, in one SQLite file."""

    def __init__(self, path: Path, *, most_waiting: int, now_us: Callable[[], int]) -> None:
        """Start the writer, which opens the file; until it is open nothing can be recorded.

        Args:
            path: the database; made if absent, and its folder too.
            most_waiting: quotes that may wait; above it `record` refuses.
            now_us: the time in microseconds since 1970.
        """
        self._path = path
        self._most_waiting = most_waiting
        self._now_us = now_us
        self._waiting: deque[_Entry] = deque()
        self._work = threading.Event()
        self._called = False
        self._closing = False
        self._lock: IO[str] | None = None
        self._database: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._trouble = "it is being opened"
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Return why nothing can be recorded, or an empty string."""
        return self._trouble

    @property
    def waiting(self) -> int:
        """Return the number of quotes that wait to be recorded."""
        return len(self._waiting)

    def wait_open(self, seconds: float) -> bool:
        """Wait until the file is open; return whether it is."""
        return self._opened.wait(seconds)

    async def record(self, quote_id: str, reply: bytes, tenant: str = LOCAL.tenant) -> None:
        """Return once the reply is durable.

        Raises:
            RefusedError: `overloaded` if too many wait, `not_recorded` if the file takes nothing.
        """
        if self._trouble:
            raise not_recorded(self._trouble)
        if len(self._waiting) >= self._most_waiting:
            raise RefusedError(
                OVERLOADED,
                f"at most {self._most_waiting} quotes must wait, however: more",
                headers={"Retry-After": "1"},
            )
        loop = asyncio.get_running_loop()
        recorded: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Entry(quote_id, reply, tenant, recorded, loop))
        if not self._called:
            self._called = True
            loop.call_soon(self._call)
        await recorded

    def _call(self) -> None:
        """Call the writer once all that is ready now has been priced, and not in between."""
        self._called = False
        self._work.set()

    def find(self, quote_id: str, tenant: str = LOCAL.tenant) -> bytes | None:
        """Return the reply recorded under an id for a tenant, byte for byte.

        Raises:
            RefusedError: `not_recorded` if the file cannot be read.
        """
        try:
            if self._reader is None:
                address = f"{self._path.absolute().as_uri()}?mode=ro"
                self._reader = sqlite3.connect(address, uri=True, check_same_thread=False)
            query = "SELECT reply FROM quote WHERE quote_id = ? AND tenant = ?"
            row = self._reader.execute(query, (quote_id, tenant)).fetchone()
        except sqlite3.Error as error:
            self._reader = None
            raise not_recorded(str(error)) from error
        return None if row is None else row[0]

    def close(self) -> None:
        """Record what waits, then let the file go."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._closing = True
        self._work.set()
        self._thread.join()

    def _run(self) -> None:
        while not (self._closing and not self._waiting):
            if self._database is None and not self._open():
                self._refuse_waiting(self._trouble)
                self._work.wait(RETRY_SECONDS)
                self._work.clear()
                continue
            self._work.wait()
            self._work.clear()
            while self._waiting:
                self._write(self._take())
        self._let_go()
        self._trouble = "it is closed"

    def _open(self) -> bool:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._path.with_suffix(".lock"))
            database = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, cached_statements=600
            )
            self._database = database
            database.execute("PRAGMA page_size = 16384")  # a quote has about 6 kB
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA wal_autocheckpoint = 1000")
            database.execute(SCHEMA)
            if not database.execute(HAS_TENANT).fetchone():
                database.execute(ADD_TENANT)
        except (OSError, sqlite3.Error) as error:
            self._let_go()
            self._trouble = f"{self._path.name} must be ours to write, however: {error}"
            log.error("%s", self._trouble)
            return False
        self._trouble = ""
        self._opened.set()
        return True

    def _take(self) -> list[_Entry]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_ROWS))]

    def _write(self, batch: list[_Entry]) -> None:
        """Commit a batch: one statement is one transaction, and one hand-over of Python's lock."""
        now = self._now_us()
        sql = "INSERT INTO quote (quote_id, recorded_us, reply, tenant) VALUES " + ",".join(
            ["(?, ?, ?, ?)"] * len(batch)
        )
        values = [part for one in batch for part in (one.quote_id, now, one.reply, one.tenant)]
        error: sqlite3.Error | None = None
        try:
            if self._database is None:
                raise sqlite3.OperationalError(self._trouble)
            self._database.execute(sql, values)
        except sqlite3.Error as caught:
            error = caught
            log.exception("a batch of %d quotes was not recorded", len(batch))
            self._let_go()
            self._trouble = str(caught)
        _tell(batch, error)

    def _refuse_waiting(self, why: str) -> None:
        while self._waiting:
            _tell(self._take(), sqlite3.OperationalError(why))

    def _let_go(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class NoJournal:
    """The journal of a desk that answers what-ifs only: it keeps nothing, and says so."""

    trouble = "nothing is recorded here"

    async def record(self, quote_id: str, reply: bytes, tenant: str = LOCAL.tenant) -> None:
        """Refuse."""
        raise not_recorded(self.trouble)

    def find(self, quote_id: str, tenant: str = LOCAL.tenant) -> bytes | None:
        """Return nothing."""
        return None


def not_recorded(why: str) -> RefusedError:
    """Return the refusal of a quote that cannot be kept, and so is not given."""
    return RefusedError(NOT_RECORDED, f"the journal says: {why}", headers={"Retry-After": "2"})


def _locked(path: Path) -> IO[str]:
    file = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise OSError(f"another process holds {path.name}") from None
    return file


def _tell(batch: list[_Entry], error: Exception | None) -> None:
    """Wake the requests of a batch, all of one event loop at once."""
    for loop in {entry.loop for entry in batch}:
        mine = [entry.recorded for entry in batch if entry.loop is loop]
        try:
            loop.call_soon_threadsafe(_wake, mine, error)
        except RuntimeError:  # the loop is gone, and with it those who waited
            log.warning("%d quotes were recorded, and nobody waits any more", len(mine))


def _wake(waiters: list[asyncio.Future[None]], error: Exception | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(not_recorded(str(error)))
