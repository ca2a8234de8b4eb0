from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from training.validation.evidence import Evidence
from training.validation.section import Light
from training.validation.stability import light, moved, psi, section


def test_psi_is_the_published_sum() -> None:
    # ten even bins against these shares: 0.0393731, by hand
    now = np.array([0.06, 0.08, 0.09, 0.10, 0.10, 0.10, 0.11, 0.11, 0.12, 0.13])
    assert psi(np.full(10, 0.1), now) == pytest.approx(0.0393731, abs=1e-7)
    assert psi(now, now) == 0


def test_a_population_that_moved_by_a_standard_deviation_is_another() -> None:
    dice = np.random.default_rng(0)
    before, same = dice.normal(size=(2, 20_000))
    ones = np.ones(20_000)
    assert moved(before, ones, same, ones) < 0.01
    # tenths of a normal, and the shares that one a standard deviation higher has in them
    share = np.diff(norm.cdf(norm.ppf(np.linspace(0, 1, 11)) - 1))
    wanted = float(((share - 0.1) * np.log(share / 0.1)).sum())
    assert moved(before, ones, same + 1, ones) == pytest.approx(wanted, abs=0.05)
    assert light(moved(before, ones, same + 0.35, ones)) is Light.AMBER


def test_values_that_go_missing_move_a_column() -> None:
    before = np.random.default_rng(0).normal(size=10_000)
    after = np.where(np.arange(10_000) < 3000, np.nan, before)
    ones = np.ones(10_000)
    assert light(moved(before, ones, after, ones)) is Light.RED


def test_the_small_world_stands_still(evidence: Evidence) -> None:
    found = section(evidence)
    assert found.light is Light.GREEN
    assert set(found.figures["columns"]) == set(evidence.column_set.names)
    assert len(found.figures["vintages"]) == 2  # half-years of 2006
