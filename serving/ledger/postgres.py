"""A ledger in PostgreSQL, which several server processes may write.

A batch locks the head, numbers its rows from there and commits them with the new head: so the
order is dense whoever writes, and a process waits for others once a batch, not once a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.errors import UniqueViolation
from sqlalchemy import create_engine, make_url

from serving.ledger import migrate
from serving.ledger.entry import Entry, Kept
from serving.ledger.reading import Reader
from serving.ledger.store import TakenError, check_not_smaller, grown
from serving.ledger.tree import Edge
from serving.postgres import AWAY

OPTIONS = {**AWAY, "options": f"{AWAY['options']} -c synchronous_commit=on"}
MIGRATING = 7_336_673_283  # the number of an advisory lock: one process migrates at a time
NO_HEAD = "the head must be there"
SELECT_SIZE = "SELECT size FROM head WHERE id = 0"
SELECT_HEAD = "SELECT size, edge FROM head WHERE id = 0 FOR UPDATE"
UPDATE_HEAD = "UPDATE head SET size = %s, edge = %s WHERE id = 0"
INSERT = """
INSERT INTO entry (seq, quote_id, tenant, idem_key, kind, request, body, leaf, created_us)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %b::bytea[],
                     %b::bytea[], %b::bytea[], %s::bigint[])
"""
INSERT_PRIVATE = """
INSERT INTO private (seq, tenant, reference, salt, request, reply)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %b::bytea[], %b::bytea[], %b::bytea[])
"""
INSERT_LISTED = """
INSERT INTO quote_index (tenant, created_us, seq, quote_id, instrument, model, figure, hundredths,
                         rate, reference, amount, grade)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
                     %s::text[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
"""
UNLIST = """
UPDATE quote_index q SET reference = NULL, amount = NULL, grade = NULL FROM entry e
WHERE e.seq = ANY(%s) AND (q.tenant, q.created_us, q.seq) = (e.tenant, e.created_us, e.seq)
"""


class PostgresStore:
    """The ledger of several processes, over one connection that writes and a few that read."""

    remote = True

    def __init__(self, url: str) -> None:
        """Name the database.

        Args:
            url: `postgresql://user:password@host/database`.
        """
        address = make_url(url).set(drivername="postgresql+psycopg")
        self.name = f"{address.host or 'localhost'}/{address.database}"
        plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
        self._address = make_conninfo(plain, **OPTIONS)
        self._engine = create_engine(
            address, pool_pre_ping=True, pool_timeout=2, connect_args=OPTIONS
        )
        self.reader = Reader(self._engine)
        self._database: Connection | None = None

    @property
    def database(self) -> Connection:
        """Return the one connection that writes."""
        if self._database is None:
            raise psycopg.OperationalError(f"{self.name} must be open")
        return self._database

    def open(self) -> None:
        """Make the tables if there are none, and be ready to write."""
        with self._engine.connect() as connection:
            ready = migrate.version(connection) == migrate.NEWEST
        if not ready:
            with self._engine.begin() as connection:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")
                migrate.upgrade(connection)
        self._database = psycopg.connect(self._address, autocommit=True)

    def insert(self, entries: Sequence[Entry], seen: int) -> Edge:
        """Append entries in one transaction of two ways over the network."""
        with self.database.transaction():
            found = self.database.execute(SELECT_HEAD, prepare=True).fetchone()
            if found is None:
                raise psycopg.OperationalError(NO_HEAD)
            edge = Edge.unpacked(found[0], bytes(found[1]))
            check_not_smaller(edge.size, seen)
            larger = grown(edge, entries)
            try:
                with self.database.pipeline():
                    self._insert(edge.size, entries)
                    self.database.execute(UPDATE_HEAD, (larger.size, larger.packed()))
            except UniqueViolation as error:
                raise TakenError(str(error)) from error
        return larger

    def _insert(self, first: int, entries: Sequence[Entry]) -> None:
        seqs = range(first, first + len(entries))
        columns = (
            [*seqs],
            [entry.quote_id for entry in entries],
            [entry.tenant for entry in entries],
            [entry.key for entry in entries],
            [entry.kind for entry in entries],
            [entry.request for entry in entries],
            [entry.body for entry in entries],
            [entry.leaf for entry in entries],
            [entry.created_us for entry in entries],
        )
        self.database.execute(INSERT, columns, prepare=True)
        private = [
            (seq, entry.tenant, one.reference, one.salt, one.request, one.reply)
            for seq, entry in zip(seqs, entries, strict=True)
            if (one := entry.private)
        ]
        if private:
            self.database.execute(INSERT_PRIVATE, _columnwise(private), prepare=True)
        listed = [
            (entry.tenant, entry.created_us, seq, entry.quote_id, *facts.values)
            for seq, entry in zip(seqs, entries, strict=True)
            if (facts := entry.facts)
        ]
        if listed:
            self.database.execute(INSERT_LISTED, _columnwise(listed), prepare=True)

    def size(self) -> int:
        """Return the size of the log, asked over the connection that writes."""
        found = self.database.execute(SELECT_SIZE, prepare=True).fetchone()
        if found is None:
            raise psycopg.OperationalError(NO_HEAD)
        return int(found[0])

    def find_keys(self, tenant: str, keys: Sequence[str]) -> dict[str, Kept]:
        """Return what is recorded under keys of a tenant, by key."""
        return self.reader.find_keys(tenant, keys)

    def find(self, tenant: str, quote_id: str) -> Kept | None:
        """Return what is recorded under an id."""
        return self.reader.find(tenant, quote_id)

    def keep_tile(self, level: int, index: int, data: bytes, root: bytes) -> None:
        """Keep a full tile; one that is there already stays."""
        sql = "INSERT INTO tile VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
        self.database.execute(sql, (level, index, data, root))

    def keep_checkpoint(self, size: int, note: str) -> None:
        """Keep a checkpoint; one that is there already stays."""
        sql = "INSERT INTO checkpoint VALUES (%s, %s) ON CONFLICT DO NOTHING"
        self.database.execute(sql, (size, note))

    def erase(self, entries: Sequence[int]) -> None:
        """Delete what is private of entries, and write the table anew: their bytes are gone."""
        self.database.execute("SET statement_timeout = 0")
        self.database.execute(UNLIST, ([*entries],))  # first: while the rest is there, it is found
        self.database.execute("DELETE FROM private WHERE seq = ANY(%s)", ([*entries],))
        self.database.execute("VACUUM FULL private")
        self.database.execute("VACUUM FULL quote_index")
        self.database.execute("CHECKPOINT")

    def close(self) -> None:
        """Let the database go."""
        self.reader.close()
        if self._database is not None:
            self._database.close()
            self._database = None


def _columnwise(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [[*column] for column in zip(*rows, strict=True)]
