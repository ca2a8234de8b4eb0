from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given

from pricing import policy
from pricing.arrange import arranged
from pricing.capital import irb
from pricing.capital.raroc import raroc
from pricing.deal import Deal
from pricing.errors import InputError
from pricing.feedback import Feedback
from pricing.instruments.revolving_line import RevolvingLine
from pricing.instruments.term_loan import TermLoan
from pricing.instruments.venture_debt import VentureDebt
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.support.supported import Support
from pricing.warrant import Warrant
from tests.pricing.cases import EDGES, STANDARD, Floats, flat, margins, terms
from tests.pricing.instruments.laws import lines

# FTP 2.5 %, opex 80 bp, h 12 %, tax 25 %, r_C 2 %, kappa 10.5 %, LGD 40 %, M 2.5, sales 5 m.
# PD -> RW in %, EL, capital and spread in bp.
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
    0.01: (64.3509, 40.0, 94.60, 214.60),
    0.02: (78.7072, 80.0, 115.70, 275.70),
    0.03: (86.7360, 120.0, 127.50, 327.50),
    0.05: (99.7906, 200.0, 146.69, 426.69),
}
CHINA = policy.load(currency="CNY")
FAIR = flat(annual_hazard=0.05, lgd=0.4)
LOAN = Terms(1e6, 36, "linear", payment_months=3)
DEALS: tuple[Deal, ...] = (
    TermLoan(LOAN),
    TermLoan(replace(LOAN, repayment="annuity")),
    RevolvingLine(Terms(1e6, 24, "bullet"), utilisation=0.4, commitment_fee_bps=25.0),
    VentureDebt(LOAN, Warrant(0.05, years=7, volatility=0.6)),
)
SUPPORT = Support(
    date(2026, 3, 1),
    scheme="national_technology_guarantee",
    tier="high_tech",
    subsidy="technology_relending",
)


def at_the_hurdle(under: Policy) -> Policy:
    """Return the policy without what it asks beyond the hurdle."""
    return replace(under, margin_bps=0.0, spread_floor_bps=-1e4, spread_cap_bps=None)


def told(deal: Deal, under: Policy, m: Floats = FAIR, support: Support | None = None) -> float:
    return float(arranged(deal, support, under, EDGES).price(m).details["raroc"])


@pytest.mark.parametrize("pd", TABLE)
def test_the_published_spread_earns_the_hurdle(pd: float) -> None:
    weight, loss_bps, capital_bps, spread_bps = TABLE[pd]
    held = 0.105 * irb.risk_weight(pd=pd, maturity_years=2.5, basel=POLICY.basel)
    assert 100 * held / 0.105 == pytest.approx(weight, rel=0, abs=5e-5)
    assert 1e4 * held * POLICY.capital_cost == pytest.approx(capital_bps, rel=0, abs=5e-3)
    earned = raroc(income_bps=spread_bps - loss_bps - 80, capital_share=held, policy=POLICY)
    assert earned == pytest.approx(0.12, rel=0, abs=5e-6)


@pytest.mark.parametrize(
    ("pd", "rate"), [(0.01, 4.692887), (0.02, 5.364281), (0.03, 5.953629), (0.05, 7.123076)]
)
def test_our_capital_gives_the_published_rate_where_defaults_pay_nothing(
    pd: float, rate: float
) -> None:
    """(1 - PD)(1 + r) + PD (1 - LGD) = 1 + FTP + opex + capital; same source as the table."""
    held = 0.105 * irb.risk_weight(pd=pd, maturity_years=2.5, basel=POLICY.basel)
    costs = 0.025 + 0.008 + held * POLICY.capital_cost
    exact = (1 + costs - pd * (1 - 0.4)) / (1 - pd) - 1
    assert 100 * exact == pytest.approx(rate, rel=0, abs=5e-7)


@given(terms(), margins(default=(-9.0, -4.0)))
def test_a_rate_at_the_hurdle_earns_the_hurdle(asked: Terms, m: Floats) -> None:
    assert told(TermLoan(asked), at_the_hurdle(STANDARD), m) == pytest.approx(0.12, rel=1e-9)


@pytest.mark.parametrize("deal", DEALS, ids=lambda deal: f"{deal.kind}_{deal.terms.repayment}")
@pytest.mark.parametrize("support", [None, SUPPORT], ids=["alone", "supported"])
def test_so_does_every_loan_with_and_without_support(deal: Deal, support: Support | None) -> None:
    under = at_the_hurdle(CHINA)
    fed = replace(under, feedback=Feedback(0.05, 400.0))
    assert told(deal, under, support=support) == pytest.approx(0.12, rel=1e-9)
    assert told(deal, fed, support=support) == pytest.approx(0.12, rel=1e-9)


def test_what_is_charged_beyond_the_hurdle_is_earned_after_tax() -> None:
    price = arranged(TermLoan(LOAN), None, STANDARD, EDGES).price(FAIR)
    bps = lines(price)
    held = 1e-4 * bps["capital"] / (0.12 / 0.75 - 0.02)
    revenue_bps = price.charged_bps - bps["expected_loss"] - bps["opex"]
    by_hand = (1e-4 * revenue_bps + 0.02 * held) * 0.75 / held  # the design note's formula
    assert price.details["raroc"] == pytest.approx(by_hand, rel=1e-12)
    assert price.details["raroc"] == pytest.approx(0.12 + 1e-4 * 50 * 0.75 / held, rel=1e-9)


def test_a_cap_below_the_costs_is_seen() -> None:
    capped = replace(STANDARD, spread_cap_bps=100.0)
    assert told(TermLoan(LOAN), capped) < 0


def test_a_cover_that_frees_capital_leaves_less_to_earn_on() -> None:
    # 80 % weighted 20 % in place of RW: the same 50 bp of margin on less capital
    covered = Support(date(2026, 3, 1), scheme="guarantee_80")
    price = arranged(TermLoan(LOAN), covered, CHINA, EDGES).price(FAIR)
    bps = lines(price)
    held = 1e-4 * (bps["capital"] + bps["scheme_capital"]) / (0.12 / 0.75 - 0.02)
    assert price.details["raroc"] == pytest.approx(0.12 + 1e-4 * 50 * 0.75 / held, rel=1e-9)
    assert price.details["raroc"] > told(TermLoan(LOAN), CHINA)


def test_without_capital_there_is_no_return_on_it() -> None:
    bare = replace(STANDARD, capital_ratio=0.0)
    assert "raroc" not in arranged(TermLoan(LOAN), None, bare, EDGES).price(FAIR).details
    with pytest.raises(InputError, match="capital_share must be above 0 for a return on it"):
        raroc(income_bps=200.0, capital_share=0.0, policy=POLICY)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        raroc(income_bps=math.inf, capital_share=math.nan, policy=POLICY)
    assert [fault.field for fault in raised.value.faults] == ["income_bps", "capital_share"]
