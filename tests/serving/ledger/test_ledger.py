from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from serving.ledger import migrate, tree
from serving.ledger.ledger import Ledger
from serving.ledger.note import Checkpoint
from serving.ledger.schema import METADATA
from serving.ledger.sqlite import SqliteStore
from serving.problem import RefusedError
from tests.serving.ledger.books import entry, filled, ledger, opened, record, rows

ROOT = Path(__file__).parents[3]
WRITER = """
import asyncio, sys
from pathlib import Path
from tests.serving.ledger.books import entry, opened

books = opened(Path(sys.argv[1]))

async def client(name):
    number = 0
    while True:
        await books.record(entry(f"{name}-{number}"))
        print(f"{name}-{number}", flush=True)
        number += 1

async def main():
    await asyncio.gather(*[client(f"{sys.argv[2]}-{i}") for i in range(64)])

asyncio.run(main())
"""


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Ledger]:
    with ledger(tmp_path, most_waiting=1000) as made:
        yield made


def quotes(folder: Path) -> list[str]:
    found = rows(folder, "SELECT quote_id FROM entry WHERE kind = 'quote' ORDER BY seq")
    return [row[0] for row in found]


def test_what_is_recorded_is_found_byte_for_byte(books: Ledger) -> None:
    one = entry("a")
    assert one.private is not None
    assert record(books, [one]) == [None]
    kept = asyncio.run(books.find("local", "a"))
    assert kept is not None
    assert (kept.reply, kept.body, kept.private) == (one.private.reply, one.body, one.private)
    assert asyncio.run(books.find("local", "b")) is None
    assert asyncio.run(books.find_keys("local", ["a", "b"])) == {"a": kept}


def test_another_tenants_quote_is_not_found(books: Ledger) -> None:
    record(books, [entry("a"), entry("b", key="a", tenant="other")])
    assert asyncio.run(books.find("other", "a")) is None
    found = asyncio.run(books.find_keys("other", ["a"]))
    assert [kept.quote_id for kept in found.values()] == ["b"]


def test_many_wait_for_one_commit_and_are_numbered_without_gaps(
    books: Ledger, tmp_path: Path
) -> None:
    record(books, [entry(str(number)) for number in range(700)])
    assert len(quotes(tmp_path)) == 700
    assert rows(tmp_path, "SELECT seq FROM entry ORDER BY seq") == [(at,) for at in range(701)]


def test_the_head_is_the_tree_of_the_leaves(books: Ledger, tmp_path: Path) -> None:
    record(books, [entry(str(number)) for number in range(600)])
    asyncio.run(books.checkpoint(601))
    edge = tree.Edge()
    for leaf, body in rows(tmp_path, "SELECT leaf, body FROM entry ORDER BY seq"):
        assert leaf == tree.leaf_hash(body)
        edge.add(leaf)
    assert books.store.reader.head() == edge == tree.edge(books.tiles, 601)
    assert rows(tmp_path, "SELECT level, idx FROM tile") == [(0, 0), (0, 1)]


def test_a_key_that_is_taken_costs_no_row_and_gets_what_is_recorded(
    books: Ledger, tmp_path: Path
) -> None:
    record(books, [entry("a", key="k")])
    kept = record(books, [entry("x"), entry("b", key="k"), entry("y"), entry("z", key="y")])
    assert [one and one.quote_id for one in kept] == [None, "a", None, "y"]
    assert quotes(tmp_path) == ["a", "x", "y"]


def test_an_id_that_is_taken_is_refused_and_the_ledger_recovers(
    books: Ledger, tmp_path: Path
) -> None:
    record(books, [entry("twice", key="1")])
    with pytest.raises(RefusedError) as refused:
        record(books, [entry("twice", key="2")])
    assert refused.value.problem.code == "not_recorded"
    until = time.monotonic() + 10
    while books.trouble and time.monotonic() < until:
        time.sleep(0.02)
    record(books, [entry("next")])
    assert quotes(tmp_path) == ["twice", "next"]


def test_a_queue_that_is_full_refuses(tmp_path: Path) -> None:
    async def crowd(books: Ledger) -> list[object]:
        waiting = [books.record(entry(str(number))) for number in range(50)]
        return [*await asyncio.gather(*waiting, return_exceptions=True)]

    with ledger(tmp_path, most_waiting=3) as books:
        outcomes = asyncio.run(crowd(books))
    refused = [one for one in outcomes if isinstance(one, RefusedError)]
    assert {one.problem.code for one in refused} == {"overloaded"}
    assert refused[0].headers["Retry-After"] == "1"
    assert len(quotes(tmp_path)) == 50 - len(refused)


@pytest.mark.parametrize("round_", range(3))
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, round_: int) -> None:
    told = killed(tmp_path, round_)
    assert len(told) > 100
    with ledger(tmp_path) as books:
        kept = set(quotes(tmp_path))
        assert told <= kept
        head = books.store.reader.head()
        assert tree.edge(books.tiles, head.size) == head
    seqs = rows(tmp_path, "SELECT seq FROM entry ORDER BY seq")
    assert seqs == [(at,) for at in range(len(seqs))]
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]


