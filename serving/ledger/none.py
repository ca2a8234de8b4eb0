"""No ledger: for prices that nobody keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from serving.ledger.entry import Entry, Kept
from serving.ledger.waiting import not_recorded


class NoLedger:
    """The ledger of a desk that answers what-ifs only: it keeps nothing, and says so."""

    trouble = "nothing is recorded here"

    @contextmanager
    def flight(self, tenant: str, key: str) -> Iterator[None]:
        """Hold nothing."""
        yield

    async def record(self, entry: Entry) -> Kept | None:
        """Refuse."""
        raise not_recorded(self.trouble)

    async def find_keys(self, tenant: str, keys: Sequence[str]) -> dict[str, Kept]:
        """Return nothing."""
        return {}
