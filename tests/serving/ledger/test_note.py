from __future__ import annotations

import base64
from pathlib import Path

import pytest

from models import keys
from serving.ledger.note import Checkpoint, Signer, Verifier
from serving.ledger.tree import EMPTY, ProofError

# Go's sumdb: its key and a note that it has signed, as golang.org/x/mod/sumdb prints them.
SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer("bank.example/log", keys.create(tmp_path / "keys", "a test"))


def test_a_checkpoint_is_three_lines_and_a_signature(signer: Signer) -> None:
    note = signer.sign(7, EMPTY)
    first, second, third, gap, last, end = note.split("\n")
    assert (first, second, gap, end) == ("bank.example/log", "7", "", "")
    assert base64.b64decode(third) == EMPTY
    assert last.startswith("\u2014 bank.example/log ")
    assert signer.verifier.check(note) == Checkpoint("bank.example/log", 7, EMPTY)


def test_a_published_key_of_the_go_project_reads_as_it_is_written() -> None:
    assert Verifier.parse(SUMDB).line == SUMDB


def test_a_key_survives_its_line(signer: Signer) -> None:
    line = signer.verifier.line
    assert Verifier.parse(line).line == line
    assert Verifier.parse(line).check(signer.sign(1, EMPTY)).size == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace("\n7\n", "\n8\n"),
        lambda note: note.replace("bank.example", "bonk.example"),
        lambda note: note.replace("47DE", "47DF"),
        lambda note: note.replace("\u2014 ", "- "),
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note[:-9] + "\n",
        lambda note: "",
    ],
)
def test_a_note_that_was_altered_is_refused(signer: Signer, change: object) -> None:
    note = signer.sign(7, EMPTY)
    altered = change(note)  # type: ignore[operator]  # a lambda of the list above
    assert altered != note
    with pytest.raises(ProofError):
        signer.verifier.check(altered)


def test_another_key_of_the_same_name_is_refused(signer: Signer, tmp_path: Path) -> None:
    other = Signer(signer.origin, keys.create(tmp_path / "other", "another"))
    with pytest.raises(ProofError, match="must be signed by"):
        other.verifier.check(signer.sign(7, EMPTY))


def test_other_signatures_beside_ours_do_no_harm(signer: Signer, tmp_path: Path) -> None:
    witness = Signer("witness.example", keys.create(tmp_path / "witness", "another"))
    blob = witness.verifier.hash + bytes(64)
    beside = f"\u2014 witness.example {base64.b64encode(blob).decode()}\n"
    note = signer.sign(7, EMPTY)
    assert signer.verifier.check(note + beside).size == 7
    head, gap, last = note.partition("\n\n")
    assert signer.verifier.check(head + gap + beside + last).size == 7


@pytest.mark.parametrize(
    "line",
    ["", "a+b", SUMDB.replace("033de0ae", "033de0af"), SUMDB[:-4], SUMDB.replace("+A", "+B")],
)
def test_what_is_no_key_is_refused(line: str) -> None:
    with pytest.raises(ProofError):
        Verifier.parse(line)


@pytest.mark.parametrize("size", ["-1", "01", "x", ""])
def test_what_is_no_size_is_refused(size: str) -> None:
    with pytest.raises(ProofError):
        Checkpoint.parse(f"log\n{size}\n{base64.b64encode(EMPTY).decode()}\n\n")
