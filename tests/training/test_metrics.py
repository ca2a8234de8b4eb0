from __future__ import annotations

import numpy as np
import pytest
from sklearn import linear_model
from sklearn import metrics as sk

from training import metrics
from training.metrics import Forecast

DICE = np.random.default_rng(5)
P = np.round(DICE.beta(2, 8, 500), 2)  # with ties
Y = (DICE.random(500) < P).astype(float)
W = DICE.choice([1.0, 5.0], 500)
F = Forecast.of(P, Y, W)


def test_the_weighted_auc_is_that_of_scikit_learn() -> None:
    assert metrics.auc(F) == pytest.approx(sk.roc_auc_score(Y, P, sample_weight=W), abs=1e-12)


def test_the_auc_of_four_projects_is_counted_by_hand() -> None:
    # events .9 and .4 against .4 and .1: pairs won 1 + 1 + 1/2 + 1 of 4
    f = Forecast.of(np.array([0.9, 0.4, 0.4, 0.1]), np.array([1.0, 1, 0, 0]), np.ones(4))
    assert metrics.auc(f) == 3.5 / 4


def test_without_events_there_is_no_auc() -> None:
    assert np.isnan(metrics.auc(Forecast.of(P, np.zeros_like(P), W)))


def test_log_loss_and_brier_are_those_of_scikit_learn() -> None:
    p = np.clip(P, metrics.LEAST, 1 - metrics.LEAST)
    assert metrics.log_loss(F) == pytest.approx(sk.log_loss(Y, p, sample_weight=W), abs=1e-12)
    brier = sk.brier_score_loss(Y, P, sample_weight=W)
    assert metrics.brier(F) == pytest.approx(brier, abs=1e-12)


def test_observed_over_expected_is_counted_by_hand() -> None:
    f = Forecast.of(np.array([0.5, 0.25]), np.array([1.0, 0]), np.array([1.0, 2]))
    assert metrics.observed_over_expected(f) == 1 / (0.5 + 0.5)


def test_the_calibration_slope_is_that_of_an_unpenalised_logistic_regression() -> None:
    p = np.clip(P, metrics.LEAST, 1 - metrics.LEAST)
    z = np.log(p / (1 - p))[:, None]
    other = linear_model.LogisticRegression(C=np.inf, tol=1e-10).fit(z, Y, sample_weight=W)
    assert metrics.calibration_slope(F) == pytest.approx(other.coef_[0, 0], abs=1e-4)


def test_forecasts_twice_as_far_apart_have_half_the_slope() -> None:
    p = np.clip(P, 0.01, 0.99)
    z = np.log(p / (1 - p))
    once, twice = (Forecast.of(1 / (1 + np.exp(-s * z)), Y, W) for s in (1.0, 2.0))
    slope = metrics.calibration_slope(once)
    assert metrics.calibration_slope(twice) == pytest.approx(slope / 2, rel=1e-6)


def test_a_weight_of_two_is_the_project_twice() -> None:
    weight = np.ones_like(P)
    weight[7] = 2.0
    twice = np.append(np.arange(500), 7)
    for metric in metrics.METRICS.values():
        double = metric(Forecast.of(P[twice], Y[twice], np.ones(501)))
        assert metric(Forecast.of(P, Y, weight)) == pytest.approx(double, rel=1e-9)


def test_an_interval_holds_its_figure_and_is_the_same_each_time() -> None:
    once = metrics.interval(metrics.auc, F, resamples=50, seed=1)
    assert once.low < once.value < once.high
    assert once == metrics.interval(metrics.auc, F, resamples=50, seed=1)
    assert once != metrics.interval(metrics.auc, F, resamples=50, seed=2)


def test_an_interval_of_the_mean_is_as_wide_as_its_standard_error_says() -> None:
    # 90 % of a normal lies within 1.645 standard errors; of the O/E with fixed p that is s / mean p
    n = 4000
    y = (np.random.default_rng(0).random(n) < 0.3).astype(float)
    f = Forecast.of(np.full(n, 0.3), y, np.ones(n))
    wide = metrics.interval(metrics.observed_over_expected, f, resamples=400, seed=0)
    expected = 2 * 1.645 * np.sqrt(0.3 * 0.7 / n) / 0.3
    assert wide.high - wide.low == pytest.approx(expected, rel=0.15)


def test_a_paired_difference_of_a_forecast_with_itself_is_nought() -> None:
    gap = metrics.paired(metrics.auc, F, F, resamples=20, seed=0)
    assert (gap.value, gap.low, gap.high) == (0, 0, 0)


def test_a_paired_difference_is_narrower_than_the_figures_themselves() -> None:
    noisy = Forecast.of(np.clip(P + 0.01 * DICE.normal(size=500), 0, 1), Y, W)
    gap = metrics.paired(metrics.auc, F, noisy, resamples=100, seed=0)
    alone = metrics.interval(metrics.auc, F, resamples=100, seed=0)
    assert gap.high - gap.low < (alone.high - alone.low) / 2


def test_concordance_is_one_for_any_rising_function_and_nought_for_a_falling_one() -> None:
    truth = np.array([0.1, 0.2, 0.5, 0.7])
    assert metrics.concordance(truth**2, truth) == 1
    assert metrics.concordance(-truth, truth) == 0
