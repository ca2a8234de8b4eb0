"""What holds for every instrument, whatever is special about it."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import policy
from pricing.arrange import arranged
from pricing.deal import Deal
from pricing.instruments.equity import Equity
from pricing.instruments.guarantee import Guarantee
from pricing.instruments.insurance import Insurance
from pricing.instruments.ma_loan import MaLoan
from pricing.instruments.rd_loan import Milestone, RdLoan
from pricing.instruments.revolving_line import RevolvingLine
from pricing.instruments.term_loan import TermLoan
from pricing.instruments.venture_debt import VentureDebt
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.support.scheme import Share
from pricing.support.supported import Support
from pricing.survival import DEFAULT
from pricing.valuation import Stage
from pricing.warrant import Warrant
from serving.instruments import KINDS
from tests.pricing.cases import EDGES, Floats, margins
from tests.pricing.instruments.laws import LIKELY, assert_adds_up, figure, lines, riskier

CHINA = policy.load(currency="CNY")
RISEN = ("expected_loss", "expected_claims", "safety_loading", "expenses")
DAY = date(2026, 3, 1)


@st.composite
def shapes(draw: st.DrawFn, *repayments: str, longest: int = 36) -> Terms:
    """Draw the terms of a loan of a million that every instrument's policy allows."""
    step = draw(st.sampled_from((1, 3, 12)))
    periods = draw(st.integers(1, longest // step))
    repayment = draw(st.sampled_from(repayments))
    grace = 0 if repayment == "bullet" else draw(st.integers(0, periods - 1))
    return Terms(1e6, periods * step, repayment, grace * step, step)


def drawn_in_two(terms: Terms, success: float, pledge: float) -> RdLoan:
    at = terms.payment_months
    late = terms.grace_months if terms.repayment == "linear" else terms.term_months - at
    steps = (Milestone(0, 0.4), Milestone(at, 0.6, success)) if late >= at else (Milestone(0, 1.0),)
    return RdLoan(terms, steps, pledge)


def guaranteed(terms: Terms, share: float, rate: float) -> Guarantee:
    return Guarantee(terms, share, rate if terms.repayment == "annuity" else None)


ANY = shapes("bullet", "linear", "annuity", longest=84)
SHARE = st.floats(0.01, 0.8)
LENT: dict[str, st.SearchStrategy[Deal]] = {
    "term_loan": st.builds(TermLoan, ANY),
    "revolving_line": st.builds(RevolvingLine, shapes("bullet"), SHARE, st.floats(0.0, 200.0)),
    "rd_loan": st.builds(
        drawn_in_two, shapes("bullet", "linear"), st.floats(0.1, 1.0), st.floats(0.0, 5e6)
    ),
    "ma_loan": st.builds(MaLoan, ANY, st.just(2e6), st.booleans()),
    "venture_debt": st.builds(
        VentureDebt, ANY, st.builds(Warrant, st.floats(0.001, 0.05), st.just(7.0), st.just(0.6))
    ),
}
DRAWN: dict[str, st.SearchStrategy[Deal]] = {
    **LENT,
    "guarantee": st.builds(guaranteed, ANY, SHARE, st.floats(0.0, 0.2)),
    "insurance": st.builds(
        Insurance, shapes("bullet"), st.sampled_from([*CHINA.offers.insurance]), SHARE
    ),
    "equity": st.builds(
        Equity,
        amount=st.just(1e6),
        ownership=SHARE,
        horizon_months=st.integers(1, 120),
        exit_value=st.floats(1e6, 1e8),
        discount_rate=st.floats(0.0, 0.3),
        stages=st.sampled_from(((), (Stage(0, 1e5, 0.5), Stage(1, 1e5, 0.5)))),
    ),
}
kinds = pytest.mark.parametrize("kind", DRAWN)
lent = pytest.mark.parametrize("kind", LENT)


def test_no_instrument_is_passed_over() -> None:
    assert sorted(DRAWN) == sorted(KINDS)


@kinds
@given(st.data(), margins())
def test_the_lines_add_up(kind: str, data: st.DataObject, m: Floats) -> None:
    assert_adds_up(data.draw(DRAWN[kind]).priced(CHINA, EDGES).price(m))


@kinds
@given(st.data(), margins())
def test_no_hazard_costs_no_loss(kind: str, data: st.DataObject, m: Floats) -> None:
    m[DEFAULT] = -math.inf
    price = data.draw(DRAWN[kind]).priced(CHINA, EDGES).price(m)
    assert {bps for name, bps in lines(price).items() if name in RISEN} <= {0.0}
    assert set(price.pd.values()) == {0.0}
    assert price.annual_pd == 0.0


@kinds
@given(st.data(), margins(default=LIKELY), st.floats(0.0, 0.3))
def test_more_hazard_never_pays(kind: str, data: st.DataObject, m: Floats, more: float) -> None:
    """A lender asks for no less, and a stake with its costs behind it is worth no more."""
    deal = data.draw(DRAWN[kind])
    if isinstance(deal, Equity):
        deal = replace(deal, stages=())
    instrument = deal.priced(CHINA, EDGES)
    dearer = figure(instrument, riskier(m, more)) - figure(instrument, m)
    assert (-dearer if kind == "equity" else dearer) >= -1e-9


def covering(share: float) -> Policy:
    """Return the policy with another cover of the example guarantee, which takes no fee."""
    (scheme,) = (each for each in CHINA.schemes if each.name == "guarantee_80")
    bank, guarantor = scheme.payers
    changed = replace(scheme, payers=(replace(bank, share=Share(1 - share)), guarantor))
    return replace(CHINA, schemes=(changed,))


@lent
@given(st.data(), margins(), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_more_cover_never_raises_the_bank_s_price(
    kind: str, data: st.DataObject, m: Floats, one: float, other: float
) -> None:
    deal, asked = data.draw(LENT[kind]), Support(DAY, scheme="guarantee_80")
    less, more = (
        arranged(deal, asked, covering(share), EDGES).price(m).charged_bps
        for share in sorted((one, other))
    )
    assert more <= less + 1e-9


@lent
@given(st.data(), margins())
def test_the_year_s_pd_is_no_less_than_that_of_a_shorter_loan(
    kind: str, data: st.DataObject, m: Floats
) -> None:
    price = data.draw(LENT[kind]).priced(CHINA, EDGES).price(m)
    if len(price.curves.default) > 12:
        assert price.annual_pd == pytest.approx(price.pd["12"], rel=1e-9, abs=1e-15)
    else:
        assert price.annual_pd > price.pd["12"]
