from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import policy
from pricing.errors import InputError, PolicyError
from pricing.instruments.ma_loan import MaLoan
from pricing.instruments.term_loan import TermLoan
from pricing.offers import NOTHING_ELSE
from pricing.schedule import Terms
from pricing.survival import DEFAULT
from tests.pricing.cases import EDGES, STANDARD, Floats, flat, margins, terms
from tests.pricing.instruments.laws import (
    LIKELY,
    assert_adds_up,
    assert_explained,
    assert_smooth_gradient,
    figure,
    lines,
    moves,
    riskier,
)

FAIR = flat(annual_hazard=0.05, lgd=0.4)
CHINA = policy.load(currency="CNY")

# The bounds of the example policies. China's controlling one is the rule of 31 December 2025:
# 70 % of the deal and 10 years, design note on pricing, section 5.
BOUNDS = [
    (STANDARD, True, 0.6, 84),
    (STANDARD, False, 0.5, 60),
    (CHINA, True, 0.7, 120),
    (CHINA, False, 0.6, 84),
]


@st.composite
def ma_loans(draw: st.DrawFn) -> MaLoan:
    """Draw a loan within the bounds of the policy."""
    controlling = draw(st.booleans())
    longest, share = (84, 0.6) if controlling else (60, 0.5)
    asked = draw(terms().filter(lambda each: each.term_months <= longest))
    return MaLoan(asked, asked.amount / share * draw(st.floats(1.0001, 5.0)), controlling)


def within(share: float, months: int, *, controlling: bool) -> MaLoan:
    return MaLoan(Terms(share * 1e7, months, "linear"), deal_value=1e7, controlling=controlling)


@given(ma_loans(), margins())
def test_within_its_bounds_it_is_a_term_loan(loan: MaLoan, m: Floats) -> None:
    ours = loan.priced(STANDARD, EDGES).price(m)
    plain = TermLoan(loan.terms).priced(STANDARD, EDGES).price(m)
    assert ours.figure_bps == plain.figure_bps
    assert ours.waterfall == plain.waterfall


@pytest.mark.parametrize(("under", "controlling", "share", "months"), BOUNDS)
def test_a_loan_at_both_bounds_is_quoted(
    under: policy.Policy, controlling: bool, share: float, months: int
) -> None:
    loan = within(share, months, controlling=controlling)
    assert math.isfinite(figure(loan.priced(under, EDGES), FAIR))


@pytest.mark.parametrize(("under", "controlling", "share", "months"), BOUNDS)
def test_every_bound_that_is_crossed_is_named(
    under: policy.Policy, controlling: bool, share: float, months: int
) -> None:
    loan = within(share + 0.01, months + 12, controlling=controlling)
    with pytest.raises(InputError) as raised:
        loan.priced(under, EDGES)
    of = "that brings control" if controlling else "of a minority"
    assert [(fault.field, fault.expected) for fault in raised.value.faults] == [
        ("terms.amount", f"at most {share:g} of deal_value in an acquisition {of}"),
        ("terms.term_months", f"at most {months} in an acquisition {of}"),
    ]


def test_control_allows_more() -> None:
    within(0.6, 84, controlling=True).priced(STANDARD, EDGES)
    with pytest.raises(InputError, match="acquisition of a minority"):
        within(0.6, 84, controlling=False).priced(STANDARD, EDGES)


@pytest.mark.parametrize("deal_value", [0.99e6, 0.0, -1.0, math.nan, math.inf])
def test_a_deal_is_worth_what_is_lent_for_it_at_least(deal_value: float) -> None:
    with pytest.raises(InputError, match=r"instrument\.deal_value must be at least the amount"):
        MaLoan(Terms(1e6, 60, "linear"), deal_value, controlling=True)


@given(ma_loans(), margins(default=LIKELY), st.floats(0.0, 0.3))
def test_more_hazard_never_lowers_the_spread(loan: MaLoan, m: Floats, more: float) -> None:
    credit = loan.priced(STANDARD, EDGES)
    assert figure(credit, riskier(m, more)) >= figure(credit, m) - 1e-9


@given(ma_loans(), margins())
def test_the_lines_add_up_and_no_hazard_is_no_loss(loan: MaLoan, m: Floats) -> None:
    credit = loan.priced(STANDARD, EDGES)
    assert_adds_up(credit.price(m))
    m[DEFAULT] = -math.inf
    assert lines(credit.price(m))["expected_loss"] == 0


@given(ma_loans(), margins(default=(-8.0, 0.0)))
def test_the_adjoint_is_the_derivative(loan: MaLoan, m: Floats) -> None:
    assert_smooth_gradient(loan.priced(STANDARD, EDGES), m)


@given(ma_loans(), moves())
def test_the_weights_explain_any_move(loan: MaLoan, move: tuple[Floats, Floats]) -> None:
    assert_explained(loan.priced(STANDARD, EDGES), *move)


def test_a_policy_without_such_loans_does_not_quote() -> None:
    with pytest.raises(PolicyError, match=r"no section \[ma_loan\]"):
        within(0.5, 60, controlling=True).priced(replace(STANDARD, offers=NOTHING_ELSE), EDGES)
