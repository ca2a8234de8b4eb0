"""The oracle's arithmetic, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from features.world.dice import Floats
from features.world.hazard import FRAILTY, MONTHS
from features.world.oracle import NODES, WEIGHTS, incidence

TERMS = np.array([12.0, 36.0, 84.0])


def flat(hazard: float) -> Floats:
    return np.full((len(TERMS), MONTHS), hazard)


def test_flat_hazards_give_the_exponential_formula_up_to_the_term() -> None:
    """λd / (λd + λe) (1 - exp(-(λd + λe) h)), at the horizon or the term."""
    at_risk = np.minimum([[12], [36], [60]], TERMS).T
    expected = 0.01 / 0.03 * (1 - np.exp(-0.03 * at_risk))
    found = incidence(flat(0.01), flat(0.02), TERMS)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def test_what_leaves_early_cannot_default_later() -> None:
    few = incidence(flat(0.01), flat(0.0001), TERMS)
    many = incidence(flat(0.01), flat(0.05), TERMS)
    assert (many < few).all()


@pytest.mark.parametrize("horizon_months", [12, 36, 60])
def test_seven_nodes_integrate_frailty(horizon_months: int) -> None:
    def risk(z: float) -> float:
        return 1 - float(np.exp(-0.02 * horizon_months * np.exp(FRAILTY * z)))

    exact, _ = quad(lambda z: risk(z) * norm.pdf(z), -8, 8, epsabs=1e-13)
    assert sum(w * risk(z) for z, w in zip(NODES, WEIGHTS, strict=True)) == pytest.approx(
        exact, abs=1e-8
    )
