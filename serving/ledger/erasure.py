"""Erase what is private of quotes; the entries, their leaves and every proof stay.

An erasure is an entry of the log itself, written first: so that what was erased can be told from
what was made to disappear.
"""

from __future__ import annotations

from collections.abc import Sequence

from serving.ledger.entry import ERASURE, of_ledger
from serving.ledger.ledger import Ledger


async def erase(ledger: Ledger, entries: Sequence[int], why: str) -> None:
    """Record that the private part of entries is erased, and erase it.

    Args:
        ledger: open, and written by nobody else if it is in SQLite.
        entries: their numbers in the log.
        why: stands in the log for ever, so it must name nobody.
    """
    now = ledger.now()
    says = {"entries": sorted(entries), "why": why}
    await ledger.record(of_ledger(ERASURE, ledger.new_id(now), now, says))
    await ledger.checkpoint()
    ledger.store.erase(entries)
