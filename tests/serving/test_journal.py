from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from serving.journal import SqliteJournal
from serving.problem import RefusedError

ROOT = Path(__file__).parents[2]
WRITER = """
import asyncio, sys
from pathlib import Path
from serving.journal import SqliteJournal

journal = SqliteJournal(Path(sys.argv[1]), most_waiting=4096, now_us=lambda: 0)
journal.wait_open(10)

async def client(name):
    number = 0
    while True:
        quote_id = f"{name}-{number}"
        await journal.record(quote_id, quote_id.encode() * 100)
        print(quote_id, flush=True)
        number += 1

async def main():
    await asyncio.gather(*[client(f"{sys.argv[2]}-{i}") for i in range(64)])

asyncio.run(main())
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    kept = SqliteJournal(tmp_path / "ledger.db", most_waiting=100, now_us=lambda: 5)
    assert kept.wait_open(10)
    yield kept
    kept.close()


def rows(path: Path) -> dict[str, bytes]:
    with closing(sqlite3.connect(path)) as database:
        return dict(database.execute("SELECT quote_id, reply FROM quote"))


def test_what_is_recorded_is_found_byte_for_byte(journal: SqliteJournal) -> None:
    reply = b'{"rate":"0.05"}\x00\xff'
    asyncio.run(journal.record("a", reply))
    assert journal.find("a") == reply
    assert journal.find("b") is None


def test_many_wait_for_one_commit(journal: SqliteJournal, tmp_path: Path) -> None:
    async def together() -> None:
        await asyncio.gather(*[journal.record(str(i), b"x") for i in range(90)])

    asyncio.run(together())
    assert len(rows(tmp_path / "ledger.db")) == 90


def test_a_queue_that_is_full_refuses(tmp_path: Path) -> None:
    kept = SqliteJournal(tmp_path / "ledger.db", most_waiting=3, now_us=lambda: 5)
    assert kept.wait_open(10)

    async def crowd() -> list[BaseException | None]:
        waiting = [kept.record(str(i), b"x") for i in range(50)]
        return await asyncio.gather(*waiting, return_exceptions=True)

    outcomes = asyncio.run(crowd())
    refused = [one for one in outcomes if isinstance(one, RefusedError)]
    assert {one.problem.code for one in refused} == {"overloaded"}
    assert refused[0].headers["Retry-After"] == "1"
    kept.close()
    assert len(rows(tmp_path / "ledger.db")) == 50 - len(refused)


@pytest.mark.parametrize("round_", range(3))
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, round_: int) -> None:
    path = tmp_path / "ledger.db"
    command = [sys.executable, "-c", WRITER, str(path), f"r{round_}"]
    writer = subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    with writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline()]
        until = time.monotonic() + 0.3 + 0.1 * round_
        while time.monotonic() < until:
            acknowledged.append(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.read().splitlines(keepends=True)
    told = {line.decode().strip() for line in acknowledged if line.endswith(b"\n")}
    kept = rows(path)
    assert len(told) > 100
    assert told <= set(kept)
    assert all(kept[quote_id] == quote_id.encode() * 100 for quote_id in told)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_process_may_not_write(journal: SqliteJournal, tmp_path: Path) -> None:
    second = SqliteJournal(tmp_path / "ledger.db", most_waiting=9, now_us=lambda: 5)
    assert not second.wait_open(0.3)
    assert "another process" in second.trouble
    with pytest.raises(RefusedError, match="another process"):
        asyncio.run(second.record("a", b"x"))
    second.close()


def test_the_file_is_taken_over_when_the_first_lets_go(tmp_path: Path) -> None:
    first = SqliteJournal(tmp_path / "ledger.db", most_waiting=9, now_us=lambda: 5)
    assert first.wait_open(10)
    second = SqliteJournal(tmp_path / "ledger.db", most_waiting=9, now_us=lambda: 5)
    assert not second.wait_open(0.2)
    first.close()
    assert second.wait_open(10)
    assert second.trouble == ""
    asyncio.run(second.record("a", b"x"))
    second.close()


def test_a_batch_that_fails_is_refused_whole_and_the_journal_recovers(
    journal: SqliteJournal, tmp_path: Path
) -> None:
    asyncio.run(journal.record("twice", b"first"))
    with pytest.raises(RefusedError) as refused:
        asyncio.run(journal.record("twice", b"second"))  # ids are unique, so this cannot be kept
    assert refused.value.problem.code == "not_recorded"
    until = time.monotonic() + 10
    while journal.trouble and time.monotonic() < until:
        time.sleep(0.02)
    asyncio.run(journal.record("next", b"x"))
    assert rows(tmp_path / "ledger.db") == {"twice": b"first", "next": b"x"}


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = SqliteJournal(tmp_path / "file" / "ledger.db", most_waiting=9, now_us=lambda: 5)
    assert not kept.wait_open(0.3)
    assert "ledger.db" in kept.trouble
    kept.close()


def test_the_journal_syncs_before_it_answers(journal: SqliteJournal, tmp_path: Path) -> None:
    assert journal._database is not None
    assert journal._database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert journal._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
