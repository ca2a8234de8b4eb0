"""A ledger in one SQLite file, written by one process.

A lock file beside the database keeps other writers out, since SQLite before 3.51.3 can lose data
when several connections checkpoint one log. Whoever only reads opens the file read-only.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import QueuePool

from serving.ledger import migrate
from serving.ledger.entry import Entry, Kept
from serving.ledger.reading import Reader, kept
from serving.ledger.schema import INCOMING
from serving.ledger.store import TakenError, check_not_smaller, grown
from serving.ledger.tree import Edge

MOST_KEYS = 500  # of one question
FIND = """
SELECT e.seq, e.quote_id, e.request, e.body, p.reference, p.salt, p.request, p.reply, e.idem_key
FROM entry e LEFT JOIN private p ON p.seq = e.seq WHERE
"""
ROW = f"({','.join('?' * len(INCOMING))})"
INSERT = f"INSERT INTO incoming ({','.join(INCOMING)}) VALUES "
UNLIST = """
UPDATE quote_index SET reference = NULL, amount = NULL, grade = NULL WHERE seq = ?1
AND tenant = (SELECT tenant FROM entry WHERE seq = ?1)
AND created_us = (SELECT created_us FROM entry WHERE seq = ?1)
"""
PRAGMAS = (
    "PRAGMA page_size = 16384",  # an entry has about 10 kB
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 1000",
    "PRAGMA secure_delete = ON",  # what is erased is overwritten
)


class SqliteStore:
    """The ledger of one process."""

    remote = False

    def __init__(self, path: Path) -> None:
        """Name the file; `open` makes it."""
        self.path = path
        self.name = path.name
        self.reader = Reader(read_only(path))
        self._lock: IO[str] | None = None
        self._database: sqlite3.Connection | None = None
        self._finder: sqlite3.Connection | None = None
        self._edge = Edge()

    @property
    def database(self) -> sqlite3.Connection:
        """Return the one connection that writes."""
        if self._database is None:
            raise sqlite3.OperationalError(f"{self.name} must be open")
        return self._database

    def open(self) -> None:
        """Take the lock, make the tables if there are none, and be ready to write."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.path.with_suffix(".lock"))
        _migrate(self.path)
        self._database = _writing(self.path)
        self._empty_log()
        self._edge = self.reader.head()

    def _empty_log(self) -> None:
        """Bring all into the file itself, and begin a new log.

        After a sync that failed nobody knows which pages of the old log are on the disk: what came
        behind them would be lost with them.
        """
        busy, _, _ = self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError(f"{self.name} must be read by nobody as it is opened")

    def insert(self, entries: Sequence[Entry], seen: int) -> Edge:
        """Append entries: one statement is one transaction, and one hand-over of Python's lock."""
        check_not_smaller(self._edge.size, seen)
        edge = grown(self._edge, entries)
        values: list[object] = []
        for seq, entry in enumerate(entries, self._edge.size):
            values += _values(seq, entry)
        values[-1] = edge.packed()
        try:
            self.database.execute(INSERT + ",".join([ROW] * len(entries)), values)
        except sqlite3.IntegrityError as error:
            raise TakenError(str(error)) from error
        self._edge = edge
        return edge

    def size(self) -> int:
        """Return the size of the log: nobody else writes it."""
        return self._edge.size

    def find_keys(self, tenant: str, keys: Sequence[str]) -> dict[str, Kept]:
        """Return what is recorded under keys of a tenant, by key: ten times as fast by hand."""
        found: dict[str, Kept] = {}
        for at in range(0, len(keys), MOST_KEYS):
            some = keys[at : at + MOST_KEYS]
            where = f"e.tenant = ? AND e.idem_key IN ({','.join('?' * len(some))})"
            for row in self._found(where, (tenant, *some)):
                found[row[8]] = kept(row)
        return found

    def find(self, tenant: str, quote_id: str) -> Kept | None:
        """Return what is recorded under an id."""
        rows = self._found("e.quote_id = ? AND e.tenant = ?", (quote_id, tenant))
        return kept(rows[0]) if rows else None

    def _found(self, where: str, values: Sequence[str]) -> list[tuple[Any, ...]]:
        if self._finder is None:
            self._finder = _connected(self.path)
        try:
            return self._finder.execute(FIND + where, values).fetchall()
        except sqlite3.Error:
            self._finder = None
            raise

    def keep_tile(self, level: int, index: int, data: bytes, root: bytes) -> None:
        """Keep a full tile; one that is there already stays."""
        sql = "INSERT INTO tile VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        self.database.execute(sql, (level, index, data, root))

    def keep_checkpoint(self, size: int, note: str) -> None:
        """Keep a checkpoint; one that is there already stays."""
        sql = "INSERT INTO checkpoint VALUES (?, ?) ON CONFLICT DO NOTHING"
        self.database.execute(sql, (size, note))

    def erase(self, entries: Sequence[int]) -> None:
        """Delete what is private of entries, and write the file anew: their bytes are gone."""
        for seq in entries:  # what is listed first: while the rest is there, it is found again
            self.database.execute(UNLIST, (seq,))
            self.database.execute("DELETE FROM private WHERE seq = ?", (seq,))
        self.database.execute("VACUUM")
        self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let the file and its lock go."""
        self.reader.close()
        for connection in (self._finder, self._database):
            if connection is not None:
                connection.close()
        self._finder = self._database = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def read_only(path: Path) -> Engine:
    """Return an engine that reads a file and cannot write to it; no damaged text stops it."""

    def connected() -> sqlite3.Connection:
        connection = _connected(path)
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        return connection

    return create_engine("sqlite://", creator=connected, poolclass=QueuePool, pool_size=2)


def _connected(path: Path) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(address, uri=True, check_same_thread=False)


def _writing(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=600
    )
    for pragma in PRAGMAS:
        connection.execute(pragma)
    return connection


def _migrate(path: Path) -> None:
    """Bring the tables up to date, all in one transaction."""
    engine = create_engine("sqlite://", creator=lambda: _writing(path))
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            migrate.upgrade(connection)
    finally:
        engine.dispose()


def _values(seq: int, entry: Entry) -> list[object]:
    private = entry.private
    own = (
        (private.reference, private.salt, private.request, private.reply)
        if private
        else (None, None, None, None)
    )
    facts = entry.facts
    listed = (
        (facts.instrument, facts.model, facts.figure, facts.hundredths, facts.rate, facts.amount,
         facts.grade)
        if facts
        else (None,) * 7
    )  # fmt: skip
    return [
        seq, entry.quote_id, entry.tenant, entry.key, entry.kind, entry.request, entry.body,
        entry.leaf, entry.created_us, *own, *listed, None,
    ]  # fmt: skip


def _locked(path: Path) -> IO[str]:
    file = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise OSError(f"another process holds {path.name}") from None
    return file


def exists(path: Path) -> bool:
    """Say whether a file holds a ledger."""
    if not path.is_file():
        return False
    with closing(_connected(path)) as connection:
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'entry'").fetchone()
    return found is not None
