from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import kernels
from pricing.credit import Credit
from pricing.errors import InputError
from pricing.instruments.term_loan import TermLoan
from pricing.instruments.venture_debt import VentureDebt
from pricing.schedule import Terms
from pricing.survival import DEFAULT, LGD
from pricing.warrant import Warrant
from tests.pricing.cases import EDGES, STANDARD, Floats, bare, flat, margins, terms
from tests.pricing.instruments.laws import (
    Distorted,
    assert_adds_up,
    assert_explained,
    assert_gradient,
    assert_smooth_gradient,
    figure,
    lines,
    moves,
)

FAIR = flat(annual_hazard=0.05, lgd=0.4)
THREE_YEARS = Terms(1e6, 36, "bullet", payment_months=3)
FIVE_PERCENT = Warrant(coverage=0.05, years=7, volatility=0.6)
PUBLISHED = VentureDebt(THREE_YEARS, FIVE_PERCENT)


@st.composite
def venture_debts(draw: st.DrawFn) -> VentureDebt:
    warrant = Warrant(
        coverage=draw(st.floats(0.01, 0.2)),
        years=draw(st.floats(0.5, 12.0)),
        volatility=draw(st.floats(0.2, 1.5)),
        strike_ratio=draw(st.floats(0.5, 2.0)),
        dilution=draw(st.floats(0.0, 0.5)),
    )
    return VentureDebt(draw(terms().filter(lambda each: each.term_months >= 12)), warrant)


def priced(debt: VentureDebt) -> Credit:
    return debt.priced(STANDARD, EDGES)


def test_the_warrant_has_the_published_worth() -> None:
    # design note on pricing, section 5: a call of 61.6757594 on 100, so that 5 % of a
    # million is worth 30,837.88
    price = PUBLISHED.priced(bare(0.03), EDGES).price(FAIR)
    assert price.details["warrant_value"] == pytest.approx(30_837.88, rel=0, abs=5e-3)


def test_the_published_running_equivalent_is_that_without_accrual() -> None:
    """The note's risky annuity pays at the ends of quarters only; ours also half a last one.

    Both follow from the swaps of its section 1: 0.05334249 / 202.0113 bp and / 200.7441 bp.
    """
    credit = PUBLISHED.priced(bare(0.03), EDGES)
    paying = float(kernels.breakdown(FAIR[None], credit.legs)[0, kernels.PAYING_VALUE])
    assert paying == pytest.approx(0.05334249 / 200.7441e-4, rel=1e-6)
    ends = [0.25 * k for k in range(1, 13)]
    annuity = sum(0.25 * math.exp(-0.08 * t) for t in ends)
    assert annuity == pytest.approx(2.6405691, rel=0, abs=5e-8)
    halves = sum(
        0.125 * math.exp(-0.03 * (t - 0.125)) * (math.exp(0.0125) - 1) * math.exp(-0.05 * t)
        for t in ends
    )
    assert paying == pytest.approx(annuity + halves, rel=1e-12)
    worth = credit.details["warrant_value"] / 1e6
    assert 1e4 * worth / annuity == pytest.approx(116.785, rel=0, abs=5e-4)
    warrant_bps = lines(credit.price(FAIR))["warrant"]
    assert warrant_bps == pytest.approx(-1e4 * worth / (annuity + halves), rel=1e-12)


@pytest.mark.parametrize("repayment", ["bullet", "linear"])
def test_the_coupon_is_that_of_the_loan_less_the_warrant(repayment: str) -> None:
    asked = replace(THREE_YEARS, repayment=repayment)
    debt = priced(VentureDebt(asked, FIVE_PERCENT)).price(FAIR)
    loan = TermLoan(asked).priced(STANDARD, EDGES).price(FAIR)
    assert lines(debt) == pytest.approx(
        {**lines(loan), "warrant": debt.figure_bps - loan.figure_bps}, rel=1e-10
    )
    assert lines(debt)["warrant"] < -100


@given(venture_debts(), margins(), st.floats(1.0, 2.0))
def test_a_bigger_warrant_never_raises_the_coupon(
    debt: VentureDebt, m: Floats, times: float
) -> None:
    bigger = replace(
        debt, warrant=replace(debt.warrant, coverage=min(1.0, times * debt.warrant.coverage))
    )
    assert figure(priced(bigger), m) <= figure(priced(debt), m) + 1e-9


@given(venture_debts(), margins())
def test_a_warrant_is_worth_more_to_a_loan_that_repays_sooner(debt: VentureDebt, m: Floats) -> None:
    """Its worth is spread over less that pays."""
    bullet = replace(debt.terms, repayment="bullet", grace_months=0)
    linear = replace(bullet, repayment="linear")
    sooner, later = (
        lines(priced(replace(debt, terms=asked)).price(m))["warrant"] for asked in (linear, bullet)
    )
    assert sooner <= later + 1e-9


@given(venture_debts(), margins())
def test_the_lines_add_up_and_no_hazard_is_no_loss(debt: VentureDebt, m: Floats) -> None:
    price = priced(debt).price(m)
    assert_adds_up(price)
    names = "ftp expected_loss warrant capital opex margin floor_cap"
    assert [*lines(price)] == names.split()
    m[DEFAULT] = -math.inf
    assert lines(priced(debt).price(m))["expected_loss"] == pytest.approx(0, abs=1e-9)


@given(venture_debts(), margins(default=(-8.0, -2.0)))
def test_the_adjoint_is_the_derivative(debt: VentureDebt, m: Floats) -> None:
    assert_smooth_gradient(priced(debt), m)


@pytest.mark.parametrize("row", [DEFAULT, LGD])
def test_a_wrong_adjoint_is_caught(row: int) -> None:
    credit = priced(VentureDebt(replace(THREE_YEARS, repayment="annuity"), FIVE_PERCENT))
    assert_gradient(credit, FAIR, atol=1e-7)
    with pytest.raises(AssertionError):
        assert_gradient(Distorted.of(credit, row), FAIR, atol=1e-7)


@given(venture_debts(), moves())
def test_the_weights_explain_any_move(debt: VentureDebt, move: tuple[Floats, Floats]) -> None:
    assert_explained(priced(debt), *move)


def test_a_term_beyond_the_last_age_is_refused() -> None:
    with pytest.raises(InputError, match=r"terms\.term_months must be at most 120"):
        priced(VentureDebt(Terms(1e6, 121, "bullet"), FIVE_PERCENT))
