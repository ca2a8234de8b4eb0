"""Callers who keep a real server waiting, say rubbish or go away; and an owner who stops it."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import pytest

from serving.ledger.audit import audit
from serving.ledger.sqlite import SqliteStore
from tests.serving.faulty import (
    BUSY_SECONDS,
    TIMEOUT_SECONDS,
    recorded,
    served,
    until,
)
from tests.serving.known_key import KEY
from tests.serving.test_service import GOOD, call, worker


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("callers")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with served(home) as made:
        yield made


@contextmanager
def line(url: str, *pieces: bytes, buffer: int = 0) -> Iterator[socket.socket]:
    """Yield a connection over which something was sent."""
    at = urlsplit(url)
    with socket.socket() as made:
        made.settimeout(2 * BUSY_SECONDS)
        if buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        made.connect((at.hostname, at.port))
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


def test_an_answer_that_nobody_reads_is_not_kept_for_ever(url: str) -> None:
    asked = f"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n\r\n"
    times = 8_000_000 // len(call(f"{url}/openapi.json")[2]) + 1  # more than any buffer holds
    with line(url, asked.encode() * times, buffer=4096) as made:
        port = made.getsockname()[1]

        def is_cut() -> bool:
            kept = worker(url).net_connections("tcp")
            return not any(
                one.raddr and one.raddr.port == port and one.status == psutil.CONN_ESTABLISHED
                for one in kept
            )

        assert not is_cut()
        assert call(f"{url}/v1/quotes", GOOD)[0] == 201
        until(is_cut)
        assert rest(made).count(b"HTTP/1.1 200") < times


def test_an_answer_that_is_read_slowly_comes_whole(url: str) -> None:
    asked = f"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n\r\n"
    whole = call(f"{url}/openapi.json")[2]
    with line(url, asked.encode(), buffer=4096) as made:
        came = b""
        while not came.endswith(whole[-64:]):
            came += made.recv(16_384)
            time.sleep(0.01)
    assert came.endswith(whole)


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
    with line(url, sent) as made:
        assert b" 50" not in rest(made)
    assert call(f"{url}/livez")[0] == 200


def test_a_body_without_end_is_refused_and_cut(url: str) -> None:
    chunked = head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with line(url, chunked) as made:
        for _ in range(10):
            with suppress(OSError):
                made.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        assert b" 413 " in rest(made)


def test_a_caller_who_hangs_up_leaves_a_whole_quote_or_none(url: str, home: Path) -> None:
    keys = [str(uuid4()) for _ in range(20)]
    for key in keys:
        with line(url, head(len(GOOD), key), GOOD):
            pass
    for key in keys:
        found = settled(f"{url}/v1/keys/{key}")
        again = settled(f"{url}/v1/quotes", GOOD, key)
        assert again[0] == 201
        assert found in {(404, found[1]), (200, again[1])}
    with closing(sqlite3.connect(f"file:{home}/ledger.db?mode=ro", uri=True)) as database:
        kept = [row[0] for row in database.execute("SELECT idem_key FROM entry")]
    assert [kept.count(key) for key in keys] == [1] * len(keys)


def settled(url: str, body: bytes | None = None, key: str = "") -> tuple[int, bytes]:
    """Return the answer once nobody else asks under the key."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key} if key else None
    answers: list[tuple[int, bytes]] = []

    def is_settled() -> bool:
        status, _, said = call(url, body, headers)
        answers.append((status, said))
        return status != 409

    until(is_settled)
    return answers[-1]


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
            until(lambda: len(given) >= 50)
            parent = worker(url).parent()
            assert parent is not None
            parent.send_signal(signal.SIGTERM)
            psutil.wait_procs([parent], timeout=2 * BUSY_SECONDS)
            statuses = set[int]().union(*(one.result(60) for one in asking))
    assert statuses <= {201, 503}
    assert set(given) <= recorded(tmp_path)
    store = SqliteStore(tmp_path / "ledger.db")
    assert audit(store.reader).faults == []
    store.close()
