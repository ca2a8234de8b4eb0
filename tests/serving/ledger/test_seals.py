"""What is noted of access cannot be altered unseen: the log seals the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from models import artifact
from models.copies import Pointer
from serving.access.audit import Event, FileAudit
from serving.app import Server
from serving.ledger.commands import ledger_cli
from serving.ledger.seals import AUDIT, Sealer, broken
from serving.ledger.served import served
from serving.ledger.sqlite import SqliteStore
from tests.serving.ledger.books import ledger, opened, rows
from tests.serving.small_model import said


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


def test_the_log_says_which_model_serves_and_who_let_it(server: Server) -> None:
    reader, until = server.ledger.store.reader, time.monotonic() + 10
    while not reader.others(AUDIT) and time.monotonic() < until:
        time.sleep(0.05)
    told = [orjson.loads(body) for body in reader.others(AUDIT)]
    pointer = Pointer.read(server.settings.models)
    assert pointer is not None
    (record,) = [one for one in told if one.get("event") == "served"]
    assert (record["version"], record["digest"]) == ("7", pointer.digest)
    decided = said(pointer.digest)
    assert {name: record["decision"][name] for name in ("act", "who", "when", "why")} == {
        "act": decided.act,
        "who": decided.who,
        "when": decided.when,
        "why": decided.why,
    }
    assert record["statement_sha256"] == sha256(pointer.signed.encode()).hexdigest()


def test_of_a_model_that_nobody_signed_no_decision_is_told(server: Server) -> None:
    pointer = Pointer.read(server.settings.models)
    assert pointer is not None
    model = artifact.read(server.settings.models / pointer.digest, pointer.digest)
    assert served(model, None)["decision"] is None
    assert served(model, replace(pointer, digest="0" * 64))["decision"] is None


def test_what_is_told_waits_until_the_ledger_takes_it(tmp_path: Path) -> None:
    with ledger(tmp_path) as books:
        first = SqliteStore(tmp_path / "ledger.db")
        waiting = opened(tmp_path, store=first, wait=0.2)  # the first holds the lock
        sealer = Sealer(waiting, tmp_path / "audit.jsonl", 0.05)
        sealer.tell("served", {"digest": "d"})
        time.sleep(0.2)
        assert "ours to write" in waiting.trouble
        assert bodies(tmp_path) == []
        assert books.trouble == ""
    assert waiting.wait_open(10)
    sealer.close()
    waiting.close()
    assert [orjson.loads(body)["event"] for body in bodies(tmp_path)] == ["served"]


def test_an_export_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed(tmp_path)
    monkeypatch.setenv("SEEDRATE_VAR", str(tmp_path))
    done = CliRunner().invoke(ledger_cli, ["export", str(tmp_path / "out")])
    assert done.exit_code == 0
    (line,) = (tmp_path / "audit.jsonl").read_bytes().splitlines()
    assert (orjson.loads(line)["kind"], orjson.loads(line)["why"]) == ("exported", "1 entries")
