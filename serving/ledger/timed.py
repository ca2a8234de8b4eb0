"""A store whose commits are measured: how many rows, how long, and how long the oldest waited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

from serving.ledger.entry import Entry
from serving.ledger.store import Store
from serving.ledger.tree import Edge

Commit = Callable[[int, float, float], None]  # rows, seconds, seconds that the oldest waited


class TimedStore:
    """Passes everything on to a store, and measures `insert`."""

    def __init__(self, store: Store, tell: Commit, now: Callable[[], float]) -> None:
        """Measure a store.

        Args:
            store: the database.
            tell: is told of every commit.
            now: in seconds since 1970.
        """
        self._store = store
        self._tell = tell
        self._now = now
        self._oldest_us = 0
        self.name, self.remote, self.reader = store.name, store.remote, store.reader
        self.open, self.close, self.size = store.open, store.close, store.size
        self.find, self.find_keys = store.find, store.find_keys
        self.keep_tile, self.keep_checkpoint = store.keep_tile, store.keep_checkpoint
        self.erase = store.erase

    def lag_seconds(self) -> float:
        """Return the age of the oldest row that is not durable yet; 0 if all are.

        The writer takes rows in the order in which they came, so it is the first one under way.
        """
        oldest_us = self._oldest_us
        return max(self._now() - oldest_us / 1e6, 0.0) if oldest_us else 0.0

    def insert(self, entries: Sequence[Entry], seen: int) -> Edge:
        """Append entries durably, as the store does."""
        self._oldest_us, began = entries[0].created_us, perf_counter()
        try:
            edge = self._store.insert(entries, seen)
            self._tell(len(entries), perf_counter() - began, self.lag_seconds())
            return edge
        finally:
            self._oldest_us = 0
