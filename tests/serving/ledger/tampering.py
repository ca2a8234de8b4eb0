"""Tamper with a ledger in every way that its owner could, and count what an audit does not see.

The copy that is tampered with has the rows and none of the rules: no trigger, no constraint.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, create_engine
from sqlalchemy.pool import StaticPool

from serving.ledger import tree
from serving.ledger.audit import audit
from serving.ledger.note import Verifier
from serving.ledger.reading import Reader
from serving.ledger.schema import METADATA
from serving.ledger.tiles import WIDTH, Tiles

NUMBERS = {
    "seq", "id", "size", "level", "idx", "created_us", "hundredths", "amount", "grade",
}  # fmt: skip
ROWS = ("entry", "private", "quote_index")
WHOLE_BYTES = 8
ALL = 10**9  # faults


@dataclass
class Tally:
    """How many alterations of a kind were tried, and which of them nobody saw."""

    what: str
    tried: int
    unseen: list[str]


class Inside(Reader):
    """Reads over one connection, and so sees what was altered and not committed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _all(self, query: Select[Any], tenant: str = "") -> Any:
        return self._connection.execute(query).all()

    def _one(self, query: Select[Any]) -> Row[Any]:
        return self._connection.execute(query).one()


class Victim:
    """A copy in memory of a ledger, its key, and the checkpoints that others hold of it."""

    def __init__(self, path: Path, trusted: Verifier, held: dict[str, str]) -> None:
        self.database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.database.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        self.database.create_function("flip", 3, flipped)
        self.database.execute("ATTACH ? AS source", (str(path),))
        for table in METADATA.tables:
            self.database.execute(f"CREATE TABLE {table} AS SELECT * FROM source.{table}")
        self.database.execute("CREATE VIEW leaves AS SELECT seq, leaf FROM entry")
        for table in ROWS:
            self.database.execute(f"CREATE INDEX {table}_seq ON {table} (seq)")
        engine = create_engine("sqlite://", creator=lambda: self.database, poolclass=StaticPool)
        self.reader = Inside(engine.connect())
        self.trusted, self.held = trusted, held

    def faults(self, held: dict[str, str] | None = None, most: int = 0) -> list[str]:
        """Return what an audit finds; the first fault ends it unless more are asked for."""
        return audit(
            self.reader, self.trusted, self.held if held is None else held, most=most
        ).faults

    @contextmanager
    def altered(self) -> Iterator[sqlite3.Connection]:
        """Let a change last as long as the block."""
        self.database.execute("SAVEPOINT before")
        try:
            yield self.database
        finally:
            self.database.execute("ROLLBACK TO before")
            self.database.execute("RELEASE before")

    def seqs(self) -> list[int]:
        return [row[0] for row in self.database.execute("SELECT seq FROM entry ORDER BY seq")]

    def columns(self, table: str) -> list[str]:
        return [row[1] for row in self.database.execute(f"PRAGMA table_info({table})")]

    def longest(self, table: str, column: str) -> int:
        query = f"SELECT max(length(CAST({column} AS BLOB))) FROM {table}"
        return WHOLE_BYTES if column in NUMBERS else int(self.database.execute(query).fetchone()[0])


def flipped(value: Any, at: int, mask: int) -> Any:
    """Return a value in which one byte is another; of a whole number, a byte of its eight."""
    if isinstance(value, int):
        raw = value.to_bytes(WHOLE_BYTES, "little", signed=True)
        return int.from_bytes(flipped(raw, at, mask), "little", signed=True)
    if value is None or at >= len(value):
        return value
    return value[:at] + bytes([value[at] ^ mask]) + value[at + 1 :]


def written(column: str) -> str:
    """Return the SQL of a column's value with a byte flipped; text may end up as no UTF-8."""
    if column in NUMBERS:
        return f"flip({column}, ?1, ?2)"
    as_text = f"CAST(flip(CAST({column} AS BLOB), ?1, ?2) AS TEXT)"
    return f"CASE typeof({column}) WHEN 'text' THEN {as_text} ELSE flip({column}, ?1, ?2) END"


