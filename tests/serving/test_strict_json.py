from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.problem import RefusedError
from serving.strict_json import MOST_LEVELS, parse

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=values)
def test_what_json_writes_is_read_back(value: Any) -> None:
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'[{"a":1},{"x":[{"b":1,"b":2}]}]',
        b'{"a":1,"\\u0061":2}',
        b'{"a:":"x:y:z","a:":2}',
        b'{"a":":","b":{"c":1,"c":":"}}',
        b'{"\\u003a":1,"\\u003a":"\\u003a\\u003a"}',
    ],
)
def test_a_key_that_comes_twice_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError, match="unique"):
        parse(body)


@given(value=values, key=st.text())
def test_a_key_that_comes_twice_is_refused_whatever_stands_beside_it(value: Any, key: str) -> None:
    name, rest = orjson.dumps(key), orjson.dumps(value)
    with pytest.raises(RefusedError, match="unique"):
        parse(b"[" + rest + b",{" + name + b":" + rest + b"," + name + b":" + rest + b"}]")


@pytest.mark.parametrize("body", [b'{"time":"12:30:00"}', b'{"a:b":"c:d"}', b'["::::"]'])
def test_colons_in_strings_are_no_keys(body: bytes) -> None:
    assert parse(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}x",
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b'{"a":01}',
        b"[" * 100_000,
        b"[" * 900 + b"]" * 900,
        b'{"a":' * (MOST_LEVELS + 1) + b"1" + b"}" * (MOST_LEVELS + 1),
    ],
)
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(body)
    assert refused.value.problem.code == "malformed_json"


def test_the_deepest_allowed_value_is_read() -> None:
    assert parse(b"[" * MOST_LEVELS + b"]" * MOST_LEVELS)
