from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.book import CENSORED
from features.encode import Encoder
from tests.training import books
from training import scorecard, split
from training.scorecard import Binned, Challenge, challenge, fit_scorecard, points


def challenged(*, noise: float = 0.0) -> Challenge:
    parts = split.by_time(books.book(8000))
    encoder, seen = Encoder.fit(parts.train, books.EDGES, 0)
    x = encoder.matrix(parts.test.frame)
    dice = np.random.default_rng(1)
    level = -4.4 + 0.8 * x[:, 0] - 0.5 * x[:, 1] + noise * dice.normal(size=len(x))
    ours = np.full((len(x), 3, len(books.EDGES) - 1), -4.2)
    ours[:, 0] = level[:, None]
    return challenge(parts.train, seen, parts.test, x, ours, resamples=40)


def test_scores_are_scaled_as_siddiqi_does() -> None:
    # Siddiqi (2006), chapter 6: 20 points double the odds, 600 at 50 : 1; factor 28.853901,
    # offset 487.122876, which is the score at odds of one
    assert points(np.array([0.5]))[0] == pytest.approx(487.122876, abs=1e-6)
    at_e = 1 / (1 + np.e)  # odds of e against default
    assert points(np.array([at_e]))[0] - 487.122876 == pytest.approx(28.853901, abs=1e-6)


def test_weight_of_evidence_is_the_log_of_an_odds_ratio() -> None:
    # 40,000 zeros with 4,000 defaults, 60,000 ones with 18,000, 20,000 unknown with 2,000: by hand
    column = np.repeat([0.0, 1.0, np.nan], [40_000, 60_000, 20_000])
    fell = np.zeros(len(column))
    for start, many in ((0, 4000), (40_000, 18_000), (100_000, 2000)):
        fell[start : start + many] = 1
    binned = Binned.of(column, fell, np.ones(len(column)))
    overall = 0.2 / 0.8
    wanted = np.log([(0.1 / 0.9) / overall, (0.3 / 0.7) / overall, (0.1 / 0.9) / overall])
    np.testing.assert_allclose(binned.read(np.array([0.0, 1.0, np.nan])), wanted, atol=2e-3)


def test_independent_columns_get_slopes_of_one() -> None:
    # of independent columns the weights of evidence add up as they are: naive Bayes is right
    dice = np.random.default_rng(0)
    x = dice.integers(0, 2, size=(200_000, 2)).astype(np.float64)
    risk = 1 / (1 + np.exp(2 - 0.8 * x[:, 0] - 0.4 * x[:, 1]))
    fell = (dice.random(len(x)) < risk).astype(np.float64)
    card = fit_scorecard(x, fell, np.ones(len(x)))
    np.testing.assert_allclose(card.slopes, 1.0, atol=0.06)
    assert card.pd(x).mean() == pytest.approx(fell.mean(), rel=1e-6)


def test_the_truth_beats_the_scorecard_and_noise_does_not() -> None:
    right, wrong = challenged(), challenged(noise=2.0)
    gains = [{m.key: m.interval for m in one.gains} for one in (right, wrong)]
    assert gains[0]["auc_36m"].high > 0
    assert gains[1]["auc_36m"].high < 0
    assert gains[1]["log_loss_36m"].low > 0
    assert {m.metric for m in right.measures} >= {"auc", "log_loss", "calibration_slope"}


def test_too_few_known_fates_measure_nothing() -> None:
    parts = split.by_time(books.book(3000))
    quiet = replace(parts.test, event=np.full(len(parts.test), CENSORED, np.int8))
    x = np.zeros((len(quiet), 6))
    seen = np.zeros((len(parts.train), 6))
    ours = np.zeros((len(quiet), 3, 5))
    found = challenge(parts.train, seen, quiet, x, ours, resamples=2)
    assert found.measures == found.gains == ()
    assert np.isnan(found.pd).all()
    assert scorecard.HORIZON_MONTHS == 36