def every_byte_of_rows(victim: Victim, stride: int = 1) -> Iterator[Tally]:
    """Flip a byte of a column in all rows at once, and ask for a fault that names each row."""
    for table in ROWS:
        for column in victim.columns(table):
            if column != "seq":
                yield _columnwise(victim, table, column, stride)


def _columnwise(victim: Victim, table: str, column: str, stride: int) -> Tally:
    tally = Tally(f"{table}.{column}", 0, [])
    size = "8" if column in NUMBERS else f"length(CAST({column} AS BLOB))"
    for at in range(0, victim.longest(table, column), stride):
        mask = 1 + (at * 37 + 11) % 255
        query = f"SELECT seq FROM {table} WHERE {column} IS NOT NULL AND {size} > ?"
        hit = {row[0] for row in victim.database.execute(query, (at,))}
        with victim.altered() as database:
            database.execute(f"UPDATE {table} SET {column} = {written(column)}", (at, mask))
            faults = victim.faults(most=ALL)
        seen = {int(found[1]) for one in faults if (found := re.match(rf"{table} (\d+):", one))}
        tally.tried += len(hit)
        tally.unseen += [f"{seq} at {at}" for seq in sorted(hit - seen)]
    return tally


def every_number(victim: Victim, stride: int = 1) -> Iterator[Tally]:
    """Flip each byte of each row's number, one at a time."""
    for table in ROWS:
        tally = Tally(f"{table}.seq", 0, [])
        for rowid, seq in victim.database.execute(f"SELECT rowid, seq FROM {table}").fetchall():
            if seq % stride == 0:
                for at in range(WHOLE_BYTES):
                    _tried(victim, tally, f"{seq} at {at}", _flip(table, "seq", rowid, at, 1))
        yield tally


def every_byte_of(
    victim: Victim, tables: tuple[str, ...], masks: tuple[int, ...]
) -> Iterator[Tally]:
    """Flip each byte of each column of all rows of small tables, one at a time."""
    for table in tables:
        for column in victim.columns(table):
            tally = Tally(f"{table}.{column}", 0, [])
            rows = victim.database.execute(
                f"SELECT rowid, {column if column in NUMBERS else f'CAST({column} AS BLOB)'} "
                f"FROM {table}"
            ).fetchall()
            for rowid, value in rows:
                for at in range(WHOLE_BYTES if isinstance(value, int) else len(value)):
                    for mask in masks:
                        change = _flip(table, column, rowid, at, mask)
                        _tried(victim, tally, f"{rowid} at {at} by {mask}", change)
            yield tally


def every_byte_of_tiles(victim: Victim, stride: int = 1) -> Iterator[Tally]:
    """Flip a byte of all full tiles at once, and ask for a fault that names each of them."""
    tiles = {f"tile {level}/{index}" for level, index in victim.reader.tiles()}
    for column in ("data", "root"):
        tally = Tally(f"tile.{column}, tile by tile", 0, [])
        for at in range(0, victim.longest("tile", column), stride):
            with victim.altered() as database:
                mask = 1 + (at * 37 + 11) % 255
                database.execute(f"UPDATE tile SET {column} = {written(column)}", (at, mask))
                seen = {fault.partition(":")[0] for fault in victim.faults(most=ALL)}
            tally.tried += len(tiles)
            tally.unseen += [f"{tile} at {at}" for tile in sorted(tiles - seen)]
        yield tally


def every_byte_of_held(victim: Victim, masks: tuple[int, ...]) -> Tally:
    """Flip each byte of each checkpoint that is held outside the database."""
    tally = Tally("checkpoints held outside", 0, [])
    for where, note in victim.held.items():
        raw = note.encode()
        for at in range(len(raw)):
            for mask in masks:
                other = flipped(raw, at, mask).decode("utf-8", "surrogateescape")
                tally.tried += 1
                if not victim.faults({where: other}):
                    tally.unseen.append(f"{where} at {at} by {mask}")
    return tally


