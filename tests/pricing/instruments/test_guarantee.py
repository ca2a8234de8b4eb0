from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.credit import Credit
from pricing.errors import InputError, PolicyError
from pricing.instruments.guarantee import Guarantee
from pricing.instruments.term_loan import TermLoan
from pricing.offers import NOTHING_ELSE, GuaranteeOffer
from pricing.schedule import Terms
from pricing.survival import DEFAULT, LGD
from tests.pricing.cases import EDGES, STANDARD, Floats, bare, flat, margins, terms
from tests.pricing.instruments import oracle
from tests.pricing.instruments.laws import (
    LIKELY,
    Distorted,
    assert_adds_up,
    assert_explained,
    assert_gradient,
    assert_smooth_gradient,
    figure,
    lines,
    moves,
    riskier,
)

FAIR = flat(annual_hazard=0.05, lgd=0.4)
THREE_YEARS = Terms(1e6, 36, "bullet", payment_months=3)


@st.composite
def guarantees(draw: st.DrawFn) -> Guarantee:
    rate = st.floats(0.0, 0.3)
    asked = draw(terms())
    given_rate = draw(rate) if asked.repayment == "annuity" else None
    return Guarantee(asked, draw(st.floats(0.01, 0.8)), given_rate)


def priced(guarantee: Guarantee) -> Credit:
    return guarantee.priced(STANDARD, EDGES)


@given(guarantees(), margins())
def test_the_fee_is_that_of_the_slow_way(guarantee: Guarantee, m: Floats) -> None:
    expected = oracle.guarantee_fee(guarantee, STANDARD, m)
    assert figure(priced(guarantee), m) == pytest.approx(expected, rel=1e-9, abs=1e-7)


def test_the_slow_way_can_disagree() -> None:
    annuity = Guarantee(replace(THREE_YEARS, repayment="annuity"), 0.8, loan_rate=0.05)
    expected = oracle.guarantee_fee(annuity, STANDARD, FAIR)
    assert abs(figure(priced(replace(annuity, loan_rate=0.15)), FAIR) - expected) > 0.1


@pytest.mark.parametrize("repayment", ["bullet", "linear"])
def test_the_fee_covers_its_share_of_the_loss_of_a_credit_default_swap(repayment: str) -> None:
    # design note on pricing, section 1: hazard 5 %, LGD 40 %, 3 % continuous, 3 years,
    # quarterly: 200.7441 bp; the policy adds 30 bp for administration and 20 bp of margin
    guarantee = Guarantee(replace(THREE_YEARS, repayment=repayment), covered_share=0.8)
    fee_bps = figure(guarantee.priced(bare(0.03), EDGES), FAIR)
    assert fee_bps == pytest.approx(0.8 * 200.7441 + 30 + 20, rel=0, abs=1e-4)


@pytest.mark.parametrize("repayment", ["bullet", "linear"])
def test_the_fee_is_the_share_of_what_the_bank_would_charge_for_loss_and_capital(
    repayment: str,
) -> None:
    asked = replace(THREE_YEARS, repayment=repayment)
    bank = lines(TermLoan(asked).priced(STANDARD, EDGES).price(FAIR))
    price = priced(Guarantee(asked, covered_share=0.7)).price(FAIR)
    assert lines(price) == pytest.approx(
        {
            "expected_loss": 0.7 * bank["expected_loss"],
            "capital": 0.7 * bank["capital"],
            "opex": 30.0,
            "margin": 20.0,
        },
        rel=1e-12,
    )


def test_the_capital_is_the_published_one() -> None:
    # design note on pricing, section 1: PD 2 %, M 2.5: 115.70 bp for all of the loan
    m = flat(annual_hazard=-math.log(0.98), lgd=0.4)
    guarantee = Guarantee(Terms(1e6, 30, "bullet", payment_months=6), covered_share=0.8)
    capital_bps = lines(priced(guarantee).price(m))["capital"]
    assert capital_bps == pytest.approx(0.8 * 115.70, rel=0, abs=4e-3)


