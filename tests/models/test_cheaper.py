"""The search for cheaper alternatives, against every project of a small grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.column import Column, ColumnSet, Direction, Kind, Outcome
from models.cheaper import (
    LEAST_SAVING,
    MOST,
    PAIRED,
    SHARES,
    Alternative,
    Price,
    cheaper,
    is_whole,
    moves,
)
from models.peers import Peers

TEXTS: dict[str, Any] = dict.fromkeys(
    "unit group source label label_zh meaning meaning_zh".split(), ""
)
COLUMNS = (
    Column(
        "runway", Kind.NUMBER, low=0, high=60, direction=Direction.LOWERS, movable=True, **TEXTS
    ),
    Column("patents", Kind.COUNT, low=0, high=9, movable=True, **TEXTS),
    Column("debt", Kind.RATIO, low=0, high=2, direction=Direction.RAISES, movable=True, **TEXTS),
    Column("pledged", Kind.FLAG, direction=Direction.LOWERS, movable=True, **TEXTS),
    Column("schedule", Kind.CATEGORY, levels=("a", "b", "c"), movable=True, **TEXTS),
    Column("term", Kind.NUMBER, low=1, high=120, terms="term_months", movable=True, **TEXTS),
    Column("age", Kind.NUMBER, low=0, high=60, direction=Direction.LOWERS, **TEXTS),
)
SET = ColumnSet(
    name="small",
    version="1",
    title="",
    currency="EUR",
    columns=COLUMNS,
    groups={},
    sources={},
    age_edges_months=(0, 12),
    outcome=Outcome("", "", "", ""),
)
RNG = np.random.default_rng(3)
BACKGROUND = np.column_stack(
    [
        RNG.uniform(0, 60, 80),
        RNG.integers(0, 10, 80),
        RNG.uniform(0, 2, 80),
        RNG.integers(0, 2, 80),
        RNG.normal(size=80),
        RNG.integers(1, 121, 80),
        RNG.uniform(0, 60, 80),
    ]
).astype(float)
PEERS = Peers.of(BACKGROUND, np.ones(80))
projects = st.fixed_dictionaries(
    {
        "runway": st.none() | st.floats(0, 60),
        "patents": st.none() | st.integers(0, 9),
        "debt": st.none() | st.floats(0, 2),
        "pledged": st.none() | st.booleans(),
        "schedule": st.none() | st.sampled_from("abc"),
        "term": st.integers(1, 120),
        "age": st.none() | st.floats(0, 60),
    }
)
weights = st.lists(st.integers(-300, 300), min_size=7, max_size=7)


def numbers(project: Mapping[str, object]) -> list[float]:
    scale = {"runway": 60, "patents": 9, "debt": 2, "term": 120, "age": 60}
    return [
        0.5
        if (value := project[name]) is None
        else "abc".index(str(value)) / 2
        if name == "schedule"
        else float(str(int(value) if isinstance(value, bool) else value)) / scale.get(name, 1)
        for name in SET.names
    ]


def pricer(project: Mapping[str, object], of: list[int], asked: list[object]) -> Price:
    """A price that bends: linear parts, and one product of two columns."""

    def price(values: Mapping[str, object]) -> int | None:
        asked.append(dict(values))
        x = numbers({**project, **values})
        if x[5] > 0.95:
            return None  # so long a term is not priced
        return round(sum(w * v * 10 for w, v in zip(of, x, strict=True)) + 900 * x[0] * x[2])

    return price


@given(projects, weights)
@settings(max_examples=50, deadline=None)
def test_only_what_can_move_moves_and_only_where_it_may(
    project: dict[str, object], of: list[int]
) -> None:
    asked: list[object] = []
    price = pricer(project, of, asked)
    found = cheaper(SET, PEERS, project, price)
    now = price({})
    for one in found:
        assert now is not None
        assert 1 <= len(one.moves) <= 2
        assert one.price == price(one.values)
        assert one.price <= now - LEAST_SAVING
        for move in one.moves:
            column, value = move.column, move.value
            assert column.movable
            assert project[column.name] is not None
            assert value != project[column.name]
            if isinstance(value, int | float) and column.numeric:
                assert column.low is not None
                assert column.high is not None
                assert column.low <= value <= column.high
                assert not is_whole(column) or value == int(value)
                assert (value - float(str(move.before))) * column.direction.sign <= 0
    assert len(found) <= MOST
    assert [one.effort for one in found] == sorted(one.effort for one in found)
    assert [one.price for one in found] == sorted((one.price for one in found), reverse=True)
    most = len(COLUMNS) * len(SHARES) + 4 * PAIRED * (PAIRED - 1) // 2 + 1
    assert len(asked) <= most + len(found) + 1
    assert found == cheaper(SET, PEERS, project, price)


@given(projects, weights)
@settings(max_examples=50, deadline=None)
def test_what_a_grid_of_single_moves_has_is_found(
    project: dict[str, object], of: list[int]
) -> None:
    price = pricer(project, of, [])
    now = price({})
    grid = [
        told
        for at, column in enumerate(COLUMNS)
        if column.movable and project[column.name] is not None
        for move in moves(column, at, PEERS, project[column.name])
        if (told := price({column.name: move.value})) is not None
    ]
    found = cheaper(SET, PEERS, project, price)
    least = min(grid, default=None)
    if now is None or least is None or now - least < LEAST_SAVING:
        assert [one for one in found if len(one.moves) == 1] == []
    else:
        assert found
        assert found[-1].price <= least + max(LEAST_SAVING, (now - found[-1].price) / (MOST - 1))


def test_two_moves_are_found_that_brute_force_says_are_the_cheapest() -> None:
    columns = COLUMNS[:2]
    small = replace(SET, columns=columns)
    project = {"runway": 6.0, "patents": 0}

    def price(values: Mapping[str, object]) -> int:
        now = {**project, **values}
        return 10_000 - 20 * round(float(str(now["runway"]))) - 100 * int(str(now["patents"]))

    places = [
        [*moves(column, at, PEERS, project[column.name])] for at, column in enumerate(columns)
    ]
    least = min(price({"runway": a.value, "patents": b.value}) for a, b in product(*places))
    found: list[Alternative] = cheaper(small, PEERS, project, price)
    assert found[-1].price == pytest.approx(least, abs=(price({}) - least) / MOST)
    assert len(found[-1].moves) == 2


def test_a_project_that_has_no_price_has_no_alternatives() -> None:
    assert cheaper(SET, PEERS, dict.fromkeys(SET.names), lambda values: None) == []