def every_row(victim: Victim, stride: int = 1) -> Iterator[Tally]:
    """Delete each row, swap each with its neighbour, put each in once more."""
    changes: dict[str, Callable[[sqlite3.Connection, int], object]] = {
        "entry deleted": lambda db, seq: db.execute("DELETE FROM entry WHERE seq = ?", (seq,)),
        "private deleted": lambda db, seq: db.execute("DELETE FROM private WHERE seq = ?", (seq,)),
        "entries swapped": lambda db, seq: _swap(db, ("entry",), seq),
        "private swapped": lambda db, seq: _swap(db, ("private",), seq),
        "both swapped": lambda db, seq: _swap(db, ("entry", "private"), seq),
        "entry repeated": _repeat,
    }
    last = victim.seqs()[-1]
    for what, change in changes.items():
        tally = Tally(what, 0, [])
        for seq in victim.seqs()[1:last:stride]:
            _tried(victim, tally, str(seq), partial(_at, change, seq))
        yield tally
    tally = Tally("tile deleted", 0, [])
    for level, index in victim.reader.tiles():
        _tried(victim, tally, f"{level}/{index}", partial(_without_tile, level, index))
    yield tally


def _at(
    change: Callable[[sqlite3.Connection, int], object], seq: int, database: sqlite3.Connection
) -> None:
    change(database, seq)


def _without_tile(level: int, index: int, database: sqlite3.Connection) -> None:
    database.execute("DELETE FROM tile WHERE level = ? AND idx = ?", (level, index))


def _swap(database: sqlite3.Connection, tables: tuple[str, ...], seq: int) -> None:
    for table in tables:
        sql = f"UPDATE {table} SET seq = ? - seq WHERE seq IN (?, ?)"
        database.execute(sql, (2 * seq + 1, seq, seq + 1))


def _repeat(database: sqlite3.Connection, seq: int) -> None:
    names = "quote_id, tenant, idem_key, kind, request, body, leaf, created_us"
    sql = f"INSERT INTO entry SELECT (SELECT max(seq) + 1 FROM entry), {names} FROM entry"
    database.execute(f"{sql} WHERE seq = ?", (seq,))


def every_older_copy(victim: Victim, stride: int = 1) -> Iterator[Tally]:
    """Cut the log back to each earlier size so that it agrees with itself."""
    alone, told = (
        Tally("cut back, nothing held", 0, []),
        Tally("cut back, against what is held", 0, []),
    )
    for size in victim.seqs()[1::stride]:
        edge = tree.edge(Tiles(victim.reader), size)
        with victim.altered() as database:
            for table, column in (("entry", "seq"), ("private", "seq")):
                database.execute(f"DELETE FROM {table} WHERE {column} >= ?", (size,))
            database.execute("DELETE FROM checkpoint WHERE size > ?", (size,))
            sql = "DELETE FROM tile WHERE level > 0 OR idx >= ?"
            database.execute(sql, (size // WIDTH,))
            database.execute("UPDATE head SET size = ?, edge = ?", (size, edge.packed()))
            for tally, faults in ((alone, victim.faults({})), (told, victim.faults())):
                tally.tried += 1
                tally.unseen += [] if faults else [str(size)]
    yield alone
    yield told


def _flip(
    table: str, column: str, rowid: int, at: int, mask: int
) -> Callable[[sqlite3.Connection], object]:
    sql = f"UPDATE {table} SET {column} = {written(column)} WHERE rowid = {rowid}"
    return lambda database: database.execute(sql, (at, mask))


def _tried(
    victim: Victim, tally: Tally, where: str, change: Callable[[sqlite3.Connection], object]
) -> None:
    with victim.altered() as database:
        change(database)
        tally.tried += 1
        if not victim.faults():
            tally.unseen.append(where)
