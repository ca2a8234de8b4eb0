from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from training.metrics import Forecast
from training.validation.calibration import calibration, curve, intercept
from training.validation.calibration import section as calibrated
from training.validation.evidence import Evidence

N = 40_000


def forecast(*, shift: float = 0.0, slope: float = 1.0, bend: float = 0.0) -> Forecast:
    """Return a forecast p of events whose true logit is shift + slope z + bend z^2."""
    dice = np.random.default_rng(0)
    z = dice.normal(-1.5, 1.0, N)
    y = dice.random(N) < expit(shift + slope * z + bend * z**2)
    return Forecast.of(expit(z), y.astype(np.float64), np.ones(N))


def test_a_right_forecast_has_intercept_nought_and_a_curve_on_the_diagonal() -> None:
    found = calibration(forecast())
    assert found.intercept == pytest.approx(0, abs=0.03)
    assert found.slope == pytest.approx(1, abs=0.03)
    assert found.ici < 0.005
    assert found.e50 <= found.e90 < 0.012


def test_a_shift_of_all_logits_is_the_intercept() -> None:
    assert intercept(forecast(shift=0.4)) == pytest.approx(0.4, abs=0.03)


def test_with_its_intercept_a_forecast_foretells_as_many_as_happened() -> None:
    off = forecast(shift=-0.7)
    moved = expit(logit(off.p) + intercept(off))
    assert moved.sum() == pytest.approx(off.y.sum(), rel=1e-9)


@pytest.mark.parametrize(
    ("shift", "slope", "bend"), [(0.5, 1.0, 0.0), (0.0, 0.5, 0.0), (0, 1, 0.15)]
)
def test_the_ici_is_the_mean_distance_from_the_truth(
    shift: float, slope: float, bend: float
) -> None:
    off = forecast(shift=shift, slope=slope, bend=bend)
    z = logit(off.p)
    gap = np.abs(expit(shift + slope * z + bend * z**2) - off.p)
    found = calibration(off)
    assert found.ici == pytest.approx(gap.mean(), abs=0.006)
    assert found.e50 == pytest.approx(np.median(gap), abs=0.012)
    assert found.e90 == pytest.approx(np.quantile(gap, 0.9), abs=0.015)


def test_few_forecasts_that_are_all_alike_have_a_curve_too() -> None:
    alike = Forecast.of(np.full(50, 0.2), (np.arange(50) < 10).astype(np.float64), np.ones(50))
    assert np.isfinite(curve(alike)).all()


def test_the_section_says_how_many_times_as_many_defaulted(evidence: Evidence) -> None:
    found = calibrated(evidence)
    assert "times as many defaulted as was foretold" in found.verdict
    assert set(found.figures["by_horizon"]) == {12, 36}
