from __future__ import annotations

import secrets

import pytest

from serving.access.key import Key


def test_a_key_is_read_back_from_its_text() -> None:
    key = Key.made(secrets.token_bytes)
    assert Key.read(key.text) == key
    assert len(key.secret) == 43  # base64 of 256 bits


def test_no_two_keys_are_alike() -> None:
    assert len({Key.made(secrets.token_bytes).text for _ in range(1000)}) == 1000


def test_a_key_shows_its_id_and_no_more() -> None:
    key = Key.made(secrets.token_bytes)
    assert key.secret not in f"{key!r} {key}"


@pytest.mark.parametrize("at", range(8, 69))
def test_one_wrong_letter_is_noticed_without_the_store(at: int) -> None:
    text = Key.made(secrets.token_bytes).text
    other = "b" if text[at] != "b" else "c"
    assert Key.read(text[:at] + other + text[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", "sr_live_", "x" * 69, "sr_live_" + "a" * 9999, "sr_livé"])
def test_what_is_no_key_is_none(text: str) -> None:
    assert Key.read(text) is None
