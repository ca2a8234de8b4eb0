from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.ledger.canonical import canonical
from serving.ledger.commitment import commit, commit_all, field_salt

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))
KEYS = st.text(st.characters(max_codepoint=127))
PLAIN = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | WORDS
DOCUMENTS = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20
)


@settings(max_examples=500, deadline=None)
@given(DOCUMENTS)
def test_what_is_hashed_is_written_as_rfc_8785_writes_it(document: Any) -> None:
    assert canonical(document) == rfc8785.dumps(document)


@pytest.mark.parametrize(
    "value", [0.5, 1.0, 2**53, -(2**53), b"x", {"\u00e9": 1}, {1: 2}, object()]
)
def test_what_could_be_written_in_two_ways_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical({"within": [value]})


def test_a_commitment_is_the_hmac_of_the_fields_own_salt() -> None:
    inner = hmac.new(b"s" * 32, b"terms", hashlib.sha256).digest()
    assert field_salt(b"s" * 32, "terms") == inner
    expected = hmac.new(inner, b"value", hashlib.sha256).digest()
    assert commit(b"s" * 32, "terms", b"value") == expected
    assert commit_all(b"s" * 32, {"terms": b"value"}) == {"terms": expected.hex()}


def test_equal_values_of_two_rows_or_two_fields_look_unlike() -> None:
    seen = {commit(salt, field, b"x") for salt in (b"a", b"b") for field in ("terms", "project")}
    assert len(seen) == 4
