from __future__ import annotations

import secrets
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pricing.errors import InputError
from serving.access.credential import CredentialError, Why
from serving.access.key import Key
from serving.access.pepper import Pepper
from serving.access.store import KeyStore
from tests.serving.access.clock import Clock

PRICE = frozenset({"price"})
HOUR = 3600


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> KeyStore:
    return store_at(tmp_path, clock)


def store_at(folder: Path, clock: Clock, pepper: str = "pepper") -> KeyStore:
    url = f"sqlite:///{folder / 'access.db'}"
    return KeyStore(url, folder / "keys" / pepper, clock, secrets.token_bytes)


def made(store: KeyStore, client: str = "front", tenant: str = "bank") -> Key:
    return store.create(tenant, client, PRICE, int(store.now()) + HOUR)


def why_not(store: KeyStore, text: str) -> Why:
    with pytest.raises(CredentialError) as refused:
        store.check(text)
    return refused.value.why


def test_a_key_says_whose_it_is(store: KeyStore) -> None:
    record = store.check(made(store).text)
    assert (record.tenant, record.client, record.scopes) == ("bank", "front", PRICE)


def test_a_third_live_key_of_a_client_is_refused(store: KeyStore) -> None:
    first, second = made(store), made(store)
    with pytest.raises(InputError, match="2 live keys"):
        made(store)
    made(store, client="back")
    made(store, tenant="other")
    store.revoke(first.id)
    store.check(second.text)
    store.check(made(store).text)


def test_of_many_at_once_two_get_a_key(tmp_path: Path, clock: Clock) -> None:
    made(store_at(tmp_path, clock), client="another")

    def one_more(_: int) -> bool:
        try:
            made(store_at(tmp_path, clock))
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(8) as crowd:
        assert sum(crowd.map(one_more, range(8))) == 2


def test_a_key_that_has_expired_opens_nothing_and_makes_room(store: KeyStore, clock: Clock) -> None:
    key, _ = made(store), made(store)
    clock.at += HOUR - 1
    store.check(key.text)
    clock.at += 1
    assert why_not(store, key.text) is Why.EXPIRED
    store.check(made(store).text)
    assert [one.state(clock()) for one in store.list()] == ["expired", "expired", "live"]


def test_a_revoked_key_opens_nothing_ever_again(store: KeyStore, clock: Clock) -> None:
    key = made(store)
    when = store.revoke(key.id).revoked
    clock.at += 10
    assert store.revoke(key.id).revoked == when
    assert why_not(store, key.text) is Why.REVOKED


def test_only_a_key_that_is_there_can_be_revoked(store: KeyStore) -> None:
    with pytest.raises(InputError, match="must be the id of a key"):
        store.revoke("aaaaaaaa")


def test_a_made_up_key_with_a_sound_check_opens_nothing(store: KeyStore) -> None:
    key = made(store)
    forged = Key(key.id, Key.made(secrets.token_bytes).secret)
    assert Key.read(forged.text) == forged
    assert why_not(store, forged.text) is Why.WRONG_SECRET
    assert why_not(store, Key.made(secrets.token_bytes).text) is Why.UNKNOWN
    assert why_not(store, key.text[:-1] + "g") is Why.MALFORMED


def test_another_pepper_opens_nothing(store: KeyStore, tmp_path: Path, clock: Clock) -> None:
    key = made(store)
    other = store_at(tmp_path, clock, pepper="other")
    assert why_not(other, key.text) is Why.UNKNOWN  # there is none
    Pepper.made(other.pepper, secrets.token_bytes)
    assert why_not(other, key.text) is Why.WRONG_SECRET


def test_neither_the_secret_nor_a_plain_digest_of_it_is_stored(
    store: KeyStore, tmp_path: Path
) -> None:
    import hashlib

    key = made(store)
    stored = (tmp_path / "access.db").read_bytes()
    assert key.id.encode() in stored
    assert key.secret.encode() not in stored
    assert hashlib.sha256(key.secret.encode()).digest() not in stored
    pepper = (tmp_path / "keys" / "pepper").read_bytes()
    assert Pepper(pepper).digest(key.secret) in stored


def test_database_and_pepper_are_their_owners_alone(store: KeyStore, tmp_path: Path) -> None:
    made(store)
    for file in (tmp_path / "access.db", tmp_path / "keys" / "pepper"):
        assert file.stat().st_mode & 0o077 == 0


def test_a_pepper_that_others_can_read_is_refused(store: KeyStore, tmp_path: Path) -> None:
    key = made(store)
    store.pepper.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        store.check(key.text)


def test_a_pepper_is_made_once(tmp_path: Path) -> None:
    first = Pepper.made(tmp_path / "pepper", secrets.token_bytes)
    assert Pepper.made(tmp_path / "pepper", secrets.token_bytes) == first
    assert first.secret.hex() not in repr(first)
    assert str(first.secret) not in repr(first)


def test_the_last_use_is_noted_once_a_minute(store: KeyStore, clock: Clock) -> None:
    key = made(store)
    for step, noted in ((0, 0), (30, 0), (31, 61)):
        clock.at += step
        store.touch(store.check(key.text))
        assert store.list()[0].used == int(Clock().at) + noted


def test_every_change_is_a_new_revision(store: KeyStore, tmp_path: Path) -> None:
    assert store.revision() == 0
    key = made(store)
    before = store.revision()
    store.check(key.text)
    assert store.revision() == before
    with sqlite3.connect(tmp_path / "access.db") as another_process:
        another_process.execute("UPDATE access_key SET revoked = 1")
    another_process.close()
    assert store.revision() != before
