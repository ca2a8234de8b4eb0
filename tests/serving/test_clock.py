"""A real server whose clock is set forward and back by an hour while it quotes."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest

from serving.access.store import KeyStore
from serving.ledger.audit import audit
from serving.ledger.sqlite import SqliteStore
from tests.serving.faulty import preloaded, served
from tests.serving.known_key import HOUR
from tests.serving.ledger.books import rows
from tests.serving.test_service import GOOD, call

WHAT_IFS = 6  # a minute
Answer = tuple[int, bytes]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clock")


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    """A server whose clock is off by as many seconds as `home/off` says."""
    library = preloaded(Path(__file__).with_name("clock.c"), home)
    more = {"LD_PRELOAD": library, "CLOCK_OFF": str(home / "off")}
    with served(home, SEEDRATE_LIMIT_EXPLAIN=str(WHAT_IFS), **more) as made:
        yield made


@pytest.fixture(scope="module")
def ask(url: str, home: Path) -> Callable[..., Answer]:
    """Asks with a key that lives for three hours."""
    store = KeyStore(
        f"sqlite:///{home / 'access.db'}", home / "keys/pepper", time.time, secrets.token_bytes
    )
    scopes = frozenset({"price", "explain", "ledger:read"})
    shown = store.create("local", "long", scopes, int(time.time()) + 3 * HOUR).text
    store.close()

    def asked(path: str, body: bytes | None = None, name: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {shown}", "Content-Type": "application/json"}
        headers["Idempotency-Key"] = name or str(uuid4())
        status, _, said = call(url + path, body, headers)
        return status, said

    return asked


def when(answer: Answer) -> float:
    assert answer[0] == 201, answer
    return datetime.fromisoformat(json.loads(answer[1])["time"]).timestamp()


def test_an_hour_forth_and_back_changes_nothing_but_the_time_of_quotes(
    url: str, home: Path, ask: Callable[..., Answer]
) -> None:
    over = threading.Event()

    def ask_on(_: int) -> set[int]:
        seen = set[int]()
        while not over.is_set():
            seen |= {ask("/v1/quotes", GOOD)[0], ask("/readyz")[0]}
        return seen

    with ThreadPoolExecutor(2) as callers:
        asking = [callers.submit(ask_on, at) for at in range(2)]
        try:
            first = ask("/v1/quotes", GOOD, "k0")
            for number, off in enumerate((HOUR, -HOUR, 0), 1):
                while ask("/v1/what-if", GOOD)[0] != 429:
                    pass
                (home / "off").write_text(str(off))
                tried = [ask("/v1/what-if", GOOD)[0] for _ in range(WHAT_IFS)]
                assert 429 in tried  # the budget of a minute is not a new one
                moved = when(ask("/v1/quotes", GOOD, f"k{number}")) - time.time()
                assert abs(moved - off) < HOUR / 4  # the clock was set, and quotes are given
                short = call(f"{url}/v1/quotes", GOOD)[0]  # with a key that lives for an hour
                assert short == (401 if off > 0 else 201)
                assert ask("/v1/quotes", GOOD, "k0")[1] == first[1]
        finally:
            over.set()
        assert set[int]().union(*(one.result(60) for one in asking)) == {200, 201}
    seqs = rows(home, "SELECT idem_key FROM entry WHERE idem_key LIKE 'k_' ORDER BY seq")
    assert seqs == [("k0",), ("k1",), ("k2",), ("k3",)]
    store = SqliteStore(home / "ledger.db")
    assert audit(store.reader).faults == []
    store.close()
