from __future__ import annotations

from dataclasses import replace

import pytest

from features.column import Direction, Kind
from features.sets import load
from tests.bank import TOML

NUMBER = next(column for column in load(TOML).columns if column.kind is Kind.NUMBER)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (None, None, "a finite number"),
        (0.0, None, "a finite number of at least 0"),
        (None, 2.5, "a finite number of at most 2.5"),
        (-1.0, 1e7, "a finite number from -1 to 10000000"),
    ],
)
def test_a_range_is_said_in_words(low: float | None, high: float | None, expected: str) -> None:
    assert replace(NUMBER, low=low, high=high).expected == expected


def test_directions_are_lightgbm_s_signs() -> None:
    assert [direction.sign for direction in Direction] == [1, -1, 0]
