"""The Merkle tree of a log: one hash for all of it, and short proofs about it.

    leaf      SHA-256(0x00 || entry)
    node      SHA-256(0x01 || left || right)
    root      of nothing SHA-256(""), of one entry its leaf; else the node of the roots of the first
              k entries and of the others, k the largest power of two below their number

Source: RFC 9162, sections 2.1.1 to 2.1.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

HASH_BYTES = 32
EMPTY = sha256().digest()


class ProofError(Exception):
    """A proof that does not prove what it should."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


@dataclass
class Edge:
    """The right edge of a tree: roots of its complete subtrees, widest first; enough to grow it."""

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        """Append one leaf."""
        position = self.size
        while position & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            position >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of all leaves."""
        if not self.hashes:
            return EMPTY
        *wider, root = self.hashes
        for left in reversed(wider):
            root = node_hash(left, root)
        return root

    def packed(self) -> bytes:
        """Return the hashes in one row."""
        return b"".join(self.hashes)

    @classmethod
    def unpacked(cls, size: int, packed: bytes) -> Edge:
        """Return the edge of a size from its hashes in one row.

        Raises:
            ProofError: there are not as many hashes as a tree of that size has.
        """
        hashes = [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]
        if len(packed) != HASH_BYTES * size.bit_count():
            raise ProofError(f"an edge of {size} must have {size.bit_count()} hashes")
        return cls(size, hashes)


class Subtrees(Protocol):
    """Whoever knows the roots of complete subtrees."""

    def subtree(self, level: int, index: int) -> bytes:
        """Return the root of the 2**level leaves that begin at leaf index * 2**level."""


def edge(subtrees: Subtrees, size: int) -> Edge:
    """Return the right edge of the first `size` leaves."""
    return Edge(size, [subtrees.subtree(level, index) for level, index in _cover(0, size)])


def root(subtrees: Subtrees, size: int) -> bytes:
    """Return the root of the first `size` leaves."""
    return edge(subtrees, size).root()


def inclusion(subtrees: Subtrees, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < size:
        raise ProofError(f"an index must be in [0, {size}), however: {index}")
    path, low, high = [], 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range(subtrees, middle, high))
            high = middle
        else:
            path.append(_range(subtrees, low, middle))
            low = middle
    return path[::-1]


def consistency(subtrees: Subtrees, old: int, size: int) -> list[bytes]:
    """Return the proof that the tree of `old` leaves begins that of `size` (RFC 9162, 2.1.4.1)."""
    if not 0 <= old <= size:
        raise ProofError(f"an older size must be in [0, {size}], however: {old}")
    path, low, high = [], 0, size
    if old in (0, size):
        return []
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range(subtrees, middle, high))
            high = middle
        else:
            path.append(_range(subtrees, low, middle))
            low = middle
    return [*([_range(subtrees, low, high)] if low else []), *path[::-1]]


def root_by_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that a proof of inclusion leads to (RFC 9162, 2.1.3.2).

    Raises:
        ProofError: the proof is too long or too short, or the index is not in the tree.
    """
    if not 0 <= index < size:
        raise ProofError(f"an index must be in [0, {size}), however: {index}")
    own, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            raise ProofError("the proof of inclusion is too long")
        if own & 1 or own == last:
            found = node_hash(step, found)
            while own and not own & 1:
                own, last = own >> 1, last >> 1
        else:
            found = node_hash(found, step)
        own, last = own >> 1, last >> 1
    if last:
        raise ProofError("the proof of inclusion is too short")
    return found


def check_consistency(
    old: int, old_root: bytes, size: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that one tree begins another (RFC 9162, 2.1.4.2).

    Raises:
        ProofError: the proof does not show it.
    """
    if not 0 <= old <= size:
        raise ProofError(f"an older size must be in [0, {size}], however: {old}")
    if old == size or old == 0:
        if path or (old == 0 and old_root != EMPTY) or (old == size and old_root != new_root):
            raise ProofError("the two roots must agree, and need no proof")
        return
    steps = [old_root, *path] if old & (old - 1) == 0 else [*path]
    if not path:
        raise ProofError("the proof of consistency is missing")
    _climb(old - 1, size - 1, steps, old_root, new_root)


def _climb(own: int, last: int, steps: list[bytes], old_root: bytes, new_root: bytes) -> None:
    while own & 1:
        own, last = own >> 1, last >> 1
    older = newer = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofError("the proof of consistency is too long")
        if own & 1 or own == last:
            older, newer = node_hash(step, older), node_hash(step, newer)
            while own and not own & 1:
                own, last = own >> 1, last >> 1
        else:
            newer = node_hash(newer, step)
        own, last = own >> 1, last >> 1
    if last or older != old_root or newer != new_root:
        raise ProofError("the older tree does not begin the newer one")


def _split(count: int) -> int:
    """Return the largest power of two below a count."""
    return 1 << (count - 1).bit_length() - 1


def _range(subtrees: Subtrees, low: int, high: int) -> bytes:
    """Return the root of the leaves from low to before high; low is as a split leaves it."""
    hashes = [subtrees.subtree(level, index) for level, index in _cover(low, high)]
    return Edge(0, hashes).root()


def _cover(low: int, high: int) -> Iterator[tuple[int, int]]:
    """Give the complete subtrees that cover leaves, widest first, as level and index."""
    while low < high:
        level = (high - low).bit_length() - 1
        yield level, low >> level
        low += 1 << level
