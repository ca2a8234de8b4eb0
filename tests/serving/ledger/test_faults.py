"""Disks, databases and clocks that fail the ledger."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import resource
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from serving.access.caller import LOCAL
from serving.ledger.audit import audit
from serving.ledger.postgres import PostgresStore
from serving.ledger.sqlite import SqliteStore
from serving.problem import RefusedError
from serving.quote_id import uuid7
from tests.serving.fakes import NOON, desk, request
from tests.serving.faulty import (
    BUSY_SECONDS,
    preloaded,
    quoted,
    recorded,
    served,
    until,
    until_ready,
)
from tests.serving.ledger.books import entry, filled, ledger, opened, record, rows
from tests.serving.ledger.cluster import Cluster
from tests.serving.test_service import GOOD, call, worker


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faulty")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    """A server on a disk whose syncs fail while `home/bad` is there."""
    library = preloaded(Path(__file__).with_name("disk.c"), home)
    with served(home, LD_PRELOAD=library, BAD_DISK=str(home / "bad")) as made:
        yield made


def refuses(url: str) -> None:
    """Check that no price is given, and that the server says so, and lives.

    A disk that fails may keep the database of keys from being read, too.
    """
    status, headers, body = call(f"{url}/v1/quotes", GOOD)
    assert status == 503
    assert json.loads(body)["code"] in {"not_recorded", "access_unavailable"}
    assert int(headers["Retry-After"]) >= 1
    until(lambda: call(f"{url}/readyz")[0] == 503)
    assert call(f"{url}/livez")[0] == 200


@contextmanager
def a_bad_sync(url: str, home: Path) -> Iterator[None]:
    (home / "bad").touch()
    try:
        yield
    finally:
        (home / "bad").unlink()


@contextmanager
def a_full_disk(url: str, home: Path) -> Iterator[None]:
    """Let no file of the worker grow."""
    process = worker(url)
    before = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        process.rlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("fault", [a_bad_sync, a_full_disk])
def test_a_disk_that_fails_gives_no_price_and_is_taken_up_again(
    url: str, home: Path, fault: Callable[[str, Path], AbstractContextManager[None]]
) -> None:
    before = quoted(url)
    with fault(url, home):
        refuses(url)
        refuses(url)
    until_ready(url)
    assert {json.loads(body)["quote_id"] for body in (before, quoted(url))} <= recorded(home)


@contextmanager
def nobody(folder: Path) -> Iterator[None]:
    """Be somebody whom a folder's modes bind: root goes where it likes."""
    if os.geteuid() != 0:
        yield
        return
    own = pwd.getpwnam("nobody").pw_uid
    for path in (folder, *folder.rglob("*")):
        os.chown(path, own, -1)
    os.seteuid(own)
    try:
        yield
    finally:
        os.seteuid(0)


def writable(folder: Path, yes: bool) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod((0o700 if yes else 0o500) if path.is_dir() else (0o600 if yes else 0o400))


def test_a_ledger_that_may_only_be_read_takes_nothing_until_it_may_be_written() -> None:
    with tempfile.TemporaryDirectory(prefix="seedrate-", dir="/var/tmp") as name:
        folder = Path(name)
        filled(folder, 3)
        with nobody(folder):
            writable(folder, False)
            books = opened(folder, wait=0.5)
            try:
                assert "must be ours to write" in books.trouble
                with pytest.raises(RefusedError, match="must be ours to write") as refused:
                    record(books, [entry("q3")])
                assert refused.value.problem.status == 503
                writable(folder, True)
                assert books.wait_open(BUSY_SECONDS)
                record(books, [entry("q3")])
            finally:
                books.close()
                writable(folder, True)
        store = SqliteStore(folder / "ledger.db")
        assert audit(store.reader).faults == []
        store.close()
        assert len(rows(folder, "SELECT 1 FROM entry WHERE kind = 'quote'")) == 4


HOUR = timedelta(hours=1)
JUMPS = [NOON, NOON + HOUR, NOON - HOUR, NOON, NOON, NOON - HOUR, NOON + HOUR]


def test_order_is_that_of_numbers_whatever_the_clock_says(tmp_path: Path) -> None:
    clock = {"at": NOON}
    with ledger(tmp_path) as books:
        jumpy = replace(
            desk(books),
            now=lambda: clock["at"],
            new_id=lambda now: uuid7(now, secrets.token_bytes),
        )

        def quote(at: datetime, key: str) -> bytes:
            clock["at"] = at
            return asyncio.run(jumpy.quote(request(reference=key), LOCAL, key)).body

        given = [quote(at, f"k{number}") for number, at in enumerate(JUMPS)]
        again = [quote(at, f"k{number}") for number, at in reversed([*enumerate(JUMPS)])]
        found = audit(books.store.reader)
    ids = [json.loads(body)["quote_id"] for body in given]
    kept = rows(tmp_path, "SELECT seq, quote_id FROM entry WHERE kind = 'quote' ORDER BY seq")
    assert kept == [*enumerate(ids, start=kept[0][0])]
    assert len(set(ids)) == len(JUMPS)
    assert again == given[::-1]
    assert found.faults == []


@pytest.fixture(scope="module")
def far(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server whose ledger is in PostgreSQL, and the address of the database."""
    database = cluster.database()
    with served(tmp_path_factory.mktemp("far"), SEEDRATE_LEDGER=database) as url:
        yield url, database


def test_without_postgresql_no_price_is_given_until_it_is_back(
    cluster: Cluster, far: tuple[str, str]
) -> None:
    url, database = far
    given: list[str] = []
    over = threading.Event()

    def ask_on(_: int) -> set[int]:
        seen = set[int]()
        while not over.is_set():
            answer = call(f"{url}/v1/quotes", GOOD)
            seen.add(answer[0])
            if answer[0] == 201:
                given.append(json.loads(answer[2])["quote_id"])
        return seen

    with ThreadPoolExecutor(4) as callers:
        asking = [callers.submit(ask_on, at) for at in range(4)]
        try:
            until(lambda: len(given) > 4)
            cluster.stop()
            refuses(url)
            cluster.start()
            until_ready(url)
            quoted(url)
        finally:
            over.set()
            if cluster.process is None:
                cluster.start()
        statuses = set[int]().union(*(one.result(60) for one in asking))
    assert statuses == {201, 503}
    with psycopg.connect(database) as connection:
        kept = {row[0] for row in connection.execute("SELECT quote_id FROM entry")}
    assert set(given) <= kept
    store = PostgresStore(database)
    assert audit(store.reader).faults == []
    store.close()


def test_a_database_that_hangs_is_told_from_one_that_answers(
    cluster: Cluster, far: tuple[str, str]
) -> None:
    url, _ = far
    quoted(url)
    cluster.freeze()
    try:
        refuses(url)
    finally:
        cluster.thaw()
    until_ready(url)  # though nobody asks for a quote
    quoted(url)


def test_a_server_of_which_nothing_is_asked_says_that_its_database_is_away(
    cluster: Cluster, far: tuple[str, str]
) -> None:
    url, _ = far
    quoted(url)
    cluster.kill()
    try:
        until(lambda: call(f"{url}/readyz")[0] == 503)
        assert call(f"{url}/livez")[0] == 200
    finally:
        cluster.start()
    until_ready(url)
    status, _, _ = call(f"{url}/v1/quotes", GOOD)
    assert status == 201  # and not the connection of before
