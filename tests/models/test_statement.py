from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from models import keys, statement
from models.keys import TRUSTED, SigningKey, Trusted
from models.statement import Statement
from pricing.errors import ModelError

TOLD = Statement(
    act="promoted",
    model="seedrate",
    version="3",
    digest="a" * 64,
    alias="champion",
    turn=2,
    gates="b" * 64,
    who="ann",
    when="2026-01-01T12:00:00+00:00",
    why="yearly refit, 年度",
    override="risk committee",
    failed=("AUC must be above 0, however: -1",),
)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return keys.create(tmp_path_factory.mktemp("ann"), "ann")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return keys.create(tmp_path_factory.mktemp("eve"), "eve")


@pytest.fixture
def trusted(key: SigningKey, tmp_path: Path) -> Trusted:
    (tmp_path / TRUSTED).write_text(key.line)
    return keys.trusted(tmp_path / TRUSTED)


def altered(signed: str, name: str, value: object) -> str:
    """Return a signed statement with one word changed, and the signature kept."""
    envelope = json.loads(signed)
    told = {**json.loads(envelope["statement"]), name: value}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return json.dumps({**envelope, "statement": text})


def test_what_was_signed_comes_back(key: SigningKey, trusted: Trusted) -> None:
    signed = statement.sign(TOLD, key)
    assert statement.verify(signed, trusted) == TOLD
    named = {"model": "seedrate", "alias": "champion", "digest": "a" * 64}
    assert statement.demand(signed, trusted, **named) == TOLD


def test_the_signed_text_is_canonical() -> None:
    text = TOLD.text()
    assert text.startswith('{"act":"promoted","alias":"champion","digest":"aaaa')
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert "年度" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("digest", "c" * 64),
        ("alias", "challenger"),
        ("version", "4"),
        ("when", "2027-01-01T12:00:00+00:00"),
        ("override", None),
        ("why", "another"),
    ],
)
def test_an_altered_statement_is_refused(
    key: SigningKey, trusted: Trusted, name: str, value: object
) -> None:
    with pytest.raises(ModelError, match="it was altered"):
        statement.verify(altered(statement.sign(TOLD, key), name, value), trusted)


def test_an_altered_signature_is_refused(key: SigningKey, trusted: Trusted) -> None:
    envelope = json.loads(statement.sign(TOLD, key))
    spoilt = bytearray(base64.b64decode(envelope["signature"]))
    spoilt[0] ^= 1
    envelope["signature"] = base64.b64encode(spoilt).decode()
    with pytest.raises(ModelError, match="it was altered"):
        statement.verify(json.dumps(envelope), trusted)


def test_a_foreign_key_is_refused_also_under_a_trusted_name(
    key: SigningKey, foreign: SigningKey, trusted: Trusted
) -> None:
    signed = statement.sign(TOLD, foreign)
    with pytest.raises(ModelError, match="signed by a trusted key"):
        statement.verify(signed, trusted)
    posing = json.dumps({**json.loads(signed), "key": key.fingerprint})
    with pytest.raises(ModelError, match="signed by another"):
        statement.verify(posing, trusted)
    with pytest.raises(ModelError, match=r"trusted key \(none\)"):
        statement.verify(signed, {})


@pytest.mark.parametrize(
    "signed", ["", "{", "[]", "null", "{}", '{"key": 1, "statement": 2, "signature": 3}']
)
def test_what_is_no_signed_statement_is_refused(trusted: Trusted, signed: str) -> None:
    with pytest.raises(ModelError, match="must be"):
        statement.verify(signed, trusted)


@pytest.mark.parametrize("text", ["{}", "[]", "1", '{"failed": 1}'])
def test_a_signed_text_that_is_no_statement_is_refused(
    key: SigningKey, trusted: Trusted, text: str
) -> None:
    signature = base64.b64encode(key.sign(statement.PURPOSE + text.encode())).decode()
    signed = {"key": key.fingerprint, "signature": signature, "statement": text}
    with pytest.raises(ModelError, match="must be complete"):
        statement.verify(json.dumps(signed), trusted)


def test_a_signature_made_for_another_purpose_is_none(key: SigningKey, trusted: Trusted) -> None:
    text = TOLD.text()
    signature = base64.b64encode(key.sign(text.encode())).decode()
    signed = {"key": key.fingerprint, "signature": signature, "statement": text}
    with pytest.raises(ModelError, match="it was altered"):
        statement.verify(json.dumps(signed), trusted)


@pytest.mark.parametrize("name", ["model", "alias", "digest"])
def test_a_statement_of_another_model_lets_nothing_serve(
    key: SigningKey, trusted: Trusted, name: str
) -> None:
    others = {
        "model": replace(TOLD, model="other"),
        "alias": replace(TOLD, alias="other"),
        "digest": replace(TOLD, digest="other"),
    }
    signed = statement.sign(others[name], key)
    with pytest.raises(ModelError, match=f"the signed {name} must be .*, however: other"):
        statement.demand(signed, trusted, model=TOLD.model, alias=TOLD.alias, digest=TOLD.digest)
