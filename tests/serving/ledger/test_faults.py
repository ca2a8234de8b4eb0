"""Real servers whose disk, database, callers or owner fail them."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import psycopg
import pytest

from serving.ledger.audit import audit
from serving.ledger.postgres import PostgresStore
from serving.ledger.sqlite import SqliteStore
from tests.serving import known_key, small_model
from tests.serving.conftest import ROOT, running
from tests.serving.known_key import KEY
from tests.serving.ledger.cluster import Cluster
from tests.serving.test_service import GOOD, call, worker

TIMEOUT_SECONDS = 2.0
BUSY_SECONDS = 15.0  # where 1 s or 5 s are asked on a machine that is not busy


@contextmanager
def served(home: Path, **more: str) -> Iterator[str]:
    """Run a server with a home of its own."""
    small_model.write(home / "models")
    known_key.write(home)
    environ = {
        "SEEDRATE_VAR": str(home),
        "SEEDRATE_TRACKING_URI": "off",
        "SEEDRATE_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
        **more,
    }
    with running([sys.executable, "-m", "serving", "start"], environ, ROOT, home / "log") as url:
        until_ready(url)
        yield url


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faulty")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    """A server on a disk whose syncs fail while `home/bad` is there."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source, library = Path(__file__).with_name("disk.c"), home / "disk.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    with served(home, LD_PRELOAD=str(library), BAD_DISK=str(home / "bad")) as made:
        yield made


def until_ready(url: str) -> float:
    """Return the seconds until a server is ready."""
    began = time.monotonic()
    while call(f"{url}/readyz")[0] != 200:
        assert time.monotonic() < began + BUSY_SECONDS
        time.sleep(0.05)
    return time.monotonic() - began


def refuses(url: str) -> None:
    """Check that no price is given, and that the server says so, and lives.

    A disk that fails may keep the database of keys from being read, too.
    """
    began = time.monotonic()
    status, headers, body = call(f"{url}/v1/quotes", GOOD)
    assert status == 503
    assert json.loads(body)["code"] in {"not_recorded", "access_unavailable"}
    assert int(headers["Retry-After"]) >= 1
    while call(f"{url}/readyz")[0] == 200:
        assert time.monotonic() < began + BUSY_SECONDS
    assert call(f"{url}/livez")[0] == 200
    assert time.monotonic() < began + BUSY_SECONDS


def recorded(home: Path) -> set[str]:
    with closing(sqlite3.connect(f"file:{home}/ledger.db?mode=ro", uri=True)) as database:
        return {row[0] for row in database.execute("SELECT quote_id FROM entry")}


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
    until_ready(url)
    before = call(f"{url}/v1/quotes", GOOD)[2]
    with fault(url, home):
        refuses(url)
        refuses(url)
    until_ready(url)
    until = time.monotonic() + BUSY_SECONDS
    while (answer := call(f"{url}/v1/quotes", GOOD))[0] == 503 and time.monotonic() < until:
        time.sleep(0.1)
    assert answer[0] == 201
    assert {json.loads(body)["quote_id"] for body in (before, answer[2])} <= recorded(home)


@contextmanager
def line(url: str, *pieces: bytes) -> Iterator[socket.socket]:
    """Yield a connection over which something was sent."""
    at = urlsplit(url)
    with socket.create_connection((at.hostname or "", at.port or 0), timeout=60) as made:
        for piece in pieces:
            made.sendall(piece)
        yield made


def head(length: int, key: str = "") -> bytes:
    lines = (
        "POST /v1/quotes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json",
        f"Authorization: Bearer {KEY}\r\nIdempotency-Key: {key or uuid4()}",
        f"Content-Length: {length}\r\n\r\n",
    )
    return "\r\n".join(lines).encode()


def rest(made: socket.socket) -> bytes:
    """Return all that comes until the other side ends."""
    got = b""
    with suppress(ConnectionResetError):
        while piece := made.recv(65536):
            got += piece
    return got


def test_callers_who_keep_the_server_waiting_are_cut_and_others_are_answered(url: str) -> None:
    began = time.monotonic()
    with (
        line(url) as silent,
        line(url, b"POST /v1/quotes HTTP/1.1\r\nHost: loc") as slow_head,
        line(url, head(len(GOOD)), GOOD[:100]) as slow_body,
    ):
        assert call(f"{url}/v1/quotes", GOOD)[0] == 201
        assert b" 408 " in slow_body.recv(65536)
        for made in (silent, slow_head, slow_body):
            rest(made)
        assert time.monotonic() - began > TIMEOUT_SECONDS  # and not at once
        assert time.monotonic() - began < TIMEOUT_SECONDS + BUSY_SECONDS


def test_many_idle_connections_keep_nobody_out(url: str) -> None:
    at = urlsplit(url)
    many = [socket.create_connection((at.hostname or "", at.port or 0)) for _ in range(500)]
    try:
        assert call(f"{url}/v1/quotes", GOOD)[0] == 201
    finally:
        for one in many:
            one.close()


