"""Ids that sort by time and never meet: UUID version 7; and which of them are drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime


def uuid7(now: datetime, random_bytes: Callable[[int], bytes]) -> str:
    """Return an id that sorts by the millisecond in which it was made (RFC 9562, section 5.7).

        48 bits milliseconds since 1970 | 0111 | 12 bits random | 10 | 62 bits random

    Args:
        now: aware.
        random_bytes: as `secrets.token_bytes`.

    >>> from datetime import UTC
    >>> uuid7(datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC), lambda count: bytes(count))
    '017f22e2-79b0-7000-8000-000000000000'
    """
    milliseconds = int(now.timestamp() * 1000)
    noise = int.from_bytes(random_bytes(10), "big")
    head = 0x7000 | noise >> 68
    tail = 1 << 63 | noise & (1 << 62) - 1
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-{head:04x}-"
        f"{tail >> 48:04x}-{tail & 0xFFFFFFFFFFFF:012x}"
    )


def drawn(quote_id: str, *, share: float) -> bool:
    """Return whether an id is among a share of all, which anybody can check again.

    The first 8 bytes of the id's SHA-256, as a fraction of 2^64, lie below the share.

    >>> drawn("017f22e2-79b0-7000-8000-000000000000", share=1.0)
    True
    """
    digest = hashlib.sha256(quote_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
