"""Bytes to one JSON value, or a refusal: no duplicate keys, no NaN, no depth, no bad UTF-8."""

from __future__ import annotations

import json
from typing import Any

import orjson

from serving.problem import MALFORMED_JSON, RefusedError

MOST_LEVELS = 16


def parse(body: bytes) -> Any:
    """Return the value that a body says.

    orjson refuses NaN, Infinity, numbers beyond a double, bad UTF-8, a byte order mark and lone
    surrogates, and keeps the last of two equal keys. Those are found by counting: a text without
    them has at least one colon a key kept, and one more for every key lost. So as many colons as
    keys prove that none was lost; where there are more, which may be colons inside strings, every
    object is looked at.

    Raises:
        RefusedError: with code `malformed_json`.

    >>> parse(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RefusedError(MALFORMED_JSON, f"the body must be JSON, however: {error}") from None
    if body.count(b":") != _keys(value, 1):
        _refuse_duplicates(body)
    return value


def _keys(value: Any, level: int) -> int:
    """Return the number of keys in a value and everything within it."""
    if level > MOST_LEVELS:
        raise RefusedError(
            MALFORMED_JSON, f"the body must nest at most {MOST_LEVELS} levels, however: more"
        )
    if type(value) is dict:
        count = len(value)
        children: Any = value.values()
    elif type(value) is list:
        count, children = 0, value
    else:
        return 0
    for child in children:
        if type(child) is dict or type(child) is list:
            count += _keys(child, level + 1)
    return count


def _refuse_duplicates(body: bytes) -> None:
    json.loads(body, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise RefusedError(
                MALFORMED_JSON, f"keys must be unique in an object, however: {key!r}"
            )
        seen.add(key)
