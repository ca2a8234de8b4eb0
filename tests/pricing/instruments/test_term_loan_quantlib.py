"""Random loans beside QuantLib: a loan that repays is a sum of credit default swaps that end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms, profile
from tests.pricing.cases import BUCKETS, EDGES, Floats, bare

ql: Any = pytest.importorskip("QuantLib")  # Any: its stubs do not cover what is used here

LGD = 0.4


def quantlib_spread(shares: Floats, payment_months: int, hazards: Floats, rate: float) -> float:
    """Return Σ protection / Σ coupons of one bp, in bp, over a swap for every repayment."""
    today = ql.Date(1, 1, 2025)
    ql.Settings.instance().evaluationDate = today
    thirty = ql.Thirty360(ql.Thirty360.BondBasis)  # every month is a twelfth
    ends = [today + ql.Period(int(edge), ql.Months) for edge in EDGES]
    annual = [float(hazards[0]), *map(float, hazards)]
    default = ql.DefaultProbabilityTermStructureHandle(ql.HazardRateCurve(ends, annual, thirty))
    flat = ql.FlatForward(today, rate, thirty, ql.Continuous)
    engine = ql.MidPointCdsEngine(default, 1 - LGD, ql.YieldTermStructureHandle(flat))
    repaid = shares - np.append(shares[1:], 0.0)
    protection, coupons = 0.0, 0.0
    for k, part in enumerate(repaid, start=1):
        if part == 0:
            continue
        end = today + ql.Period(k * payment_months, ql.Months)
        dates = ql.Schedule(
            today,
            end,
            ql.Period(payment_months, ql.Months),
            ql.NullCalendar(),
            ql.Unadjusted,
            ql.Unadjusted,
            ql.DateGeneration.Forward,
            False,
        )
        swap = ql.CreditDefaultSwap(
            ql.Protection.Buyer, float(part), 0.01, dates, ql.Unadjusted, thirty, True, True
        )
        swap.setPricingEngine(engine)
        protection += swap.defaultLegNPV()
        coupons -= swap.couponLegNPV() / 0.01
    return 1e4 * protection / coupons


@pytest.mark.parametrize("seed", range(24))
def test_the_loss_spread_of_a_random_loan_is_quantlib_s(seed: int) -> None:
    dice = np.random.default_rng(seed)
    payment_months = int(dice.choice([1, 3, 6]))
    periods = int(dice.integers(2, 60 // payment_months + 1))
    repayment = str(dice.choice(["bullet", "linear", "annuity"]))
    grace = 0 if repayment == "bullet" else int(dice.integers(0, periods))
    loan = Terms(1e6, periods * payment_months, repayment, grace * payment_months, payment_months)
    hazards = dice.uniform(0.002, 0.15, BUCKETS)  # annual
    zero_rate = float(dice.uniform(0.0, 0.06))
    m = np.array(
        [np.log(hazards / 12), [-math.inf] * BUCKETS, [math.log(LGD / (1 - LGD))] * BUCKETS]
    )
    price = TermLoan(loan).priced(bare(zero_rate), EDGES).price(m)
    unclipped_rate = price.waterfall[0].bps / 1e4 + price.figure_bps / 1e4
    shares = profile(loan, annual_rate=unclipped_rate).share
    expected = quantlib_spread(shares, payment_months, hazards, zero_rate)
    assert price.figure_bps == pytest.approx(expected, rel=0, abs=0.1)


def test_the_comparison_can_fail() -> None:
    loan = Terms(1e6, 36, "bullet", payment_months=3)
    hazards = np.full(BUCKETS, 0.05)
    m = np.array([np.log(hazards / 12), [-math.inf] * BUCKETS, [0.0] * BUCKETS])  # LGD 50 %
    spread_bps = TermLoan(loan).priced(bare(0.03), EDGES).price(m).figure_bps
    expected = quantlib_spread(profile(loan).share, 3, hazards, 0.03)
    assert expected == pytest.approx(200.7556, rel=0, abs=0.05)  # design note on pricing, section 1
    assert abs(spread_bps - expected) > 40
