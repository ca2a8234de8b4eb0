from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.access.audit import Event, FileAudit, Refusals
from serving.access.credential import Why
from tests.serving.access.clock import Clock


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_is_a_line_that_its_owner_alone_can_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.jsonl"
    FileAudit(path, Clock(7.0)).note(Event("key_created", "bank", "front", "abcdefgh"))
    FileAudit(path, Clock(8.0)).note(Event("key_revoked", "bank", "front", "abcdefgh"))
    first, second = lines(path)
    assert first == {
        "time": 7.0,
        "kind": "key_created",
        "tenant": "bank",
        "client": "front",
        "key_id": "abcdefgh",
        "route": "",
        "why": "",
        "left_out": 0,
    }
    assert (second["time"], second["kind"]) == (8.0, "key_revoked")
    assert path.stat().st_mode & 0o077 == 0


def test_a_flood_of_refusals_is_a_line_in_ten_seconds_that_counts_the_others(
    tmp_path: Path,
) -> None:
    path, clock = tmp_path / "audit.jsonl", Clock()
    refusals = Refusals(FileAudit(path, clock), clock)
    for _ in range(1000):
        refusals.note(Why.UNKNOWN, route="/v1/quotes", key_id="abcdefgh")
        clock.at += 0.02
    told = lines(path)
    assert len(told) == 2
    assert [line["left_out"] for line in told] == [0, 500]
    refusals.note(Why.REVOKED, route="/v1/quotes", tenant="bank")
    assert lines(path)[-1]["why"] == "the key was revoked"


def test_a_disk_that_takes_nothing_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    FileAudit(tmp_path / "audit.jsonl", Clock()).note(Event("refused"))
    assert "was not kept" in caplog.text
