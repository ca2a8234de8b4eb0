from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.book import CENSORED, DEFAULTED, EXITED, Book
from tests.training.books import book
from training import observed
from training.metrics import Forecast, auc


def of(ages: list[int], events: list[int], weight: list[float] | None = None) -> Book:
    """Return a book of the loans with these ages and events."""
    few = book(len(ages))
    return replace(
        few,
        age_months=np.array(ages, np.int64),
        event=np.array(events, np.int8),
        weight=np.ones(len(ages)) if weight is None else np.array(weight),
    )


def test_cumulative_default_is_the_aalen_johansen_estimate_worked_by_hand() -> None:
    # five at risk; a default at 1, an exit at 2, one lost at 2, a default at 3, one alive at 4:
    # F(1) = 1/5; S(1) = 4/5; S(2) = 4/5 (1 - 1/4) = 3/5; F(3) = 1/5 + 3/5 x 1/2 = 1/2
    events = [DEFAULTED, EXITED, CENSORED, DEFAULTED, CENSORED]
    found = observed.cumulative_default(of([1, 2, 2, 3, 4], events), 4)
    np.testing.assert_allclose(found, [0, 0.2, 0.2, 0.5, 0.5], rtol=0, atol=1e-15)


def test_a_loan_of_weight_two_counts_as_two_loans() -> None:
    twice = of([1, 1, 2, 3], [DEFAULTED, DEFAULTED, EXITED, CENSORED])
    weighed = of([1, 2, 3], [DEFAULTED, EXITED, CENSORED], [2.0, 1.0, 1.0])
    np.testing.assert_allclose(
        observed.cumulative_default(weighed, 3), observed.cumulative_default(twice, 3), atol=1e-15
    )


def test_what_happens_after_the_last_month_drawn_leaves_the_curve_alone() -> None:
    late = observed.cumulative_default(of([1, 90], [DEFAULTED, DEFAULTED]), 12)
    np.testing.assert_allclose(late[1:], 0.5, atol=1e-15)


def test_a_sound_forecast_lies_in_the_interval_of_nine_bins_in_ten() -> None:
    dice = np.random.default_rng(0)
    p = dice.beta(1, 6, 40_000)
    y = (dice.random(len(p)) < p).astype(np.float64)
    bins = observed.calibration(Forecast.of(p, y, np.ones(len(p))), bins=100)
    inside = (bins.low <= bins.expected) & (bins.expected <= bins.high)
    assert 0.84 <= inside.mean() <= 0.96  # 90 % of 100 bins, two standard deviations

    wrong = observed.calibration(Forecast.of(p**0.8, y, np.ones(len(p))), bins=100)
    assert ((wrong.low <= wrong.expected) & (wrong.expected <= wrong.high)).mean() < 0.6


def test_the_area_under_the_drawn_curve_is_the_auc() -> None:
    dice = np.random.default_rng(1)
    p = np.round(dice.random(500), 1)  # many ties
    forecast = Forecast.of(p, (dice.random(500) < p).astype(np.float64), dice.random(500))
    false, true = observed.roc(forecast)
    assert np.trapezoid(true, false) == pytest.approx(auc(forecast), abs=1e-12)


def test_expected_defaults_by_quarter_add_up_to_those_by_age() -> None:
    loans = book(2000)
    hazard = np.full((len(loans), len(loans.column_set.age_edges_months) - 1), np.log(0.004))
    _, quarters = observed.by_quarter(loans, hazard)
    ages = observed.by_age(loans, hazard, cause="default")
    assert quarters.expected.sum() == pytest.approx(ages.expected.sum(), rel=1e-12)
    assert quarters.observed.sum() == pytest.approx(ages.observed.sum(), rel=1e-12)
    assert quarters.expected.sum() == pytest.approx(0.004 * quarters.months.sum(), rel=1e-12)
