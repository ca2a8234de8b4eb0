from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.capital.raroc import capital_held, exact_rate, hurdle_spread, raroc
from pricing.errors import InputError
from tests.pricing.cases import STANDARD

# FTP 2.5 %, opex 80 bp, h 12 %, tax 25 %, r_C 2 %, kappa 10.5 %, LGD 40 %, M 2.5, sales 5 m.
# PD -> RW in %, EL, capital and spread in bp, rate in %, exact rate in %.
# Source: design note on pricing, section 1, computed with SciPy.
POLICY = replace(
    STANDARD,
    hurdle_rate=0.12,
    tax_rate=0.25,
    capital_ratio=0.105,
    capital_return=0.02,
    opex_bps=80.0,
    regulatory_lgd=0.4,
    annual_sales_millions=5.0,
)
TABLE = {
    0.01: (64.3509, 40.0, 94.60, 214.60, 4.6460, 4.692887),
    0.02: (78.7072, 80.0, 115.70, 275.70, 5.2570, 5.364281),
    0.03: (86.7360, 120.0, 127.50, 327.50, 5.7750, 5.953629),
    0.05: (99.7906, 200.0, 146.69, 426.69, 6.7669, 7.123076),
}
FUNDING = 0.025
pds, lgds = st.floats(1e-4, 0.95), st.floats(0.0, 1.0)


@pytest.mark.parametrize("pd", TABLE)
def test_the_hurdle_spread_is_the_published_one(pd: float) -> None:
    weight, loss_bps, capital_bps, spread_bps, rate, _ = TABLE[pd]
    held = capital_held(pd=pd, policy=POLICY)
    assert 100 * held / 0.105 == pytest.approx(weight, rel=0, abs=5e-5)
    assert 1e4 * held * POLICY.capital_cost == pytest.approx(capital_bps, rel=0, abs=5e-3)
    spread = hurdle_spread(pd=pd, lgd=0.4, policy=POLICY)
    assert spread == pytest.approx(spread_bps, rel=0, abs=5e-3)
    assert spread - capital_bps - 80 == pytest.approx(loss_bps, rel=0, abs=5e-3)
    assert 100 * FUNDING + spread / 100 == pytest.approx(rate, rel=0, abs=5e-5)


@pytest.mark.parametrize("pd", TABLE)
def test_the_exact_rate_is_the_published_one(pd: float) -> None:
    rate = exact_rate(pd=pd, lgd=0.4, funding_rate=FUNDING, policy=POLICY)
    assert 100 * rate == pytest.approx(TABLE[pd][-1], rel=0, abs=5e-7)


@given(pd=pds, lgd=lgds, years=st.floats(0.5, 7.0))
def test_pricing_at_the_hurdle_earns_the_hurdle(pd: float, lgd: float, years: float) -> None:
    spread = hurdle_spread(pd=pd, lgd=lgd, policy=POLICY, maturity_years=years)
    earned = raroc(spread_bps=spread, pd=pd, lgd=lgd, policy=POLICY, maturity_years=years)
    assert earned == pytest.approx(0.12, rel=1e-9)


def test_the_check_of_the_hurdle_can_fail() -> None:
    spread = hurdle_spread(pd=0.02, lgd=0.4, policy=POLICY) + 1e-3
    assert raroc(spread_bps=spread, pd=0.02, lgd=0.4, policy=POLICY) != pytest.approx(
        0.12, rel=1e-9
    )


@given(pd=pds, lgd=lgds)
def test_a_basis_point_more_earns_its_share_of_the_capital(pd: float, lgd: float) -> None:
    at = [raroc(spread_bps=bps, pd=pd, lgd=lgd, policy=POLICY) for bps in (200.0, 201.0)]
    expected = 1e-4 * 0.75 / capital_held(pd=pd, policy=POLICY)
    assert at[1] - at[0] == pytest.approx(expected, rel=1e-6)


@given(pd=pds, lgd=lgds)
def test_at_the_exact_rate_the_lender_gets_back_all_its_costs(pd: float, lgd: float) -> None:
    rate = exact_rate(pd=pd, lgd=lgd, funding_rate=FUNDING, policy=POLICY)
    received = (1 - pd) * (1 + rate) + pd * (1 - lgd)
    costs = FUNDING + 0.008 + capital_held(pd=pd, policy=POLICY) * POLICY.capital_cost
    assert received == pytest.approx(1 + costs, rel=1e-12)


@given(pd=pds)
def test_the_exact_rate_is_above_the_simple_one_for_defaults_pay_none(pd: float) -> None:
    simple = FUNDING + 1e-4 * hurdle_spread(pd=pd, lgd=0.4, policy=POLICY)
    assert exact_rate(pd=pd, lgd=0.4, funding_rate=FUNDING, policy=POLICY) > simple


def test_the_margin_is_beyond_the_hurdle() -> None:
    dear = replace(POLICY, margin_bps=50.0)
    assert hurdle_spread(pd=0.02, lgd=0.4, policy=dear) == hurdle_spread(
        pd=0.02, lgd=0.4, policy=POLICY
    )


def test_without_capital_there_is_no_return_on_it() -> None:
    with pytest.raises(InputError, match="capital must be above 0 for a return on it"):
        raroc(spread_bps=200.0, pd=0.02, lgd=0.4, policy=replace(POLICY, capital_ratio=0.0))


def test_no_rate_makes_up_for_a_default_that_is_certain() -> None:
    with pytest.raises(InputError, match="pd must be below 1"):
        exact_rate(pd=1.0, lgd=0.4, funding_rate=FUNDING, policy=POLICY)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        raroc(spread_bps=math.inf, pd=-0.1, lgd=math.nan, policy=POLICY)
    assert [fault.field for fault in raised.value.faults] == ["pd", "lgd", "spread_bps"]
