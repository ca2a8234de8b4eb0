"""Where a ledger's rows are kept: what its one writer asks of a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from serving.ledger.entry import Entry, Kept
from serving.ledger.reading import Reader
from serving.ledger.tiles import WIDTH, Tiles, folded
from serving.ledger.tree import Edge, ProofError

TROUBLES = (OSError, ValueError, sqlite3.Error, psycopg.Error, SQLAlchemyError, ProofError)


class TakenError(Exception):
    """An id or a key of a batch is recorded already; nothing of the batch was."""


class Store(Protocol):
    """One database. Each method may raise one of `TROUBLES`."""

    name: str  # as a message may say it: no password
    remote: bool  # a question takes a way over the network
    reader: Reader

    def open(self) -> None:
        """Make the tables if there are none, and be ready to write."""

    def insert(self, entries: Sequence[Entry], seen: int) -> Edge:
        """Append entries durably, in their order; return the edge of the tree that they made.

        Args:
            entries: not empty.
            seen: the largest size this process has seen; a smaller log is refused.

        Raises:
            TakenError: an id or a key is recorded already.
        """

    def size(self) -> int:
        """Return the size of the log, asked over the connection that writes."""

    def find_keys(self, tenant: str, keys: Sequence[str]) -> dict[str, Kept]:
        """Return what is recorded under keys of a tenant, by key."""

    def find(self, tenant: str, quote_id: str) -> Kept | None:
        """Return what is recorded under an id."""

    def keep_tile(self, level: int, index: int, data: bytes, root: bytes) -> None:
        """Keep a full tile; one that is there already stays."""

    def keep_checkpoint(self, size: int, note: str) -> None:
        """Keep a checkpoint; one that is there already stays."""

    def erase(self, entries: Sequence[int]) -> None:
        """Delete what is private of entries, so that its bytes are gone."""

    def close(self) -> None:
        """Let the database go."""


def grown(edge: Edge, entries: Sequence[Entry]) -> Edge:
    """Return the edge of a tree to which entries were appended."""
    larger = Edge(edge.size, [*edge.hashes])
    for entry in entries:
        larger.add(entry.leaf)
    return larger


def check_not_smaller(size: int, seen: int) -> None:
    """Check that a log has not lost what was seen of it.

    Raises:
        ProofError: it has.
    """
    if size < seen:
        raise ProofError(f"the log must have at least {seen} entries, however: {size}")


def full_tiles(old: int, size: int) -> Iterator[tuple[int, int]]:
    """Give the tiles that became full while a tree grew, lower levels first."""
    level = 0
    while size := size // WIDTH:
        old //= WIDTH
        for index in range(old, size):
            yield level, index
        level += 1


def fill_tiles(store: Store, tiles: Tiles, places: Iterable[tuple[int, int]]) -> None:
    """Keep full tiles, lower levels first."""
    for level, index in places:
        hashes = tiles.hashes(level, index)
        store.keep_tile(level, index, b"".join(hashes), folded(hashes))
