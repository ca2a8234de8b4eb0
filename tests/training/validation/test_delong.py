from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from training.metrics import Forecast
from training.validation.delong import auc_interval, ks

LEVEL_95 = 1.959963984540054


def forecast(p: np.ndarray, y: np.ndarray, w: np.ndarray | None = None) -> Forecast:
    return Forecast.of(p, y.astype(np.float64), np.ones(len(p)) if w is None else w)


def sample(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(seed)
    y = dice.random(n) < 0.3
    return np.round(1 / (1 + np.exp(-(y + dice.normal(size=n)))), 2), y  # rounded: with ties


def test_the_interval_is_delongs_by_the_definition() -> None:
    # DeLong, DeLong & Clarke-Pearson (1988), equations 4 to 6, pair by pair
    p, y = sample(300, 0)
    events, others = p[y], p[~y]
    psi = (events[:, None] > others) + 0.5 * (events[:, None] == others)
    v, u = psi.mean(axis=1), psi.mean(axis=0)
    variance = v.var(ddof=1) / len(v) + u.var(ddof=1) / len(u)
    found = auc_interval(forecast(p, y), level=0.95)
    assert found.value == pytest.approx(psi.mean(), abs=1e-12)
    assert found.high - found.value == pytest.approx(LEVEL_95 * np.sqrt(variance), rel=1e-9)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    # of two normals one standard deviation apart the AUC is Phi(1 / sqrt 2) = 0.760250
    truth, held = 0.7602499389065233, 0
    for seed in range(300):
        dice = np.random.default_rng(seed)
        y = np.arange(200) < 60
        found = auc_interval(forecast(y + dice.normal(size=200), y))
        held += found.low <= truth <= found.high
    assert 0.86 <= held / 300 <= 0.94


def test_equal_weights_change_nothing_and_unequal_ones_widen() -> None:
    p, y = sample(400, 1)
    plain, doubled = auc_interval(forecast(p, y)), auc_interval(forecast(p, y, np.full(400, 2.0)))
    assert doubled.high == pytest.approx(plain.high, abs=1e-12)
    uneven = auc_interval(forecast(p, y, np.random.default_rng(2).exponential(size=400) ** 2))
    assert uneven.high - uneven.low > plain.high - plain.low


def test_ks_is_scipys() -> None:
    p, y = sample(500, 3)
    assert ks(forecast(p, y)) == pytest.approx(ks_2samp(p[y], p[~y]).statistic, abs=1e-12)


def test_without_events_there_is_nothing_to_say() -> None:
    none = forecast(np.array([0.1, 0.2]), np.array([False, False]))
    assert np.isnan(auc_interval(none).value)
    assert np.isnan(ks(none))
