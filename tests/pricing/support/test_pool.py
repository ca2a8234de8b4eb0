from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal

from pricing.errors import InputError
from pricing.support.pool import effective_cover, expected_within, loss_distribution

RHO = 0.12
pds, lgds = st.floats(1e-5, 0.9), st.floats(0.01, 1.0)
correlations = st.floats(1e-3, 0.99)
limits = st.floats(0.0, 1.2)


@pytest.mark.parametrize(
    ("pd", "limit", "expected"),
    [
        (0.02, 0.02, 0.00739985),
        (0.02, 0.05, 0.00797525),
        (0.03, 0.02, 0.01024991),
        (0.03, 0.05, 0.01187887),
        (0.05, 0.02, 0.01426020),
        (0.05, 0.05, 0.01924177),
    ],
)
def test_a_capped_pool_pays_the_published_part(pd: float, limit: float, expected: float) -> None:
    # design note on pricing, section 4, computed with SciPy
    paid = expected_within(limit, pd=pd, lgd=0.4, correlation=RHO)
    assert paid == pytest.approx(expected, rel=0, abs=5e-9)


@pytest.mark.parametrize(("pd", "expected"), [(0.03, 0.02562478), (0.05, 0.03565050)])
def test_on_the_basis_of_claims_a_default_claims_all(pd: float, expected: float) -> None:
    # same source
    paid = expected_within(0.05, pd=pd, lgd=1.0, correlation=RHO)
    assert paid == pytest.approx(expected, rel=0, abs=5e-9)


@given(pd=pds, lgd=lgds, rho=correlations, part=st.floats(1e-4, 0.9999))
def test_it_is_the_closed_form_of_two_joint_normals(
    pd: float, lgd: float, rho: float, part: float
) -> None:
    # a N(z) + LGD P(default and Z > z), the second term by SciPy's bivariate normal
    z = (ndtri(pd) - math.sqrt(1 - rho) * ndtri(part)) / math.sqrt(rho)
    r = -math.sqrt(rho)
    joint = multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf([ndtri(pd), -z])
    closed = part * lgd * ndtr(z) + lgd * joint
    paid = expected_within(part * lgd, pd=pd, lgd=lgd, correlation=rho)
    assert paid == pytest.approx(closed, rel=1e-9, abs=1e-12)


def test_the_comparison_with_the_closed_form_can_fail() -> None:
    paid = expected_within(0.02, pd=0.03, lgd=0.4, correlation=0.12)
    assert paid != pytest.approx(
        expected_within(0.02, pd=0.03, lgd=0.4, correlation=0.1201), rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize(("pd", "lgd", "limit"), [(0.02, 0.4, 0.03), (0.1, 1.0, 0.2)])
def test_it_is_the_area_above_the_distribution(pd: float, lgd: float, limit: float) -> None:
    area, _ = quad(
        lambda x: 1 - loss_distribution(x, pd=pd, lgd=lgd, correlation=RHO), 0, limit, epsabs=1e-12
    )
    paid = expected_within(limit, pd=pd, lgd=lgd, correlation=RHO)
    assert paid == pytest.approx(area, rel=0, abs=1e-10)


def test_the_distribution_is_that_of_drawn_years() -> None:
    z = np.random.default_rng(7).standard_normal(200_000)
    losses = 0.4 * ndtr((ndtri(0.03) - math.sqrt(RHO) * z) / math.sqrt(1 - RHO))
    for x in (0.002, 0.01, 0.03, 0.08):
        share = loss_distribution(x, pd=0.03, lgd=0.4, correlation=RHO)
        assert float((losses <= x).mean()) == pytest.approx(share, abs=0.005)  # 4 standard errors


@given(pd=pds, lgd=lgds, rho=correlations, pair=st.tuples(limits, limits))
def test_a_higher_limit_never_pays_less(
    pd: float, lgd: float, rho: float, pair: tuple[float, float]
) -> None:
    low, high = (expected_within(a, pd=pd, lgd=lgd, correlation=rho) for a in sorted(pair))
    assert low <= high * (1 + 1e-10)


@given(pd=pds, lgd=lgds, rho=correlations, limit=limits)
def test_it_pays_neither_beyond_its_limit_nor_beyond_the_loss(
    pd: float, lgd: float, rho: float, limit: float
) -> None:
    assert 0 <= expected_within(limit, pd=pd, lgd=lgd, correlation=rho) <= min(limit, pd * lgd)
    assert 0 <= effective_cover(limit=limit, pd=pd, lgd=lgd, correlation=rho) <= 1


@given(pd=pds, lgd=lgds, rho=correlations)
def test_without_a_limit_it_pays_the_expected_loss(pd: float, lgd: float, rho: float) -> None:
    assert expected_within(math.inf, pd=pd, lgd=lgd, correlation=rho) == pd * lgd
    assert effective_cover(limit=math.inf, pd=pd, lgd=lgd, correlation=rho) == 1


def test_firms_that_all_fall_together_cost_the_limit_once_in_a_while() -> None:
    # as ρ -> 1 all default with probability PD, and the pool pays its limit then: PD min(LGD, a)
    assert expected_within(0.05, pd=0.03, lgd=0.4, correlation=1 - 1e-9) == pytest.approx(
        0.03 * 0.05, rel=1e-3
    )


def test_firms_that_fall_alone_cost_their_mean_every_year() -> None:
    # as ρ -> 0 the portfolio loses PD LGD for sure: min(PD LGD, a)
    assert expected_within(0.02, pd=0.03, lgd=0.4, correlation=1e-9) == pytest.approx(0.012)
    assert expected_within(0.01, pd=0.03, lgd=0.4, correlation=1e-9) == pytest.approx(0.01)


@pytest.mark.parametrize(("pd", "limit", "cover"), [(0.0, 0.05, 1.0), (0.0, 0.0, 0.0)])
def test_where_nothing_is_lost_only_a_nil_limit_covers_nothing(
    pd: float, limit: float, cover: float
) -> None:
    assert effective_cover(limit=limit, pd=pd, lgd=0.4, correlation=RHO) == cover


def test_the_distribution_ends_at_nil_and_at_the_loss_given_default() -> None:
    at = [loss_distribution(x, pd=0.03, lgd=0.4, correlation=RHO) for x in (-0.1, 0, 0.4, 0.5)]
    assert at == [0.0, 0.0, 1.0, 1.0]
    assert loss_distribution(0.1, pd=1.0, lgd=0.4, correlation=RHO) == 0.0
    assert loss_distribution(0.0, pd=0.0, lgd=0.4, correlation=RHO) == 1.0


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        expected_within(-0.01, pd=1.5, lgd=math.nan, correlation=0.0)
    assert [fault.field for fault in raised.value.faults] == ["pd", "lgd", "correlation", "limit"]
    assert raised.value.faults[-1].given == "-0.01"
