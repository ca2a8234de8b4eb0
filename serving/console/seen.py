"""What each client last saw of the log, and whether the log of today continues it.

A log that was rewritten proves itself by its own rows; only somebody who holds an older checkpoint
notices. Here that is every client who looks: what they saw lies beside the keys (SEEDRATE_ACCESS),
not in the database that it testifies about, and what does not fit is never overwritten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, delete, insert, select
from sqlalchemy.engine import Engine
from sqlalchemy.schema import CreateTable

from serving.access.caller import Caller
from serving.access.store import KeyStore
from serving.ledger import tree
from serving.ledger.note import Checkpoint
from serving.ledger.tree import ProofError, Subtrees

SEEN = Table(
    "console_seen",
    MetaData(),
    Column("tenant", Text, primary_key=True),
    Column("client", Text, primary_key=True),
    Column("note", Text, nullable=False),
    Column("at", BigInteger, nullable=False),  # in seconds since 1970
)
FIRST, SAME, GROWN, FORKED = "first", "same", "grown", "forked"


@dataclass(frozen=True)
class Since:
    """How today's log stands to the checkpoint that somebody saw last."""

    state: str  # FIRST, SAME, GROWN or FORKED
    old: Checkpoint | None = None
    at: int = 0  # when they saw it, in seconds since 1970
    steps: int = 0  # of the proof
    fault: str = ""


class Seen:
    """The newest checkpoint that each client has seen and found to continue the one before."""

    def __init__(self, keys: KeyStore, now: Callable[[], float]) -> None:
        """Open nothing yet.

        Args:
            keys: beside which it is kept.
            now: in seconds since 1970.
        """
        self._keys, self._now = keys, now

    def look(self, caller: Caller, note: str, tiles: Subtrees) -> Since:
        """Compare the newest checkpoint with the one seen last, and remember it if it fits."""
        whose = (SEEN.c.tenant == caller.tenant) & (SEEN.c.client == caller.client)
        with self._engine.connect() as connection:
            row = connection.execute(select(SEEN).where(whose)).first()
        found = Since(FIRST) if row is None else compared(row.note, row.at, note, tiles)
        if found.state in (FIRST, GROWN):
            values = {"tenant": caller.tenant, "client": caller.client, "note": note}
            with self._engine.begin() as connection:
                connection.execute(delete(SEEN).where(whose))
                connection.execute(insert(SEEN).values({**values, "at": int(self._now())}))
        return found

    @cached_property
    def _engine(self) -> Engine:
        with self._keys.engine.begin() as connection:
            connection.execute(CreateTable(SEEN, if_not_exists=True))
        return self._keys.engine


def compared(before: str, at: int, note: str, tiles: Subtrees) -> Since:
    """Return how a checkpoint stands to an older one, by a proof of consistency (RFC 9162)."""
    old, new = Checkpoint.parse(before), Checkpoint.parse(note)
    try:
        if old.origin != new.origin:
            raise ProofError(f"the log must be called {old.origin}, however: {new.origin}")
        if old.size > new.size:
            raise ProofError(f"the log must have at least {old.size} entries, however: {new.size}")
        path = tree.consistency(tiles, old.size, new.size)
        tree.check_consistency(old.size, old.root, new.size, new.root, path)
    except ProofError as error:
        return Since(FORKED, old, at, fault=str(error))
    return Since(SAME if old.size == new.size else GROWN, old, at, len(path))
