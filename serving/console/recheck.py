"""The end of the log, hashed again on the spot: so many entries, so many seconds, and no more.

Every body that this server may read is hashed and held against its leaf, every full tile of the
stretch against its leaves, and the leaves, on top of the stored tree before them, must lead to the
root of a checkpoint that a key of the log has signed. The whole log is the work of
`python -m serving ledger verify`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from serving.console.proof import signer
from serving.ledger import keyring, tree
from serving.ledger.entry import KEY
from serving.ledger.note import Checkpoint
from serving.ledger.reading import Reader
from serving.ledger.tiles import WIDTH, Tiles
from serving.ledger.tree import ProofError, leaf_hash

MOST_ENTRIES = 20_000
MOST_SECONDS = 2.0
PAGE = 4 * WIDTH  # entries of one look: whole tiles


@dataclass
class Rechecked:
    """What was checked, of how many; a check that is not in `faults` has passed."""

    size: int
    low: int  # the first entry that was looked at
    hashed: int = 0  # entries whose body was hashed anew
    tiles: int = 0  # full tiles compared with their leaves
    key: str = ""  # the line of the key that signed
    seconds: float = 0.0
    faults: dict[str, str] = field(default_factory=dict)  # by check: signed, entries, tiles, root


def recheck(
    reader: Reader,
    note: str,
    clock: Callable[[], float],
    *,
    most: int = MOST_ENTRIES,
    seconds: float = MOST_SECONDS,
) -> Rechecked:
    """Check the end of a log.

    Args:
        reader: of its database; nothing that is remembered of it is used.
        note: its newest checkpoint.
        clock: in seconds.
        most: entries.
        seconds: after which no further entries are looked at.
    """
    checkpoint, began = Checkpoint.parse(note), clock()
    found = Rechecked(checkpoint.size, checkpoint.size)
    try:
        found.key = signer(note, keyring.listed(reader.others(KEY))).line
    except ProofError as error:
        found.faults["signed"] = str(error)
    leaves: list[bytes] = []
    least = max(0, checkpoint.size - most)
    while found.low > least and clock() - began < seconds:
        high, low = found.low, max(0, (found.low - 1) // PAGE * PAGE)
        page = reader.leaves(low, high)
        if len(page) != high - low:
            said = f"entries {low} to {high - 1} must all be there, however: {len(page)} are"
            found.faults["entries"] = said
            break
        _hash_again(reader, low, page, found)
        leaves, found.low = page + leaves, low
    if "entries" not in found.faults or leaves:
        _check_root(reader, checkpoint, leaves, found)
    found.seconds = clock() - began
    return found


def _hash_again(reader: Reader, low: int, leaves: list[bytes], found: Rechecked) -> None:
    """Hash bodies, and compare full tiles."""
    for at, body in reader.bodies(low, low + len(leaves)).items():
        found.hashed += 1
        if leaf_hash(body) != leaves[at - low]:
            found.faults.setdefault("entries", f"entry {at} must have the hash that it was given")
    for start in range(0, len(leaves) - WIDTH + 1, WIDTH):
        index = (low + start) // WIDTH
        found.tiles += 1
        if reader.tile(0, index) != b"".join(leaves[start : start + WIDTH]):
            found.faults.setdefault("tiles", f"tile 0/{index} must hold its leaves, and does not")


def _check_root(
    reader: Reader, checkpoint: Checkpoint, leaves: list[bytes], found: Rechecked
) -> None:
    """Grow the stored tree by the leaves that were read."""
    try:
        edge = tree.edge(Tiles(reader), found.low)
    except ProofError as error:
        found.faults["root"] = str(error)
        return
    for leaf in leaves:
        edge.add(leaf)
    if edge.root() != checkpoint.root:
        found.faults["root"] = "the leaves must lead to the signed root, and do not"