def killed(folder: Path, round_: int) -> set[str]:
    """Write with 64 writers, kill them all, and return what they were told is recorded."""
    command = [sys.executable, "-c", WRITER, str(folder), f"r{round_}"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environ)
    with writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline()]
        until = time.monotonic() + 0.3 + 0.1 * round_
        while time.monotonic() < until:
            acknowledged.append(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.read().splitlines(keepends=True)
    return {line.decode().strip() for line in acknowledged if line.endswith(b"\n")}


def test_a_second_process_may_not_write(books: Ledger, tmp_path: Path) -> None:
    second = opened(tmp_path, wait=0.3)
    assert "another process" in second.trouble
    with pytest.raises(RefusedError, match="another process"):
        record(second, [entry("a")])
    second.close()


def test_the_file_is_taken_over_when_the_first_lets_go(tmp_path: Path) -> None:
    first = opened(tmp_path)
    second = opened(tmp_path, wait=0.2)
    assert second.trouble
    first.close()
    assert second.wait_open(10)
    record(second, [entry("a")])
    second.close()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    kept = opened(tmp_path, store=SqliteStore(tmp_path / "file" / "ledger.db"), wait=0.3)
    assert "ledger.db" in kept.trouble
    kept.close()


def test_the_ledger_syncs_before_it_answers(books: Ledger) -> None:
    assert isinstance(books.store, SqliteStore)
    assert books.store.database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert books.store.database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_full_disk_refuses_and_loses_nothing(books: Ledger, tmp_path: Path) -> None:
    record(books, [entry("before")])
    assert isinstance(books.store, SqliteStore)
    (pages,) = books.store.database.execute("PRAGMA page_count").fetchone()
    books.store.database.execute(f"PRAGMA max_page_count = {pages + 2}")  # SQLite's own full disk
    with pytest.raises(RefusedError, match="full"):
        record(books, [entry(f"x{number}") for number in range(200)])
    assert asyncio.run(books.find("local", "before")) is not None  # reading goes on
    until = time.monotonic() + 10
    while books.trouble and time.monotonic() < until:
        time.sleep(0.02)
    record(books, [entry("after")])  # there is room again, as the limit was the connection's
    assert quotes(tmp_path)[-1] == "after"
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("table", ["entry", "tile", "checkpoint"])
def test_no_statement_alters_what_the_ledger_holds(tmp_path: Path, table: str) -> None:
    filled(tmp_path, 300)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        column = database.execute(f"PRAGMA table_info({table})").fetchone()[1]
        for sql in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.IntegrityError, match="is not altered"):
                database.execute(sql)


def test_every_checkpoint_is_signed_and_continues_the_last(books: Ledger) -> None:
    notes = []
    for number in range(12):
        record(books, [entry(f"{number}-{at}") for at in range(number * 7)])
        notes.append(asyncio.run(books.checkpoint()))
    signer = books._signer_of().verifier
    seen = [signer.check(note) for note in notes]
    assert {one.size for one in seen} <= set(books.store.reader.checkpoints())
    for older, newer in pairwise(seen):
        proof = tree.consistency(books.tiles, older.size, newer.size)
        tree.check_consistency(older.size, older.root, newer.size, newer.root, proof)


def test_rows_are_covered_by_a_checkpoint_within_a_second_or_two(books: Ledger) -> None:
    record(books, [entry("a")])
    until = time.monotonic() + 5
    while time.monotonic() < until:
        note = books.store.reader.checkpoint()
        if note and Checkpoint.parse(note).size == 2:
            return
        time.sleep(0.1)
    pytest.fail("the last quote is under no checkpoint")


def test_a_database_put_back_to_an_older_copy_is_not_continued(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    shutil.copy(tmp_path / "ledger.db", tmp_path / "older.db")
    with ledger(tmp_path) as books:
        record(books, [entry("later")])
    shutil.copy(tmp_path / "older.db", tmp_path / "ledger.db")
    books = opened(tmp_path, wait=0.3)
    assert "must have at least 7 entries" in books.trouble
    books.close()


def test_another_log_of_the_same_length_is_not_continued(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    shutil.copytree(tmp_path / "ledger", tmp_path / "other" / "ledger")
    (tmp_path / "other/ledger/checkpoint").unlink()
    filled(tmp_path / "other", 9)
    shutil.copy(tmp_path / "other/ledger.db", tmp_path / "ledger.db")
    books = opened(tmp_path, wait=0.3)
    assert "must begin as checkpoint says" in books.trouble
    books.close()


def test_another_key_may_not_sign(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    (tmp_path / "ledger/signing.key").unlink()
    books = opened(tmp_path, wait=0.3)
    assert "ledger rotate" in books.trouble
    books.close()


def test_tiles_that_a_crash_left_out_are_made_at_the_next_start(tmp_path: Path) -> None:
    filled(tmp_path, 600)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        before = database.execute("SELECT * FROM tile").fetchall()
        database.execute("DROP TRIGGER tile_no_delete")
        database.execute("DELETE FROM tile")
        database.commit()
    with ledger(tmp_path) as books:
        assert books.store.reader.tiles() == [(0, 0), (0, 1)]
    assert rows(tmp_path, "SELECT * FROM tile") == before


def test_the_tables_come_and_go_by_migrations(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/ledger.db")
    with engine.begin() as connection:
        migrate.upgrade(connection)
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    with engine.begin() as connection:
        migrate.downgrade(connection, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        assert inspect(connection).get_view_names() == []
    engine.dispose()
    filled(tmp_path, 1)
    assert quotes(tmp_path) == ["q0"]
