from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.book import DEFAULTED, Book
from features.column import Kind
from pricing.survival import incidence
from tests.training import books
from tests.training.test_overlay import truth
from training.evaluate import Foretold, compare, evaluate, flat


def margins(book: Book, *, noise: float = 0.0) -> np.ndarray:
    """Return the margins that made the book, with some noise on default's."""
    size = book.frame["size"].to_numpy()
    default = truth(book) + noise * np.random.default_rng(1).normal(size=(len(book), 1))
    exits = np.tile((-4.2 + 0.4 * size)[:, None], (1, default.shape[1]))
    return np.stack([default, exits, np.zeros_like(default)], axis=1)


@pytest.fixture(scope="module")
def book() -> Book:
    return books.book(8000)


def test_the_true_margins_are_level_and_well_spread(book: Book) -> None:
    found = {m.key: m.interval for m in evaluate(margins(book), book, resamples=60)}
    # the interval of a 90 % bootstrap holds one, or nearly
    for horizon in (12, 36, 60):
        for metric in ("observed_over_expected", "calibration_slope"):
            figure = found[f"{metric}_{horizon}m"]
            assert figure.low - 0.05 < 1 < figure.high + 0.05


def test_a_horizon_is_judged_on_loans_watched_for_so_long(book: Book) -> None:
    by_key = {m.key: m for m in evaluate(margins(book), book, resamples=2)}
    long_ago = book.originated <= books.END - 60
    assert by_key["auc_60m"].projects == long_ago.sum()
    defaulted = (book.event == DEFAULTED) & (book.age_months <= 60)
    assert by_key["auc_60m"].defaults == (defaulted & long_ago).sum()


def test_a_default_of_a_loan_not_watched_long_enough_does_not_count(book: Book) -> None:
    foretold = Foretold.of(margins(book), book)
    followed = foretold.followed(60)
    early = (book.event == DEFAULTED) & (book.originated > books.END - 60)
    assert early.any()
    assert not (followed & early).any()


def test_every_vintage_with_enough_defaults_has_its_own_figures(book: Book) -> None:
    found = evaluate(margins(book), book, resamples=2)
    years = {m.vintage for m in found if m.metric == "auc" and m.horizon_months == 36}
    assert years == {None, *range(2000, 2008)}  # the last one is January 2007
    total = next(m for m in found if m.key == "auc_36m").projects
    parts = [m for m in found if m.metric == "auc" and m.horizon_months == 36 and m.vintage]
    assert total == sum(m.projects for m in parts)


def test_a_loan_cannot_default_after_its_agreed_end() -> None:
    book = books.book(500)
    columns = (*books.COLUMNS, books.column("term", kind=Kind.COUNT, terms="term_months"))
    short = replace(
        book,
        column_set=books.column_set(columns),
        frame=book.frame.with_columns(pl.lit(10).alias("term")),
    )
    foretold = Foretold.of(margins(book), short)
    everyone = np.ones(len(book), np.bool_)
    at_end = incidence(margins(book), books.EDGES, 60)[:, 10]
    np.testing.assert_array_equal(foretold.forecast(36, everyone).p, np.sort(at_end))


def test_the_truth_beats_a_noisy_copy_pair_by_pair(book: Book) -> None:
    gaps = {
        m.key: m.interval
        for m in compare(margins(book), margins(book, noise=0.8), book, resamples=50)
    }
    assert gaps["auc_36m"].low > 0
    assert gaps["log_loss_36m"].high < 0


def test_figures_are_recorded_flat_and_finite(book: Book) -> None:
    figures = flat(evaluate(margins(book), book, resamples=3))
    assert figures["auc_36m_low"] <= figures["auc_36m"] <= figures["auc_36m_high"]
    assert "auc_36m_2003" in figures
    assert np.isfinite(list(figures.values())).all()
    assert 0 < figures["integrated_brier_60m"] < 0.25
