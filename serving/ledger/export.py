"""The public log as files that foreign tools read: C2SP tlog-tiles, in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from serving.ledger.note import Checkpoint
from serving.ledger.reading import Reader
from serving.ledger.tiles import HEIGHT, WIDTH, Tile, Tiles


def export(reader: Reader, note: str, folder: Path) -> int:
    """Write checkpoint, tiles and bundles of entries; return how many files.

    An entry of a bundle is its length in two bytes, then its body: no private value is exported.
    """
    tiles, size, written = Tiles(reader), Checkpoint.parse(note).size, 1
    for tile in _tiles(size):
        _write(folder / tile.path, tiles.data(tile))
        written += 1
    bundle: list[bytes] = []
    for row in reader.rows():
        if row.seq >= size:
            break
        bundle.append(len(row.body).to_bytes(2, "big") + row.body)
        if len(bundle) == WIDTH or row.seq == size - 1:
            path = Tile(0, row.seq // WIDTH, len(bundle)).path.replace("tile/0/", "tile/entries/")
            _write(folder / path, b"".join(bundle))
            bundle, written = [], written + 1
    _write(folder / "checkpoint", note.encode())
    return written


def _tiles(size: int) -> Iterator[Tile]:
    level = 0
    while hashes := size >> HEIGHT * level:
        for index in range(hashes // WIDTH):
            yield Tile(level, index)
        if hashes % WIDTH:
            yield Tile(level, hashes // WIDTH, hashes % WIDTH)
        level += 1


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
