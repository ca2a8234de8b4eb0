"""A tree's leaves in memory, with full tiles stored or not."""

from __future__ import annotations

from collections.abc import Sequence

from serving.ledger.tiles import WIDTH, folded


class Memory:
    """A source of tiles; `stored` says whether full ones are there at once, or must be made."""

    def __init__(self, leaves: Sequence[bytes], *, stored: bool = True) -> None:
        self._levels = [list(leaves)]
        while stored and len(self._levels[-1]) >= WIDTH:
            last = self._levels[-1]
            full = range(0, len(last) - WIDTH + 1, WIDTH)
            self._levels.append([folded(last[at : at + WIDTH]) for at in full])
        self._stored = stored

    def leaves(self, low: int, high: int) -> list[bytes]:
        return self._levels[0][low:high]

    def tile(self, level: int, index: int) -> bytes | None:
        if not self._stored or level >= len(self._levels):
            return None
        hashes = self._levels[level][index * WIDTH : (index + 1) * WIDTH]
        return b"".join(hashes) if len(hashes) == WIDTH else None

    def roots(self, level: int, low: int, high: int) -> list[bytes]:
        above = level + 1
        return self._levels[above][low:high] if above < len(self._levels) else []
