"""The simulated world: the same on every run, and true to what its docstrings say."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from polars.testing import assert_frame_equal

from features.book import CENSORED, DEFAULTED, Book, month_of, read_book
from features.sets import load
from features.simulate import SNAPSHOT, World, simulate, write
from features.world import source
from features.world.dice import Floats
from features.world.veil import VALUE, WITHHELD

PROJECTS = 30_000
SET = load("early_stage")


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(PROJECTS, seed=1)


@pytest.fixture(scope="module")
def book(world: World, tmp_path_factory: pytest.TempPathFactory) -> Book:
    path = tmp_path_factory.mktemp("world") / "loans.parquet"
    world.table().write_parquet(path)
    return read_book(path, SET)  # refuses any value outside the ranges that the set declares


def test_the_same_seed_writes_the_same_file_and_another_seed_does_not(tmp_path: Path) -> None:
    told: list[float] = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        write(tmp_path / name, 2000, seed=seed, progress=told.append)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c
    assert told == [1.0, 1.0, 1.0]


def test_every_row_is_a_loan_that_the_column_set_accepts(world: World, book: Book) -> None:
    assert len(book) == PROJECTS
    np.testing.assert_array_equal(book.originated, world.month)


def test_a_column_may_be_missing_exactly_if_it_sometimes_is(book: Book) -> None:
    """A column that is never missing in training would read a missing value as 0 when asked."""
    sometimes = {name for name in SET.names if book.frame[name].null_count() > 0}
    assert sometimes == {column.name for column in SET.columns if column.optional}


def test_every_column_comes_from_the_source_that_the_set_names() -> None:
    declared = {name: {c.name for c in SET.columns if c.source == name} for name in SET.sources}
    assert {name: set(columns) for name, columns in source.TOLD_BY.items()} == declared


def yearly_hazards(world: World) -> list[float]:
    age, defaulted = world.fate.age_months, (world.fate.kind == "default").to_numpy()
    return [
        float((defaulted & (age > start) & (age <= start + 12)).sum())
        / float(np.clip(age - start, 0, 12).sum())
        for start in (0, 12, 24, 36)
    ]


def test_default_peaks_in_the_second_year(world: World) -> None:
    """Glennon & Nigro (2005)."""
    first, second, third, fourth = yearly_hazards(world)
    assert second > 1.2 * first
    assert second > 1.5 * third > 1.5 * fourth


def test_a_sixth_to_a_fifth_default_and_half_of_the_exposure_is_lost(world: World) -> None:
    truth = world.truth()
    lost = truth.filter(pl.col("event") == "default")
    assert 0.15 < lost.height / PROJECTS < 0.20
    assert (
        0.50 < float(lost["loss_cny"].sum()) / float(lost["exposure_at_default_cny"].sum()) < 0.60
    )
    assert (lost["loss_cny"] <= lost["exposure_at_default_cny"]).all()


def test_loans_also_end_by_repayment_acquisition_and_maturity(world: World) -> None:
    share = dict(world.fate.kind.value_counts(normalize=True).iter_rows())
    assert min(share.values()) > 0.05
    assert share["matured"] > 0.3
    term = world.columns["term_months"].to_numpy()
    matured = (world.fate.kind == "matured").to_numpy()
    assert (world.fate.age_months[matured] == term[matured]).all()
    assert (world.fate.age_months <= term).all()


def test_nothing_after_the_snapshot_is_in_the_table(world: World) -> None:
    table, truth = world.table(), world.truth()
    for name, kind in table.schema.items():
        if kind == pl.Date:
            assert table[name].max() <= SNAPSHOT  # type: ignore[operator]  # a column of dates
    unknown = table["event"].is_null()
    assert unknown.sum() > 0.05 * PROJECTS
    assert (truth["event_known_on"].filter(unknown) > SNAPSHOT).all()
    assert (truth["event_known_on"].filter(~unknown) <= SNAPSHOT).all()


def test_some_defaults_have_happened_that_nobody_knows_of_yet(world: World) -> None:
    truth = world.truth().filter(pl.col("event") == "default")
    notice = (truth["event_known_on"] - truth["event_on"]).dt.total_days()
    assert notice.to_numpy().min() >= 89  # 90 days past due, in calendar months
    silent = truth.filter((pl.col("event_on") <= SNAPSHOT) & (pl.col("event_known_on") > SNAPSHOT))
    assert silent.height > 0
    assert world.table().join(silent, on="project")["event"].null_count() == silent.height


def test_an_earlier_snapshot_knows_less(book: Book) -> None:
    known = book.as_known(month_of(date(2018, 1, 1)))
    assert len(known) < len(book)
    assert (known.event == DEFAULTED).sum() < (book.event == DEFAULTED).sum()
    assert (known.originated + known.age_months).max() < month_of(date(2018, 1, 1))


def test_every_test_loan_is_followed_for_36_months(world: World, book: Book) -> None:
    window = SET.window
    assert window.test_from is not None
    assert window.test_to is not None
    tested = (book.originated >= month_of(window.test_from)) & (
        book.originated < month_of(window.test_to)
    )
    term = world.columns["term_months"].to_numpy()
    open_ended = tested & (book.event == CENSORED)
    assert (book.age_months[open_ended] >= np.minimum(36, term[open_ended])).all()
    defaulted = tested & (world.fate.kind == "default").to_numpy() & (world.fate.age_months <= 36)
    assert (book.event[defaulted] == DEFAULTED).all()


@pytest.mark.parametrize("withheld", list(WITHHELD))
def test_projects_that_withhold_a_source_are_riskier(world: World, withheld: str) -> None:
    names = source.TOLD_BY[withheld]
    always = [name for name in names if world.true_columns[name].null_count() == 0]
    silent = (
        world.columns.select(pl.all_horizontal(pl.col(always).is_null())).to_series().to_numpy()
    )
    risk = world.oracle.everything[:, 1]
    assert 0.003 < silent.mean() < 0.05
    assert risk[silent].mean() > risk[~silent].mean() + 0.02


@pytest.mark.parametrize(("name", "sign"), list(VALUE.items()))
def test_a_bad_number_is_hidden_more_often_than_a_good_one(
    world: World, name: str, sign: float
) -> None:
    true, seen = world.true_columns[name], world.columns[name]
    hidden = (seen.is_null() & true.is_not_null()).to_numpy()
    values = true.to_numpy()
    difference = np.nanmean(values[hidden]) - np.nanmean(values[~hidden])
    assert difference * sign > 0


def test_masking_only_hides(world: World) -> None:
    shown = world.columns.select(pl.all().is_not_null())
    for name in world.columns.columns:
        kept = shown[name]
        assert (world.columns[name].filter(kept) == world.true_columns[name].filter(kept)).all()


def default_by(world: World) -> NDArray[np.bool_]:
    defaulted = (world.fate.kind == "default").to_numpy()
    return defaulted[:, None] & (world.fate.age_months[:, None] <= [12, 36, 60])


def assert_calibrated(risk: Floats, happened: NDArray[np.bool_], *, slack: float) -> None:
    """Observed defaults of every tenth of the loans lie within four standard errors, and slack."""
    for tenth in np.array_split(np.argsort(risk), 10):
        p = risk[tenth]
        error = 4 * np.sqrt((p * (1 - p)).sum()) + slack * p.sum()
        assert abs(happened[tenth].sum() - p.sum()) < error


@pytest.mark.parametrize("horizon", [0, 1, 2])
def test_the_oracle_that_knows_everything_is_calibrated(world: World, horizon: int) -> None:
    assert_calibrated(world.oracle.everything[:, horizon], default_by(world)[:, horizon], slack=0)


@pytest.mark.parametrize("horizon", [0, 1, 2])
def test_the_oracle_of_the_columns_is_calibrated_over_the_cycle(world: World, horizon: int) -> None:
    risk = world.oracle.columns[:, horizon]
    assert_calibrated(risk, default_by(world)[:, horizon], slack=0.05)


def test_the_calibration_check_can_fail(world: World) -> None:
    with pytest.raises(AssertionError):
        assert_calibrated(1.2 * world.oracle.everything[:, 1], default_by(world)[:, 1], slack=0.05)


def auc(score: Floats, happened: NDArray[np.bool_]) -> float:
    rank = np.argsort(np.argsort(score))[happened] + 1
    n, m = happened.sum(), (~happened).sum()
    return float((rank.sum() - n * (n + 1) / 2) / (n * m))


def test_knowing_frailty_and_the_cycle_ranks_better_than_knowing_the_columns(
    world: World,
) -> None:
    everything, columns = (
        auc(oracle[:, 1], default_by(world)[:, 1])
        for oracle in (world.oracle.everything, world.oracle.columns)
    )
    assert 0.75 < columns < everything < 0.85
    assert everything - columns < 0.015


def test_the_books_table_keeps_the_columns_as_the_world_has_them(world: World, book: Book) -> None:
    assert_frame_equal(
        book.frame.select(world.columns.columns),
        world.columns,
        check_dtypes=False,
        check_exact=True,
    )
