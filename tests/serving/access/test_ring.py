from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from serving.access.caller import Caller
from serving.access.credential import CredentialError, Why
from serving.access.ring import CACHE_SECONDS, KeyRing
from serving.access.store import KeyRecord, KeyStore
from serving.problem import RefusedError
from tests.serving.access.clock import Clock
from tests.serving.access.test_store import PRICE, made, store_at


@dataclass(frozen=True)
class CountingStore(KeyStore):
    """A real store that remembers what it was asked, and whose file may be a server's."""

    asked: list[str] = field(default_factory=list)
    changes_are_seen: bool = True

    def check(self, text: str) -> KeyRecord:
        self.asked.append(text)
        return super().check(text)

    def revision(self) -> int:
        return super().revision() if self.changes_are_seen else 0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> CountingStore:
    plain = store_at(tmp_path, clock)
    return CountingStore(plain.url, plain.pepper, clock, secrets.token_bytes)


@pytest.fixture
def ring(store: CountingStore, clock: Clock) -> Iterator[KeyRing]:
    made_ring = KeyRing(store, clock)
    yield made_ring
    made_ring.close()


def ask(ring: KeyRing, text: str) -> Caller:
    return asyncio.run(ring.caller(text.encode()))


def settle(ring: KeyRing) -> None:
    """Wait until the last use has been noted, which is a change too."""
    ring._thread.submit(lambda: None).result()


def test_a_key_is_believed_for_some_seconds_without_asking(
    store: CountingStore, ring: KeyRing, clock: Clock
) -> None:
    key = made(store)
    assert ask(ring, key.text) == Caller("bank", "front", PRICE)
    settle(ring)
    ask(ring, key.text)
    asked = len(store.asked)
    for _ in range(5):
        ask(ring, key.text)
    assert len(store.asked) == asked
    clock.at += CACHE_SECONDS
    ask(ring, key.text)
    assert len(store.asked) == asked + 1


def test_a_revocation_by_another_process_holds_from_the_next_request_on(
    store: CountingStore, ring: KeyRing, tmp_path: Path, clock: Clock
) -> None:
    key = made(store)
    ask(ring, key.text)
    settle(ring)
    ask(ring, key.text)
    store_at(tmp_path, clock).revoke(key.id)
    with pytest.raises(CredentialError) as refused:
        ask(ring, key.text)
    assert refused.value.why is Why.REVOKED


def test_beside_a_database_server_a_revocation_holds_after_five_seconds(
    tmp_path: Path, clock: Clock
) -> None:
    plain = store_at(tmp_path, clock)
    store = CountingStore(
        plain.url, plain.pepper, clock, secrets.token_bytes, changes_are_seen=False
    )
    ring, key = KeyRing(store, clock), made(store)
    ask(ring, key.text)
    store.revoke(key.id)
    clock.at += CACHE_SECONDS - 0.01
    ask(ring, key.text)
    clock.at += 0.01
    with pytest.raises(CredentialError):
        ask(ring, key.text)
    ring.close()


def test_what_was_refused_is_asked_again(store: CountingStore, ring: KeyRing) -> None:
    key = made(store)
    for _ in range(2):
        with pytest.raises(CredentialError):
            ask(ring, key.text[:-1] + "g")
    assert len(store.asked) == 2
    ask(ring, key.text)


def test_a_store_that_cannot_be_asked_lets_nobody_in(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "access.db").mkdir()
    ring = KeyRing(store_at(tmp_path, clock), clock)
    with pytest.raises(RefusedError) as refused:
        ask(ring, made(store_at(tmp_path / "elsewhere", clock)).text)
    assert (refused.value.problem.code, refused.value.problem.status) == ("access_unavailable", 503)
    assert refused.value.headers == {"Retry-After": "5"}
    ring.close()


def test_the_last_use_is_noted_behind_the_request(store: CountingStore, ring: KeyRing) -> None:
    key = made(store)
    assert store.list()[0].used is None
    ask(ring, key.text)
    settle(ring)
    assert store.list()[0].used == int(store.now())
