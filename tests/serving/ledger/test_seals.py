"""What is noted of access cannot be altered unseen: the log seals the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from serving.access.audit import Event, FileAudit
from serving.ledger.commands import ledger_cli
from serving.ledger.seals import AUDIT, Sealer, broken
from tests.serving.ledger.books import ledger, rows


def note(folder: Path, name: str) -> None:
    FileAudit(folder / "audit.jsonl", time.time).note(Event("key_created", "bank", name, "abcd"))


def sealed(folder: Path, *names: str) -> None:
    """Run a ledger while something is noted, as a server does."""
    with ledger(folder) as books:
        sealer = Sealer(books, folder / "audit.jsonl", 0.01)
        for name in names:
            note(folder, name)
            time.sleep(0.1)
        sealer.close()


@pytest.fixture
def verify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Result]:
    monkeypatch.setenv("SEEDRATE_VAR", str(tmp_path))
    return lambda: CliRunner().invoke(ledger_cli, ["verify"])


def bodies(folder: Path) -> list[bytes]:
    found = rows(folder, "SELECT body FROM entry WHERE kind = ? ORDER BY seq", AUDIT)
    return [body for (body,) in found]


def test_notes_are_sealed_and_what_is_noted_later_is_no_fault(
    tmp_path: Path, verify: Callable[[], Result]
) -> None:
    sealed(tmp_path, "ann", "ben")
    assert orjson.loads(bodies(tmp_path)[-1])["bytes"] == (tmp_path / "audit.jsonl").stat().st_size
    assert not any(b"ann" in body for body in bodies(tmp_path))
    note(tmp_path, "cid")
    assert verify().exit_code == 0
    sealed(tmp_path, "dan")
    assert verify().exit_code == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"ann", b"amy"),
        lambda text: text.partition(b"\n")[2],
        lambda text: text[:-1],
        lambda text: b"",
        lambda text: b"{}\n" + text,
    ],
)
def test_a_note_altered_removed_or_slipped_in_is_noticed(
    tmp_path: Path, verify: Callable[[], Result], change: Callable[[bytes], bytes]
) -> None:
    sealed(tmp_path, "ann", "ben")
    path = tmp_path / "audit.jsonl"
    path.write_bytes(change(path.read_bytes()))
    done = verify()
    assert (done.exit_code, "TAMPERED: audit.jsonl" in done.output) == (1, True), done.output


def test_where_nothing_was_noted_nothing_is_sealed(tmp_path: Path) -> None:
    sealed(tmp_path)
    assert bodies(tmp_path) == []


def test_the_seals_of_another_servers_file_are_not_ours_to_judge(tmp_path: Path) -> None:
    sealed(tmp_path, "ann")
    other = tmp_path / "other.jsonl"
    other.write_bytes(b"{}\n")
    assert list(broken(bodies(tmp_path), other, ours_alone=False)) == []
    assert list(broken(bodies(tmp_path), other, ours_alone=True))
