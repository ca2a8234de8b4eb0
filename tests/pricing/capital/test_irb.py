from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import kernels
from pricing.capital.irb import AssetClass, capital_requirement, constants, risk_weight
from tests.pricing.cases import STANDARD

CORPORATE = AssetClass.CORPORATE
RETAIL = AssetClass.OTHER_RETAIL

# Risk weights in % at M 2.5: PD -> LGD 45 %, the same with sales of 5 m, 40 %, the same with 5 m,
# retail 45 %.
# Source: Basel II (2006), annex 5, illustrative IRB risk weights, for the columns at 45 %; SciPy on
# the formulas of CRE31 for those at 40 %.
PUBLISHED = {
    0.0005: (19.65, 15.40, 17.47, 13.69, 6.63),
    0.0025: (49.47, 39.01, 43.97, 34.68, 21.15),
    0.005: (69.61, 54.91, 61.88, 48.81, 32.36),
    0.01: (92.32, 72.39, 82.06, 64.35, 45.77),
    0.02: (114.85, 88.55, 102.09, 78.71, 57.99),
    0.03: (128.44, 97.58, 114.17, 86.74, 62.79),
    0.05: (149.85, 112.26, 133.20, 99.79, 66.42),
    0.10: (193.09, 146.51, 171.63, 130.23, 75.54),
    0.20: (238.23, 188.42, 211.76, 167.48, 100.28),
}
COLUMNS = (
    constants(CORPORATE, lgd=0.45),
    constants(CORPORATE, lgd=0.45, sales_millions=5),
    constants(CORPORATE, lgd=0.40),
    constants(CORPORATE, lgd=0.40, sales_millions=5),
    constants(RETAIL, lgd=0.45),
)
pds = st.floats(0.0006, 0.9)


def percent(pd: float, basel: kernels.Floats, maturity_years: float = 2.5) -> float:
    return 100 * risk_weight(pd=pd, maturity_years=maturity_years, basel=basel)


@pytest.mark.parametrize("column", range(5))
@pytest.mark.parametrize("pd", PUBLISHED)
def test_risk_weights_are_the_published_ones_within_two_hundredths(pd: float, column: int) -> None:
    assert percent(pd, COLUMNS[column]) == pytest.approx(PUBLISHED[pd][column], rel=0, abs=0.02)


def test_the_table_tells_an_asset_class_from_another() -> None:
    assert abs(percent(0.01, COLUMNS[0]) - PUBLISHED[0.01][1]) > 1
    assert abs(percent(0.01, COLUMNS[4]) - PUBLISHED[0.01][0]) > 1


@pytest.mark.parametrize(
    ("pd", "lgd", "sales", "maturity_years", "expected"),
    [  # computed with SciPy from the formulas of CRE31, design note on pricing, section 2
        (0.01, 0.45, None, 1.0, 73.278),
        (0.01, 0.45, None, 5.0, 124.048),
        (0.02, 0.40, 15.0, 3.0, 88.487),
    ],
)
def test_maturity_and_sales_move_the_risk_weight(
    pd: float, lgd: float, sales: float | None, maturity_years: float, expected: float
) -> None:
    basel = constants(CORPORATE, lgd=lgd, sales_millions=sales)
    assert percent(pd, basel, maturity_years) == pytest.approx(expected, rel=0, abs=5e-4)


def test_the_parts_of_the_formula_at_one_percent() -> None:
    # same source: b 0.137486, maturity adjustment 1.259810, conditional PD 0.140272678
    loss, _, b, _ = kernels.unexpected_loss(0.01, constants(CORPORATE, lgd=1.0))
    assert loss + 0.01 == pytest.approx(0.140272678, rel=0, abs=5e-10)
    assert b == pytest.approx(0.137486, rel=0, abs=5e-7)
    assert kernels.maturity_term(2.5, b)[0] == pytest.approx(1.259810, rel=0, abs=5e-7)


def test_large_financials_carry_a_quarter_more_correlation() -> None:
    plain, large = (constants(kind, lgd=0.45) for kind in (CORPORATE, AssetClass.LARGE_FINANCIAL))
    pd, normal = 0.01, NormalDist()
    r = 1.25 * 0.192784  # R at PD 1 %, design note on pricing, section 2
    u = (normal.inv_cdf(pd) + math.sqrt(r) * normal.inv_cdf(0.999)) / math.sqrt(1 - r)
    expected = 0.45 * (normal.cdf(u) - pd)
    assert kernels.unexpected_loss(pd, large)[0] == pytest.approx(expected, rel=1e-5)
    assert kernels.unexpected_loss(pd, plain)[0] < expected


@pytest.mark.parametrize("years", [0.1, 1.0])
def test_maturities_outside_one_to_five_years_are_clipped(years: float) -> None:
    basel = COLUMNS[0]
    assert percent(0.02, basel, years) == percent(0.02, basel, 1.0)
    assert percent(0.02, basel, 5 + years) == percent(0.02, basel, 5.0)


