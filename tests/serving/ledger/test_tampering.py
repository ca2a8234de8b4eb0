"""Every byte of a small ledger, altered; `benchmarks.tampering` does so with 1,000 rows."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from benchmarks.tampering import made
from serving.ledger.tree import ProofError
from tests.serving.ledger import tampering
from tests.serving.ledger.tampering import Tally, Victim

ONE_BIT = (1,)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    return made(tmp_path_factory.mktemp("few"), 4)


@pytest.fixture(scope="module")
def tile(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    """A ledger with a full tile."""
    return made(tmp_path_factory.mktemp("tile"), 256)


def check(tallies: Iterable[Tally]) -> None:
    for tally in tallies:
        assert tally.tried > 0, tally.what
        assert tally.unseen == [], tally.what


def test_an_untouched_copy_has_no_faults(few: Victim, tile: Victim) -> None:
    assert few.faults() == tile.faults() == []


def test_every_byte_of_every_row_is_noticed(few: Victim) -> None:
    check(tampering.every_byte_of_rows(few))
    check(tampering.every_number(few))


def test_every_byte_of_head_and_checkpoints_is_noticed(few: Victim) -> None:
    check(tampering.every_byte_of(few, ("head", "checkpoint"), (1, 0x80)))


def test_every_byte_of_a_checkpoint_that_is_held_is_noticed(few: Victim) -> None:
    check([tampering.every_byte_of_held(few, ONE_BIT)])


def test_every_row_deleted_moved_or_repeated_is_noticed(few: Victim) -> None:
    check(tally for tally in tampering.every_row(few) if "tile" not in tally.what)


def test_bytes_of_tiles_are_noticed_tile_by_tile(tile: Victim) -> None:
    check(tampering.every_byte_of_tiles(tile, 1021))


def test_a_tile_that_is_missing_is_noticed(tile: Victim) -> None:
    check(tally for tally in tampering.every_row(tile, 128) if "tile" in tally.what)


def test_an_older_copy_is_seen_by_who_holds_a_later_checkpoint_and_by_nobody_else(
    few: Victim,
) -> None:
    alone, told = tampering.every_older_copy(few)
    assert (told.tried, told.unseen) == (3, [])
    assert len(alone.unseen) == alone.tried == 3


def test_a_signature_has_one_spelling(few: Victim) -> None:
    (note,) = few.held.values()
    text, _, signature = note.rpartition("\n\n")
    for at in range(len(signature)):
        for letter in map(chr, {*range(128)} - {ord(signature[at])}):
            other = signature[:at] + letter + signature[at + 1 :]
            with pytest.raises(ProofError):
                few.trusted.check(f"{text}\n\n{other}")
