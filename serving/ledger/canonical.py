"""Documents in the one form in which they are hashed.

Keys are ASCII, numbers are whole; decimals are written as text. Within these limits orjson with
sorted keys writes exactly what RFC 8785 asks for, and sixty times as fast as a general writer
(docs/decisions/0019-the-ledger.md). What is hashed is kept as bytes, and never written again.
"""

from __future__ import annotations

from typing import Any

import orjson

MOST_WHOLE = 2**53 - 1


def canonical(document: Any) -> bytes:
    """Return a document's canonical bytes.

    Raises:
        TypeError: it holds a fraction, a key that is not ASCII, or something JSON has not.
        ValueError: it holds a whole number beyond 2**53 - 1.

    >>> canonical({"b": "0.10", "a": [1, None, True]})
    b'{"a":[1,null,true],"b":"0.10"}'
    """
    _check(document)
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _check(value: Any) -> None:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return
    if kind is int:
        if not -MOST_WHOLE <= value <= MOST_WHOLE:
            raise ValueError(f"a whole number must be within 2**53 - 1, however: {value}")
    elif kind is dict:
        for key, inner in value.items():
            if type(key) is not str or not key.isascii():
                raise TypeError(f"a key must be ASCII text, however: {key!r}")
            _check(inner)
    elif kind is list:
        for inner in value:
            _check(inner)
    else:
        raise TypeError(f"a hashed value must be text, whole, true, false or null: {value!r}")
