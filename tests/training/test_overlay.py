from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from features.book import DEFAULTED, Book, month_of
from tests.training import books
from training.overlay import Level, fit_level
from training.split import months_until_known

SNAPSHOT = month_of(date(2006, 1, 1))
MONTHS = 24


def truth(book: Book) -> np.ndarray:
    """Return the log hazards that books.book plants, (n, K)."""
    frame = book.frame
    debt, cash, size = (frame[name].to_numpy() for name in ("debt", "cash", "size"))
    risky = (frame["sector"] == "c").to_numpy()
    level = -4.4 + 0.8 * debt - 0.5 * cash + 0.3 * np.abs(size) + 0.3 * risky
    return np.tile(level[:, None], (1, len(books.EDGES) - 1))


def level(book: Book, *, prior: float, kept: float = 1.0) -> Level:
    return fit_level(
        book, truth(book), to_month=SNAPSHOT, months=MONTHS, prior_events=prior, kept=kept
    )


@pytest.mark.parametrize("planted", [-0.5, 0.0, 0.6])
def test_a_planted_level_is_found(planted: float) -> None:
    book = books.book(20_000, level_from=SNAPSHOT - MONTHS, level=planted).as_known(SNAPSHOT)
    found = fit_level(
        book, truth(book), to_month=SNAPSHOT, months=MONTHS, prior_events=0.0, kept=1.0
    )
    # three standard errors of the logarithm of a Poisson count
    assert found.shift == pytest.approx(planted, abs=3 / np.sqrt(found.observed))
    assert found.observed > 300


def test_defaults_before_the_window_do_not_count() -> None:
    book = books.book(20_000, level_from=0, level=1.0).as_known(SNAPSHOT - MONTHS)
    found = fit_level(
        book, truth(book), to_month=SNAPSHOT, months=MONTHS, prior_events=10.0, kept=1.0
    )
    assert (found.observed, found.expected, found.shift) == (0, 0, 0)


def test_expected_defaults_are_months_in_the_window_times_the_hazard() -> None:
    book = books.book(1)
    one = replace(
        book, originated=np.array([SNAPSHOT - 30]), age_months=np.array([30]), event=np.array([0])
    )
    hazard = np.log([[0.001, 0.002, 0.003, 0.005, 0.007]])
    found = fit_level(one, hazard, to_month=SNAPSHOT, months=24, prior_events=50.0, kept=1.0)
    # the window opens at age 6: 6 months of bucket 6-12, 12 of 12-24, 6 of 24-36
    assert found.expected == pytest.approx(6 * 0.002 + 12 * 0.003 + 6 * 0.005, rel=1e-12)
    assert found.shift == pytest.approx(np.log(50 / (50 + found.expected)), rel=1e-12)


def test_few_defaults_move_the_level_little() -> None:
    book = books.book(2000, level_from=SNAPSHOT - MONTHS, level=0.6).as_known(SNAPSHOT)
    shifts = [
        fit_level(
            book, truth(book), to_month=SNAPSHOT, months=MONTHS, prior_events=prior, kept=1.0
        ).shift
        for prior in (0.0, 50.0, 1e6)
    ]
    assert shifts[0] > shifts[1] > shifts[2] > 0


def test_a_part_of_a_level_is_kept() -> None:
    book = books.book(8000, level_from=SNAPSHOT - MONTHS, level=0.6).as_known(SNAPSHOT)
    whole, half = (level(book, prior=50.0, kept=kept) for kept in (1.0, 0.5))
    assert half.shift == pytest.approx(whole.shift / 2, rel=1e-12)
    assert (half.observed, half.expected) == (whole.observed, whole.expected)


def test_the_overlay_touches_the_default_hazard_only() -> None:
    book = books.book(2000).as_known(SNAPSHOT)
    found = level(book, prior=50.0)
    overlay = found.overlay(5)
    assert overlay.shape == (3, 5)
    assert (overlay[0] == found.shift).all()
    assert not overlay[1:].any()


def test_the_delay_until_a_default_is_known_is_read_from_the_book() -> None:
    assert months_until_known(books.book(2000, delay=4)) == 4
    nobody = books.book(2000)
    assert months_until_known(nobody.take(nobody.event != DEFAULTED)) == 0
