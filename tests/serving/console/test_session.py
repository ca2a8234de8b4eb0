"""How long a session lasts, what is stored of it, and how many keys one may try."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from serving.access.store import KeyStore
from serving.console.session import (
    FAILURE_SECONDS,
    IDLE_SECONDS,
    MOST_FAILURES,
    WHOLE_SECONDS,
    Sessions,
    Throttle,
)
from serving.problem import RefusedError
from tests.serving.access.clock import Clock

DAYS = 86_400


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Iterator[Sessions]:
    url, pepper = f"sqlite:///{tmp_path / 'access.db'}", tmp_path / "keys" / "pepper"
    made = Sessions(KeyStore(url, pepper, clock, secrets.token_bytes), clock, secrets.token_bytes)
    yield made
    made.close()


def begun(sessions: Sessions, clock: Clock) -> str:
    key = sessions._keys.create("bank", "ann", frozenset({"console:read"}), int(clock()) + DAYS)
    return asyncio.run(sessions.begin(key.text))[0]


def test_a_session_in_use_lasts_its_whole_time_and_no_longer(
    sessions: Sessions, clock: Clock
) -> None:
    cookie, step = begun(sessions, clock), IDLE_SECONDS - 60
    for passed in range(step, WHOLE_SECONDS + 2 * step, step):
        clock.at += step
        caller = asyncio.run(sessions.caller(cookie))
        assert (caller is not None) == (passed < WHOLE_SECONDS)
        assert caller is None or (caller.tenant, caller.client) == ("bank", "ann")


def test_a_session_without_use_ends(sessions: Sessions, clock: Clock) -> None:
    cookie = begun(sessions, clock)
    clock.at += IDLE_SECONDS - 1
    assert asyncio.run(sessions.caller(cookie)) is not None
    clock.at += IDLE_SECONDS
    assert asyncio.run(sessions.caller(cookie)) is None


def test_of_a_session_its_digest_is_stored_and_the_old_ones_go(
    sessions: Sessions, clock: Clock, tmp_path: Path
) -> None:
    cookie = begun(sessions, clock)
    assert cookie.encode() not in (tmp_path / "access.db").read_bytes()
    clock.at += IDLE_SECONDS + 1
    begun(sessions, clock)
    with closing(sqlite3.connect(tmp_path / "access.db")) as database:
        assert database.execute("SELECT count(*) FROM console_session").fetchone() == (1,)


def test_wrong_keys_are_throttled_by_address(clock: Clock) -> None:
    throttle = Throttle(clock)
    for _ in range(MOST_FAILURES):
        throttle.check("10.0.0.1")
        throttle.failed("10.0.0.1")
    with pytest.raises(RefusedError, match="at most 10 wrong keys"):
        throttle.check("10.0.0.1")
    throttle.check("10.0.0.2")
    clock.at += FAILURE_SECONDS
    throttle.check("10.0.0.1")