def test_a_guarantor_lends_nothing() -> None:
    """No cost of funds, and no floor or cap of a spread."""
    price = priced(Guarantee(THREE_YEARS, 0.8)).price(flat(annual_hazard=6.0, lgd=0.9))
    assert price.figure == "fee_bps"
    assert STANDARD.spread_cap_bps == 3000 < price.figure_bps == price.charged_bps
    assert price.rate == pytest.approx(1e-4 * price.figure_bps, rel=1e-15)


@given(guarantees(), margins(), st.floats(0.0, 1.0))
def test_more_cover_never_lowers_the_fee(guarantee: Guarantee, m: Floats, part: float) -> None:
    more = replace(
        guarantee, covered_share=guarantee.covered_share + part * (0.8 - guarantee.covered_share)
    )
    assert figure(priced(more), m) >= figure(priced(guarantee), m) - 1e-9


@given(guarantees(), margins(default=LIKELY), st.floats(0.0, 0.3))
def test_more_hazard_never_lowers_the_fee(guarantee: Guarantee, m: Floats, more: float) -> None:
    credit = priced(guarantee)
    assert figure(credit, riskier(m, more)) >= figure(credit, m) - 1e-9


@given(guarantees(), margins())
def test_the_lines_add_up_and_no_hazard_is_no_loss(guarantee: Guarantee, m: Floats) -> None:
    credit = priced(guarantee)
    assert_adds_up(credit.price(m))
    m[DEFAULT] = -math.inf
    assert lines(credit.price(m))["expected_loss"] == 0


@given(guarantees(), margins(default=(-8.0, 0.0)))
def test_the_adjoint_is_the_derivative(guarantee: Guarantee, m: Floats) -> None:
    assert_smooth_gradient(priced(guarantee), m)


@pytest.mark.parametrize("row", [DEFAULT, LGD])
def test_a_wrong_adjoint_is_caught(row: int) -> None:
    credit = priced(Guarantee(replace(THREE_YEARS, repayment="annuity"), 0.8, loan_rate=0.05))
    assert_gradient(credit, FAIR, atol=1e-7)
    with pytest.raises(AssertionError):
        assert_gradient(Distorted.of(credit, row), FAIR, atol=1e-7)


@given(guarantees(), moves())
def test_the_weights_explain_any_move(guarantee: Guarantee, move: tuple[Floats, Floats]) -> None:
    assert_explained(priced(guarantee), *move)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.0001, math.nan])
def test_more_than_all_and_less_than_nothing_are_refused(share: float) -> None:
    with pytest.raises(InputError, match=r"instrument\.covered_share must be in \(0, 1\]"):
        Guarantee(THREE_YEARS, share)


def test_an_annuity_needs_the_lender_s_rate() -> None:
    with pytest.raises(InputError) as raised:
        Guarantee(Terms(1e6, 36, "annuity"), covered_share=2.0)
    assert [fault.field for fault in raised.value.faults] == [
        "instrument.covered_share",
        "instrument.loan_rate",
    ]


@pytest.mark.parametrize("rate", [-0.01, 1.01, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match=r"instrument\.loan_rate must be an annual rate"):
        Guarantee(THREE_YEARS, 0.8, rate)


def test_a_cover_above_the_policy_s_names_the_share() -> None:
    half = replace(NOTHING_ELSE, guarantee=GuaranteeOffer(0.5, 30.0, 20.0))
    under = replace(STANDARD, offers=half)
    Guarantee(THREE_YEARS, 0.5).priced(under, EDGES)
    with pytest.raises(InputError, match=r"instrument\.covered_share must be at most 0\.5, the"):
        Guarantee(THREE_YEARS, 0.51).priced(under, EDGES)


def test_a_policy_without_guarantees_does_not_quote() -> None:
    with pytest.raises(PolicyError, match=r"no section \[guarantee\]"):
        Guarantee(THREE_YEARS, 0.8).priced(replace(STANDARD, offers=NOTHING_ELSE), EDGES)
