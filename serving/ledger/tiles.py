"""The tree in tiles of 256 hashes: what is stored of it, and what outsiders may fetch.

A tile of level L holds the roots of up to 256 subtrees of 256**L leaves. A full tile never changes;
the last of a level is partial, and is made when asked for.

Source: C2SP tlog-tiles, with tiles of height 8.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from serving.ledger.tree import HASH_BYTES, ProofError, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILES_KEPT = 1024  # in memory, of 19 KB each: 256 hashes that are objects of their own
LEVEL = "[0-9]|[1-5][0-9]|6[0-3]"
INDEX = r"(?:x[0-9]{3}/){0,5}[0-9]{3}(?:\.p/[1-9][0-9]{0,2})?"


@dataclass(frozen=True)
class Tile:
    """The place of a tile."""

    level: int
    index: int
    width: int = WIDTH  # hashes in it; less than 256 in a partial one

    @property
    def path(self) -> str:
        """Return the path below the log's address.

        >>> Tile(0, 1234067).path
        'tile/0/x001/x234/067'
        >>> Tile(1, 5, 12).path
        'tile/1/005.p/12'
        """
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{_written(self.index)}{partial}"

    @classmethod
    def parse(cls, level: str, index: str) -> Tile | None:
        """Return the tile that the last two parts of a path name; None if they name none.

        >>> Tile.parse("0", "x001/x234/067")
        Tile(level=0, index=1234067, width=256)
        """
        if not re.fullmatch(INDEX, index) or not re.fullmatch(LEVEL, level):
            return None
        whole, _, partial = index.partition(".p/")
        number, width = int(re.sub("[x/]", "", whole)), int(partial or WIDTH)
        tile = cls(int(level), number, width)
        return tile if width <= WIDTH and tile.path == f"tile/{level}/{index}" else None

    def within(self, size: int) -> bool:
        """Say whether a tree of `size` leaves has as many hashes there."""
        return self.index * WIDTH + self.width <= size >> HEIGHT * self.level


def _written(index: int) -> str:
    parts = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        parts.insert(0, f"x{index % 1000:03}")
    return "/".join(parts)


class Source(Protocol):
    """Where leaves and full tiles are stored."""

    def leaves(self, low: int, high: int) -> list[bytes]:
        """Return the leaves from low to before high; fewer if there are fewer."""

    def tile(self, level: int, index: int) -> bytes | None:
        """Return a full tile; None if it is not stored."""

    def roots(self, level: int, low: int, high: int) -> list[bytes]:
        """Return the roots of full tiles from low to before high; fewer if not all are stored."""


class Tiles:
    """The complete subtrees of a stored tree, by way of its tiles."""

    def __init__(self, source: Source) -> None:
        """Keep the full tiles that were used last."""
        self._source = source
        self._kept: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        self._lock = Lock()

    def subtree(self, level: int, index: int) -> bytes:
        """Return the root of the 2**level leaves that begin at leaf index * 2**level.

        Raises:
            ProofError: they are not all there.
        """
        at, height = divmod(level, HEIGHT)
        first = index << height
        offset = first & WIDTH - 1
        hashes = self.hashes(at, first >> HEIGHT, offset + (1 << height))
        return folded(hashes[offset : offset + (1 << height)])

    def data(self, tile: Tile) -> bytes:
        """Return the bytes of a tile."""
        return b"".join(self.hashes(tile.level, tile.index, tile.width))

    def hashes(self, level: int, index: int, width: int = WIDTH) -> list[bytes]:
        """Return the first `width` hashes of a tile.

        Raises:
            ProofError: there are not so many.
        """
        with self._lock:
            kept = self._kept.pop((level, index), None)
        hashes = kept or self._read(level, index, width)
        if len(hashes) == WIDTH:
            self._keep((level, index), hashes)
        return hashes[:width]

    def _keep(self, place: tuple[int, int], hashes: list[bytes]) -> None:
        with self._lock:
            self._kept[place] = hashes
            if len(self._kept) > TILES_KEPT:
                self._kept.popitem(last=False)

    def _read(self, level: int, index: int, width: int) -> list[bytes]:
        data = self._source.tile(level, index)
        if data is not None:
            if len(data) != WIDTH * HASH_BYTES:
                raise ProofError(f"tile {level}/{index} must have {WIDTH} hashes")
            return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
        low, high = index * WIDTH, index * WIDTH + width
        if level == 0:
            found = self._source.leaves(low, high)
        else:
            found = self._source.roots(level - 1, low, high)
            for missing in range(low + len(found), high):
                found.append(folded(self.hashes(level - 1, missing)))
        if len(found) < width:
            raise ProofError(
                f"tile {level}/{index} must have {width} hashes, however: {len(found)}"
            )
        return found


def folded(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a power of two of hashes of one level."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]
