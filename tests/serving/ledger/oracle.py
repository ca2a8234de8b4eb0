"""The tree as RFC 9162 defines it, by its recursive definitions, beside our loops."""

from __future__ import annotations

from hashlib import sha256


def k(n: int) -> int:
    power = 1
    while 2 * power < n:
        power *= 2
    return power


def mth(d: list[bytes]) -> bytes:
    """MTH of section 2.1.1, of entries."""
    if not d:
        return sha256().digest()
    if len(d) == 1:
        return sha256(b"\x00" + d[0]).digest()
    at = k(len(d))
    return sha256(b"\x01" + mth(d[:at]) + mth(d[at:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(d) == 1:
        return []
    at = k(len(d))
    if m < at:
        return [*path(m, d[:at]), mth(d[at:])]
    return [*path(m - at, d[at:]), mth(d[:at])]


def proof(m: int, d: list[bytes]) -> list[bytes]:
    """PROOF of section 2.1.4.1."""
    return subproof(m, d, True)


def subproof(m: int, d: list[bytes], b: bool) -> list[bytes]:
    if m == len(d):
        return [] if b else [mth(d)]
    at = k(len(d))
    if m <= at:
        return [*subproof(m, d[:at], b), mth(d[at:])]
    return [*subproof(m - at, d[at:], False), mth(d[:at])]