RUBBISH = [
    b"\x00\xff\x00\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"\x16\x03\x01rubbish\r\n\r\n",
    b"A" * 70_000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("sent", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_ends_its_own_connection_and_nothing_else(url: str, sent: bytes) -> None:
    with line(url, sent) as made, suppress(TimeoutError):
        made.settimeout(BUSY_SECONDS)
        assert b" 50" not in rest(made)
    assert call(f"{url}/livez")[0] == 200


def test_a_body_without_end_is_refused_and_cut(url: str) -> None:
    chunked = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with line(url, chunked) as made:
        for _ in range(10):
            with suppress(OSError):
                made.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        assert b" 413 " in rest(made)


def test_a_caller_who_hangs_up_leaves_a_whole_quote_or_none(url: str) -> None:
    keys = [str(uuid4()) for _ in range(20)]
    for key in keys:
        with line(url, head(len(GOOD), key), GOOD):
            pass
    until = time.monotonic() + BUSY_SECONDS
    answers = [call(f"{url}/v1/keys/{key}") for key in keys]
    while any(status == 409 for status, _, _ in answers) and time.monotonic() < until:
        answers = [call(f"{url}/v1/keys/{key}") for key in keys]
    for key, (status, _, body) in zip(keys, answers, strict=True):
        again = call(
            f"{url}/v1/quotes", GOOD, {"Content-Type": "application/json", "Idempotency-Key": key}
        )
        assert again[0] == 201
        assert status == 404 or again[2] == body


def test_a_server_that_is_told_to_stop_finishes_what_it_began(tmp_path: Path) -> None:
    given: list[str] = []
    with served(tmp_path) as url:

        def ask_on(_: int) -> set[int]:
            seen = set[int]()
            while True:
                try:
                    answer = call(f"{url}/v1/quotes", GOOD)
                except OSError:
                    return seen
                seen.add(answer[0])
                if answer[0] == 201:
                    given.append(json.loads(answer[2])["quote_id"])

        with ThreadPoolExecutor(8) as callers:
            asking = [callers.submit(ask_on, at) for at in range(8)]
            until = time.monotonic() + BUSY_SECONDS
            while len(given) < 50 and time.monotonic() < until:
                time.sleep(0.05)
            parent = worker(url).parent()
            assert parent is not None
            parent.send_signal(signal.SIGTERM)
            psutil.wait_procs([parent], timeout=2 * BUSY_SECONDS)
            statuses = set[int]().union(*(one.result(60) for one in asking))
    assert statuses <= {201, 503}
    assert len(given) >= 50
    assert set(given) <= recorded(tmp_path)
    store = SqliteStore(tmp_path / "ledger.db")
    assert audit(store.reader).faults == []
    store.close()


def test_without_postgresql_no_price_is_given_until_it_is_back(
    cluster: Cluster, database: str, tmp_path: Path
) -> None:
    given: list[str] = []
    with served(tmp_path, SEEDRATE_LEDGER=database) as url, ThreadPoolExecutor(4) as callers:
        over = threading.Event()

        def ask_on(_: int) -> set[int]:
            seen = set[int]()
            while not over.is_set():
                answer = call(f"{url}/v1/quotes", GOOD)
                seen.add(answer[0])
                if answer[0] == 201:
                    given.append(json.loads(answer[2])["quote_id"])
            return seen

        asking = [callers.submit(ask_on, at) for at in range(4)]
        try:
            time.sleep(1)
            cluster.stop()
            refuses(url)
            cluster.start()
            until_ready(url)
            before = len(given)
            assert call(f"{url}/v1/quotes", GOOD)[0] == 201
        finally:
            over.set()
            if cluster.process is None:
                cluster.start()
        statuses = set[int]().union(*(one.result(60) for one in asking))
    assert before > 0
    assert statuses == {201, 503}
    with psycopg.connect(database) as connection:
        kept = {row[0] for row in connection.execute("SELECT quote_id FROM entry")}
    assert set(given) <= kept
    store = PostgresStore(database)
    assert audit(store.reader).faults == []
    store.close()


def test_a_database_that_hangs_is_told_from_one_that_answers(
    cluster: Cluster, database: str, tmp_path: Path
) -> None:
    with served(tmp_path, SEEDRATE_LEDGER=database) as url:
        assert call(f"{url}/v1/quotes", GOOD)[0] == 201
        assert cluster.process is not None
        family = psutil.Process(cluster.process.pid)
        all_of_it = [family, *family.children(recursive=True)]
        for one in all_of_it:
            one.suspend()
        try:
            refuses(url)
        finally:
            for one in all_of_it:
                one.resume()
        until = time.monotonic() + BUSY_SECONDS
        while (status := call(f"{url}/v1/quotes", GOOD)[0]) == 503 and time.monotonic() < until:
            time.sleep(0.1)
        assert status == 201