def test_below_the_floor_the_pd_of_the_floor_is_used() -> None:
    floor = capital_requirement(pd=0.0005, maturity_years=2.5, basel=COLUMNS[0])
    for pd in (0.0, 1e-9, 0.0004999):
        assert capital_requirement(pd=pd, maturity_years=2.5, basel=COLUMNS[0]) == floor
        assert kernels.unexpected_loss(pd, COLUMNS[0])[1::2] == (0.0, 0.0)


def test_certain_default_needs_no_capital_for_the_unexpected() -> None:
    assert capital_requirement(pd=1.0, maturity_years=2.5, basel=COLUMNS[0]) == pytest.approx(0)


@given(pd=pds, years=st.floats(1.01, 4.99), column=st.integers(0, 4))
def test_derivatives_are_those_of_finite_differences(pd: float, years: float, column: int) -> None:
    basel, h = COLUMNS[column], 1e-6
    _, loss_pd, b, b_pd = kernels.unexpected_loss(pd, basel)
    up, down = (kernels.unexpected_loss(pd * (1 + s * h), basel) for s in (1, -1))
    assert loss_pd == pytest.approx((up[0] - down[0]) / (2 * h * pd), rel=1e-6, abs=1e-8)
    assert b_pd == pytest.approx((up[2] - down[2]) / (2 * h * pd), rel=1e-6, abs=1e-8)
    _, by_b, by_years = kernels.maturity_term(years, b)
    terms = [kernels.maturity_term(years, b + s * h)[0] for s in (1, -1)]
    assert by_b == pytest.approx((terms[0] - terms[1]) / (2 * h), rel=1e-6, abs=1e-8)
    terms = [kernels.maturity_term(years + s * h, b)[0] for s in (1, -1)]
    assert by_years == pytest.approx((terms[0] - terms[1]) / (2 * h), rel=1e-6, abs=1e-8)


@given(st.floats(1e-300, 1 - 1e-15))
def test_the_normal_quantile_is_that_of_the_standard_library(p: float) -> None:
    # statistics.NormalDist uses Wichura's AS 241, which keeps 16 digits
    assert kernels.normal_quantile(p) == pytest.approx(
        NormalDist().inv_cdf(p), rel=1e-12, abs=1e-14
    )


def test_the_normal_distribution_keeps_its_digits_in_the_tail() -> None:
    # Abramowitz & Stegun, table 26.2: 1 - P(5) = 2.866516e-7, 1 - P(10) = 7.619853e-24
    assert kernels.normal_cdf(-5.0) == pytest.approx(2.866516e-7, rel=1e-6)
    assert kernels.normal_cdf(-10.0) == pytest.approx(7.619853e-24, rel=1e-6)


# One period: FTP 2.5 %, opex 80 bp, h 12 %, tax 25 %, r_C 2 %, kappa 10.5 %, LGD 40 %, M 2.5,
# sales 5 m. PD -> RW in %, EL, capital and spread in bp, rate in %.
# Source: design note on pricing, section 1.
ONE_PERIOD = {
    0.01: (64.3509, 40.0, 94.60, 214.60, 4.6460),
    0.02: (78.7072, 80.0, 115.70, 275.70, 5.2570),
    0.03: (86.7360, 120.0, 127.50, 327.50, 5.7750),
    0.05: (99.7906, 200.0, 146.69, 426.69, 6.7669),
}


@pytest.mark.parametrize("pd", ONE_PERIOD)
def test_the_one_period_price_is_the_published_one(pd: float) -> None:
    weight, loss_bps, capital_bps, spread_bps, rate = ONE_PERIOD[pd]
    k = capital_requirement(pd=pd, maturity_years=2.5, basel=STANDARD.basel)
    assert 1250 * k == pytest.approx(weight, rel=0, abs=5e-5)
    charge_bps = STANDARD.capital_scale_bps * k
    assert charge_bps == pytest.approx(capital_bps, rel=0, abs=5e-3)
    assert 1e4 * pd * 0.4 == pytest.approx(loss_bps)
    total_bps = loss_bps + charge_bps + 80
    assert total_bps == pytest.approx(spread_bps, rel=0, abs=5e-3)
    assert 2.5 + total_bps / 100 == pytest.approx(rate, rel=0, abs=5e-5)


@given(pd=pds)
def test_pricing_at_the_hurdle_earns_the_hurdle(pd: float) -> None:
    """RAROC = (revenue - FTP - opex - EL + r_C C)(1 - tax)/C is 12 %, whatever the PD."""
    p = STANDARD
    k = capital_requirement(pd=pd, maturity_years=2.5, basel=p.basel)
    capital = p.capital_ratio * 12.5 * k
    revenue_above_cost = 1e-4 * p.capital_scale_bps * k
    raroc = (revenue_above_cost + p.capital_return * capital) * (1 - p.tax_rate) / capital
    assert raroc == pytest.approx(0.12, rel=1e-12)


def test_the_hurdle_check_can_fail() -> None:
    k = capital_requirement(pd=0.02, maturity_years=2.5, basel=STANDARD.basel)
    capital = STANDARD.capital_ratio * 12.5 * k
    raroc = (1e-4 * (STANDARD.capital_scale_bps + 1) * k + 0.02 * capital) * 0.75 / capital
    assert raroc != pytest.approx(0.12, rel=1e-12)
    assert np.isfinite(raroc)
