"""Sound requests, spoiled by chance: what a caller's bug sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

MOST_CHANGES = 3
Path = tuple[str | int, ...]


def nested(levels: int) -> Any:
    """Return lists within lists."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


EXTREMES = (
    0, -0.0, -1, 1e-320, 5e-324, 1e308, -1e308, 2**53, 2**63, -(2**63) - 1, 2**64, 10**400,
    float("nan"), float("inf"), -float("inf"), 0.1 + 0.2, 1e15, 1e15 + 1, 0.005,
)  # fmt: skip
TEXTS = (
    "", " ", "\x00", "\ud800", "\ufeff", "\u202e", "\U0001f4b6", "e\u0301", "NaN", "1e3", "0x10",
    "1,5", "-1", "true", "null", "2026-02-30", "2026-11-24T00:00:00Z", "9999-12-31", "0001-01-01",
    "../../etc/passwd", "'; DROP TABLE entry; --", "{{7*7}}", "${jndi:ldap://x}", "<script>", "%n",
    "x" * 5000, "\u4e2d" * 3000,
)  # fmt: skip
SHAPES: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": None},
    nested(15),
    nested(17),
    nested(400),
)
PLAIN = st.one_of(
    st.sampled_from(EXTREMES),
    st.sampled_from(TEXTS),
    st.sampled_from(SHAPES),
    st.integers(),
    st.floats(),
    st.text(max_size=50),
)
HUGE = st.builds(
    lambda one, many: [one] * many,
    st.sampled_from([*EXTREMES, None, "", "x"]),
    st.sampled_from([100, 2000, 20_000]),
)
JUNK = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


def places(value: Any, above: Path = ()) -> Iterator[Path]:
    """Give the place of everything in a document, the document itself left out."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for name, child in inside:
        yield (*above, name)
        if isinstance(child, dict | list):
            yield from places(child, (*above, name))


def at(document: Any, place: Path) -> Any:
    """Return what lies at a place."""
    for name in place:
        document = document[name]
    return document


def replaced(draw: Callable[..., Any], document: Any, place: Path) -> None:
    """Put something else there."""
    at(document, place[:-1])[place[-1]] = deepcopy(draw(JUNK))


def filled(draw: Callable[..., Any], document: Any, place: Path) -> None:
    """Put a long list there."""
    at(document, place[:-1])[place[-1]] = draw(HUGE)


def worded(draw: Callable[..., Any], document: Any, place: Path) -> None:
    """Write a number as a text, and a text as a list."""
    old = at(document, place)
    new = [old] if isinstance(old, str) else json.dumps(old)
    at(document, place[:-1])[place[-1]] = new


def moved(draw: Callable[..., Any], document: Any, place: Path) -> None:
    """Make a number much larger, smaller or negative; leave all else."""
    old = at(document, place)
    if isinstance(old, int | float) and not isinstance(old, bool) and not abs(old) >= 2**64:
        factor = draw(st.sampled_from([-1, 0, 0.5, 0.999, 1.001, 2, 10, 1e6, 1e-9, 1e300]))
        at(document, place[:-1])[place[-1]] = old * factor


def gone(draw: Callable[..., Any], document: Any, place: Path) -> None:
    """Take it away."""
    del at(document, place[:-1])[place[-1]]


def joined(draw: Callable[..., Any], document: Any, place: Path) -> None:
    """Put something beside it, under a name that is not expected there."""
    beside = at(document, place[:-1])
    if isinstance(beside, dict):
        beside[draw(st.sampled_from(TEXTS) | st.text(max_size=20))] = deepcopy(draw(JUNK))


CHANGES = (replaced, replaced, moved, moved, worded, gone, joined, filled)


@st.composite
def spoiled(draw: Callable[..., Any], examples: Sequence[Any]) -> bytes:
    """Draw an example with some changes, written as JSON, and sometimes as nearly JSON."""
    document = deepcopy(draw(st.sampled_from(examples)))
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        if there := [*places(document)]:
            draw(st.sampled_from(CHANGES))(draw, document, draw(st.sampled_from(there)))
    text = json.dumps(document, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    last: Callable[..., bytes] = draw(st.sampled_from([whole, whole, whole, twice, cut, scratched]))
    return last(draw, text)


def whole(draw: Callable[..., Any], text: bytes) -> bytes:
    """Leave it."""
    return text


def twice(draw: Callable[..., Any], text: bytes) -> bytes:
    """Say the first name of an object twice."""
    name, colon, rest = text.partition(b": ")
    own = name[name.rfind(b'"', 0, -1) :]
    return name + colon + b"1, " + own + colon + rest


def cut(draw: Callable[..., Any], text: bytes) -> bytes:
    """End it early."""
    return text[: draw(st.integers(0, len(text)))]


def scratched(draw: Callable[..., Any], text: bytes) -> bytes:
    """Put some bytes in the place of one."""
    where = draw(st.integers(0, len(text)))
    other: bytes = draw(st.binary(max_size=4))
    return text[:where] + other + text[where + 1 :]
