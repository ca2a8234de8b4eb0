"""The true hazards move as economics and the column set say."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from features.column import Column, Direction
from features.sets import load
from features.world.dice import Dice, Floats
from features.world.hazard import ACQUIRED_BASELINE, BASELINE, EARLY, LATE, Effects
from features.world.project import draw
from features.world.traits import Origins, Traits

PROJECTS = 1500
SIGNED = [c for c in load("early_stage").columns if c.direction is not Direction.FREE]


@pytest.fixture(scope="module")
def columns() -> pl.DataFrame:
    dice = Dice(5, PROJECTS)
    traits = Traits.draw(dice)
    return draw(dice, traits, Origins.draw(dice, traits, first_month=492, months=180))


def default_change(columns: pl.DataFrame, name: str) -> Floats:
    """Change of log hazard, (projects, months), when the column alone rises to another's value."""
    values = columns[name]
    other = values.sample(fraction=1.0, shuffle=True, seed=3)
    low, high = (
        columns.with_columns(pl.Series(name, side).zip_with(values.is_not_null(), values))
        for side in (
            np.fmin(values.to_numpy(), other.to_numpy()),
            np.fmax(values.to_numpy(), other.to_numpy()),
        )
    )
    change: Floats = Effects.of(high).default() - Effects.of(low).default()
    return change


def assert_direction(columns: pl.DataFrame, column: Column) -> None:
    change = default_change(columns, column.name) * column.direction.sign
    assert change.min() >= -1e-9
    assert change.max() > 0.01


@pytest.mark.parametrize("column", SIGNED, ids=lambda column: column.name)
def test_every_declared_direction_holds_for_every_project_at_every_age(
    columns: pl.DataFrame, column: Column
) -> None:
    assert_direction(columns, column)


@pytest.mark.parametrize("name", ["rd_to_opex", "revenue_growth"])
def test_the_direction_check_can_fail(columns: pl.DataFrame, name: str) -> None:
    free = next(column for column in load("early_stage").columns if column.name == name)
    for direction in (Direction.RAISES, Direction.LOWERS):
        wrong = Column(**{**vars(free), "direction": direction})
        with pytest.raises(AssertionError):
            assert_direction(columns, wrong)


def test_a_short_runway_matters_early_and_patents_matter_late(columns: pl.DataFrame) -> None:
    runway = np.abs(default_change(columns, "runway_months")).mean(axis=0)
    patents = np.abs(default_change(columns, "patents_granted")).mean(axis=0)
    assert runway[2] > 5 * runway[35]
    assert patents[35] > 5 * patents[2]


def test_the_count_of_patents_helps_only_with_adequate_equity(columns: pl.DataFrame) -> None:
    """Pederzoli et al. 2013."""
    helped = []
    for debt_ratio in (0.2, 1.0):
        indebted = columns.with_columns(pl.lit(debt_ratio).alias("debt_ratio"))
        few, many = (
            Effects.of(indebted.with_columns(pl.lit(count).alias("patents_granted"))).default()
            for count in (0.0, 8.0)
        )
        helped.append(float((few - many)[:, 40].mean()))
    assert helped[0] > 0.5
    assert helped[1] < 0.05


def test_patents_bring_fewer_defaults_and_more_acquisitions(columns: pl.DataFrame) -> None:
    """Kato et al. 2022."""
    few, many = (
        Effects.of(columns.with_columns(pl.lit(count).alias("patents_granted")))
        for count in (0.0, 8.0)
    )
    assert (many.default() <= few.default() + 1e-12).all()
    assert (many.exits()[1] > few.exits()[1]).all()


def test_risk_is_u_shaped_in_research(columns: pl.DataFrame) -> None:
    none, half, all_of_it = (
        Effects.of(columns.with_columns(pl.lit(share).alias("rd_to_opex"))).level.mean()
        for share in (0.0, 0.5, 1.0)
    )
    assert none > half
    assert all_of_it > half


def test_the_common_shape_peaks_in_the_second_year() -> None:
    """Glennon & Nigro 2005."""
    assert 12 <= int(np.argmax(BASELINE)) < 24
    assert EARLY[0] > 0.9 > 0.2 > EARLY[23]
    assert LATE[5] < 0.1 < 0.9 < LATE[35]
    assert (np.diff(ACQUIRED_BASELINE) > 0).all()
