from __future__ import annotations

import numpy as np
import pytest

from models.grades import BOUNDS, band, grade_of
from training.validation.backtest import binomial, graded, jeffreys
from training.validation.section import Light

# computed with SciPy's beta and binomial distributions, apart from this code
CHECKS = [
    (1000, 12, 0.01, 0.252381, 0.302650),
    (1000, 20, 0.01, 0.002231, 0.003288),
    (500, 10, 0.01, 0.020505, 0.031102),
    (250, 3, 0.02, 0.814281, 0.877886),
]


@pytest.mark.parametrize(("n", "d", "pd", "by_jeffreys", "by_binomial"), CHECKS)
def test_p_values_are_those_of_the_published_tests(
    n: int, d: int, pd: float, by_jeffreys: float, by_binomial: float
) -> None:
    assert jeffreys(projects=n, defaults=d, pd=pd) == pytest.approx(by_jeffreys, abs=1e-6)
    assert binomial(projects=n, defaults=d, pd=pd) == pytest.approx(by_binomial, abs=1e-6)


def test_a_grade_that_defaults_twice_as_often_is_red() -> None:
    fell = (np.arange(1000) < 20).astype(np.float64)
    (found,) = graded(np.full(1000, 4), np.full(1000, 0.01), fell, np.ones(1000))
    assert found.light is Light.RED
    assert found.jeffreys == pytest.approx(0.002231, abs=1e-6)
    fell[12:] = 0
    (found,) = graded(np.full(1000, 4), np.full(1000, 0.01), fell, np.ones(1000))
    assert found.light is Light.GREEN


def test_weights_count_effective_projects() -> None:
    # weights 1 and 3, half each: (sum w)^2 / sum w^2 = (4 n/2)^2 / (10 n/2) = 0.8 n
    weight = np.where(np.arange(1000) % 2, 1.0, 3.0)
    (found,) = graded(np.full(1000, 4), np.full(1000, 0.01), np.zeros(1000), weight)
    assert found.projects == pytest.approx(800)


def test_every_bound_of_the_master_scale_is_twice_the_one_before() -> None:
    assert np.allclose(np.diff(np.log2(BOUNDS)), 1)
    assert grade_of(np.array([*BOUNDS, 0.0, 1.0])).tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 1, 9]
    assert band(2) == "0.25 - 0.5 %"
