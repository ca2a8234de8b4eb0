"""Tamper with every byte of a ledger of 1,000 rows: does an audit see each? `make soak` runs it.

python -m benchmarks.tampering [ROWS]

Every byte of every column of every row, and of every full tile; every row deleted, swapped,
repeated; every older copy put back; of a log of one full tile, which an audit reads faster, every
byte of tiles, head and checkpoints by itself, in the database and held outside. What nobody sees is
printed, and fails the run: but for an older copy that nobody holds a later checkpoint of, which
only such a checkpoint can tell.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from serving.ledger import keyring
from serving.ledger.held import Held
from serving.ledger.tiles import WIDTH
from tests.serving.ledger import tampering
from tests.serving.ledger.books import ORIGIN, filled
from tests.serving.ledger.tampering import Tally, Victim

ROWS = 1000
BITS = tuple(1 << bit for bit in range(8))


def main(rows: int) -> None:
    """Tamper, print a line a kind, and exit with what was not seen."""
    failed = False
    with tempfile.TemporaryDirectory() as name:
        tallies = chain(of_rows(Path(name) / "rows", rows), of_tiles(Path(name) / "tiles"))
        began = time.monotonic()
        for tally in tallies:
            seen, took = tally.tried - len(tally.unseen), time.monotonic() - began
            print(
                f"{tally.what:<32} {seen:>9,} of {tally.tried:>9,} seen {took:8.0f} s", flush=True
            )
            failed |= bool(tally.unseen) and "nothing held" not in tally.what
            began = time.monotonic()
    sys.exit("not every tampering was seen" if failed else 0)


def of_rows(folder: Path, rows: int) -> Iterator[Tally]:
    """Tamper with the rows of a log."""
    victim = made(folder, rows)
    yield from tampering.every_byte_of_rows(victim)
    yield from tampering.every_byte_of_tiles(victim)
    yield from tampering.every_row(victim)
    yield from tampering.every_older_copy(victim)
    yield from tampering.every_number(victim)


def of_tiles(folder: Path) -> Iterator[Tally]:
    """Tamper with what stands beside the rows."""
    victim = made(folder, WIDTH)
    yield from tampering.every_byte_of(victim, ("head", "checkpoint"), BITS)
    yield tampering.every_byte_of_held(victim, BITS)
    yield from tampering.every_byte_of(victim, ("tile",), (1,))


def made(folder: Path, rows: int) -> Victim:
    """Return a log of some rows, the first of them that of its key."""
    filled(folder, rows - 1)
    signer = keyring.signer(folder / "ledger/signing.key", ORIGIN, make=False)
    note = Held(folder / "ledger/checkpoint").note()
    if note is None:
        sys.exit("a closed ledger must hold a checkpoint, and does not")
    return Victim(folder / "ledger.db", signer.verifier, {"held": note})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
