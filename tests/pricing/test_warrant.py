from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import InputError
from pricing.warrant import Warrant, call_value, value_share

SEVEN_YEARS = Warrant(coverage=0.05, years=7, volatility=0.6)


def test_the_published_call_is_reproduced() -> None:
    # design note on pricing, section 5, computed with QuantLib 1.44
    value = call_value(spot=100, strike=100, years=7, volatility=0.6, rate=0.03)
    assert value == pytest.approx(61.6757594, rel=0, abs=1e-7)


def test_a_share_that_jumps_to_nil_at_default_makes_the_call_dearer() -> None:
    # same source, with h = 10 %: r + h is drift and discount rate, and nothing else is multiplied
    value = call_value(
        spot=100, strike=100, years=7, volatility=0.6, rate=0.03, default_intensity=0.1
    )
    assert value == pytest.approx(74.8041429, rel=0, abs=1e-7)
    assert math.exp(-0.1 * 7) * value < 61.67, "counting the default twice would show"


@pytest.mark.parametrize("intensity", [0.01, 0.05, 0.1])
def test_a_default_intensity_adds_to_the_rate_of_quantlib_s_call(intensity: float) -> None:
    value = call_value(
        spot=100, strike=90, years=7, volatility=0.6, rate=0.03, default_intensity=intensity
    )
    assert value == pytest.approx(quantlib_call(90.0, 7, 0.6, 0.03 + intensity), rel=1e-12)


def test_five_percent_coverage_is_worth_the_published_running_spread() -> None:
    # same source: 30,837.88 on a loan of one million, over a risky annuity of 2.6405691
    share = value_share(SEVEN_YEARS, rate=0.03)
    assert 1e6 * share == pytest.approx(30_837.88, rel=0, abs=5e-3)
    assert 1e4 * share / 2.6405691 == pytest.approx(116.785, rel=0, abs=5e-4)


@pytest.mark.parametrize("years", [1, 3, 10])
@pytest.mark.parametrize("strike", [60.0, 100.0, 180.0])
@pytest.mark.parametrize("volatility", [0.2, 0.9])
@pytest.mark.parametrize("rate", [-0.01, 0.0, 0.08])
def test_any_call_is_quantlib_s(years: int, strike: float, volatility: float, rate: float) -> None:
    value = call_value(spot=100, strike=strike, years=years, volatility=volatility, rate=rate)
    expected = quantlib_call(strike, years, volatility, rate)
    assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_the_comparison_with_quantlib_can_fail() -> None:
    value = call_value(spot=100, strike=100, years=3, volatility=0.5001, rate=0.02)
    assert abs(value - quantlib_call(100.0, 3, 0.5, 0.02)) > 1e-3


def quantlib_call(strike: float, years: int, volatility: float, rate: float) -> float:
    """Return the call on a share of 100 by QuantLib's analytic European engine."""
    ql: Any = pytest.importorskip("QuantLib")  # Any: its stubs do not cover what is used here
    today = ql.Date(1, 1, 2025)
    ql.Settings.instance().evaluationDate = today
    thirty = ql.Thirty360(ql.Thirty360.BondBasis)  # every month is a twelfth
    process = ql.BlackScholesProcess(
        ql.QuoteHandle(ql.SimpleQuote(100.0)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, rate, thirty, ql.Continuous)),
        ql.BlackVolTermStructureHandle(
            ql.BlackConstantVol(today, ql.NullCalendar(), volatility, thirty)
        ),
    )
    expiry = ql.EuropeanExercise(today + ql.Period(years, ql.Years))
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, strike), expiry)
    option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
    return float(option.NPV())


@given(
    strike=st.floats(0.2, 5.0),
    years=st.floats(0.1, 15.0),
    volatility=st.floats(0.05, 2.0),
    rate=st.floats(-0.02, 0.1),
    more=st.floats(0.0, 0.5),
)
def test_a_call_lies_between_its_intrinsic_value_and_the_share(
    strike: float, years: float, volatility: float, rate: float, more: float
) -> None:
    value = call_value(spot=1, strike=strike, years=years, volatility=volatility, rate=rate)
    wilder = call_value(spot=1, strike=strike, years=years, volatility=volatility + more, rate=rate)
    assert max(1 - strike * math.exp(-rate * years), 0) - 1e-12 <= value <= wilder + 1e-12
    assert wilder <= 1


def test_coverage_is_counted_at_the_strike() -> None:
    """5 % of a loan buys half as many shares at twice the strike."""
    dear = Warrant(coverage=0.05, years=7, volatility=0.6, strike_ratio=2.0)
    call = call_value(spot=100, strike=200, years=7, volatility=0.6, rate=0.03)
    assert 1e6 * value_share(dear, rate=0.03) == pytest.approx(250 * call, rel=1e-12)


def test_dilution_takes_its_share() -> None:
    diluted = Warrant(coverage=0.05, years=7, volatility=0.6, dilution=0.2)
    whole = value_share(SEVEN_YEARS, rate=0.03)
    assert value_share(diluted, rate=0.03) == pytest.approx(0.8 * whole, rel=1e-12)


def test_every_fault_of_a_warrant_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        Warrant(coverage=0, years=math.nan, volatility=-1, strike_ratio=math.inf, dilution=True)
    assert sorted(fault.field for fault in raised.value.faults) == [
        f"instrument.warrant.{name}"
        for name in ("coverage", "dilution", "strike_ratio", "volatility", "years")
    ]
