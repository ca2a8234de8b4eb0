from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import kernels
from pricing.arrange import arranged
from pricing.credit import Credit
from pricing.errors import InputError, PolicyError
from pricing.ifrs9.ecl import Scenario
from pricing.instruments.rd_loan import Milestone, RdLoan
from pricing.instruments.term_loan import TermLoan
from pricing.offers import NOTHING_ELSE, RdOffer
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.survival import DEFAULT, LGD
from tests.pricing.cases import EDGES, STANDARD, Floats, flat, margins
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

AT_ONCE = (Milestone(0, 1.0),)
IN_THREE = (Milestone(0, 0.3), Milestone(12, 0.3, success=0.8), Milestone(24, 0.4, success=0.7))
FOUR_YEARS = Terms(1e6, 48, "bullet", payment_months=3)
FORESEEN = replace(STANDARD, scenarios=(Scenario("base", 1.0),))
FAIR = flat(annual_hazard=0.05, lgd=0.4)


@st.composite
def rd_loans(draw: st.DrawFn) -> RdLoan:
    """Draw a loan of up to five years that is drawn in up to four parts."""
    step = draw(st.sampled_from((1, 3, 6)))
    periods = draw(st.integers(2, 60 // step))
    latest = draw(st.integers(0, periods - 1))
    repayment = draw(st.sampled_from(("bullet", "linear")))
    grace = 0 if repayment == "bullet" else latest * step
    later = draw(st.sets(st.integers(1, max(latest, 1)), max_size=3)) if latest else set()
    parts = draw(st.lists(st.integers(1, 9), min_size=1 + len(later), max_size=1 + len(later)))
    milestones = tuple(
        Milestone(step * at, part / sum(parts), draw(st.floats(0.1, 1.0)))
        for at, part in zip((0, *sorted(later)), parts, strict=True)
    )
    terms = Terms(1e6, periods * step, repayment, grace, step)
    return RdLoan(terms, milestones, draw(st.sampled_from((0.0, 3e5, 5e6))))


def under(log_hazard: float, *, recovery: float = 0.25) -> Policy:
    """Return the policy with another shift a milestone."""
    return replace(
        STANDARD, offers=replace(NOTHING_ELSE, rd_loan=RdOffer(60, log_hazard, recovery))
    )


def priced(loan: RdLoan) -> Credit:
    return loan.priced(STANDARD, EDGES)


@given(rd_loans(), margins())
def test_the_price_is_that_of_the_slow_way(loan: RdLoan, m: Floats) -> None:
    expected = oracle.rd_spread(loan, STANDARD, m)
    assert figure(priced(loan), m) == pytest.approx(expected, rel=1e-10, abs=1e-8)


def test_the_slow_way_can_disagree() -> None:
    expected = oracle.rd_spread(RdLoan(FOUR_YEARS, IN_THREE), STANDARD, FAIR)
    later = (*IN_THREE[:2], replace(IN_THREE[2], month=27))
    assert abs(figure(priced(RdLoan(FOUR_YEARS, later)), FAIR) - expected) > 0.1


@given(rd_loans(), margins())
def test_drawn_at_once_it_is_a_plain_loan(loan: RdLoan, m: Floats) -> None:
    """With nothing pledged and no milestone ahead, whatever the policy thinks of milestones."""
    plain = TermLoan(loan.terms).priced(STANDARD, EDGES)
    assert figure(priced(RdLoan(loan.terms, AT_ONCE)), m) == figure(plain, m)


def test_milestones_draw_what_is_expected_of_them() -> None:
    # by hand: 0.3, then + 0.3 x 0.8, then + 0.4 x 0.8 x 0.7 of the amount
    drawn = priced(RdLoan(FOUR_YEARS, IN_THREE)).shares(FOUR_YEARS, 0.05)
    assert drawn[[0, 3]] == pytest.approx([0.3] * 2, rel=1e-14)
    assert drawn[[4, 7]] == pytest.approx([0.54] * 2, rel=1e-14)
    assert drawn[[8, 15]] == pytest.approx([0.764] * 2, rel=1e-14)


def test_drawing_stops_at_the_first_milestone_that_is_missed() -> None:
    # by hand: the second is missed by 0.2, the third by 0.8 x 0.3, none by 0.8 x 0.7
    odds, shares = zip(*RdLoan(FOUR_YEARS, IN_THREE).drawings, strict=True)
    assert odds == pytest.approx((0.2, 0.24, 0.56), rel=1e-14)
    assert [share[-1] for share in shares] == pytest.approx([0.3, 0.6, 1.0], rel=1e-14)


def test_a_linear_loan_repays_in_equal_parts_what_was_drawn() -> None:
    # by hand: two of eight payments after the grace leave three quarters of what each way drew
    linear = Terms(1e6, 48, "linear", grace_months=24, payment_months=3)
    ways = [share for _, share in RdLoan(linear, IN_THREE).drawings]
    assert [share[10] for share in ways] == pytest.approx([0.225, 0.45, 0.75], rel=1e-14)


def test_a_pledge_covers_how_far_drawing_got_and_not_its_mean() -> None:
    """The pledge recovers 0.6 of the amount. Of the first half it covers all; where the second is
    drawn, by 0.8, it leaves 0.4: 0.32 of 0.9 drawn on average. The mean of 0.9 would leave 0.3.
    """
    halves = (Milestone(0, 0.5), Milestone(12, 0.5, success=0.8))
    loan = RdLoan(FOUR_YEARS, halves, pledge_value=2.4e6)
    risk = priced(loan).legs.grid[:, kernels.RISK]
    assert risk[:4].tolist() == [0.0] * 4
    assert risk[4:] == pytest.approx(0.32 / 0.9, rel=1e-14)


def test_what_is_set_aside_is_of_what_is_drawn_and_not_of_the_whole_amount() -> None:
    """By hand: a quarter is out for three months, and with even odds all of it from then on."""
    year = Terms(1e6, 12, "bullet", payment_months=3)
    loan = RdLoan(year, (Milestone(0, 0.25), Milestone(3, 0.75, success=0.5)))
    price = arranged(loan, None, FORESEEN, EDGES).price(FAIR)
    cumulated = 0.0125 * np.array([0, math.exp(0.15), *(math.exp(0.15) + np.arange(1, 4))])
    fell = np.diff(-np.expm1(-cumulated))  # the milestone ahead makes the first quarter riskier
    present = (1 + price.rate / 4) ** -np.arange(1, 5.0)
    ecl = 1e6 * 0.4 * float(np.array([0.25, 0.625, 0.625, 0.625]) @ (fell * present))
    assert price.details["ecl"]["lifetime"] == pytest.approx(ecl, rel=0, abs=0.006)


def test_a_milestone_lies_ahead_until_it_is_reached() -> None:
    ahead = RdLoan(FOUR_YEARS, IN_THREE).ahead
    assert ahead.tolist() == [2.0] * 4 + [1.0] * 4 + [0.0] * 8


def test_milestones_ahead_raise_the_hazard_by_the_policy_s_number() -> None:
    # by hand: exp(2 x 0.15) in the first year, exp(0.15) in the second, 5 % from then on
    price = RdLoan(FOUR_YEARS, IN_THREE).priced(under(0.15), EDGES).price(FAIR)
    first, second = 0.05 * math.exp(0.30), 0.05 * math.exp(0.15)
    assert price.pd["12"] == pytest.approx(-math.expm1(-first), rel=1e-12)
    assert price.pd["36"] == pytest.approx(-math.expm1(-first - second - 0.05), rel=1e-12)
    calm = RdLoan(FOUR_YEARS, IN_THREE).priced(under(0.0), EDGES).price(FAIR)
    assert calm.pd["12"] == pytest.approx(-math.expm1(-0.05), rel=1e-12)
    assert calm.figure_bps < price.figure_bps


@given(rd_loans(), margins(), st.floats(0.0, 5e6))
def test_a_pledge_lowers_the_expected_loss_only(loan: RdLoan, m: Floats, more: float) -> None:
    """Patents are no eligible collateral: design note on pricing, section 2."""
    less, better = (
        priced(replace(loan, pledge_value=value)).price(m)
        for value in (loan.pledge_value, loan.pledge_value + more)
    )
    saved = lines(less)["expected_loss"] - lines(better)["expected_loss"]
    assert saved >= -1e-12
    assert lines(better)["capital"] == lines(less)["capital"]
    assert less.figure_bps - better.figure_bps == pytest.approx(saved, rel=1e-9, abs=1e-9)


def test_a_pledge_that_recovers_half_halves_the_loss() -> None:
    # a bullet of one million, drawn at once: 25 % of two millions is half of it
    bare, half, all_of_it = (
        lines(priced(RdLoan(FOUR_YEARS, AT_ONCE, pledge)).price(FAIR))["expected_loss"]
        for pledge in (0.0, 2e6, 4e6)
    )
    assert half == pytest.approx(bare / 2, rel=1e-12)
    assert all_of_it == 0


@given(rd_loans(), margins(default=LIKELY), st.floats(0.0, 0.3))
def test_more_hazard_never_lowers_the_spread(loan: RdLoan, m: Floats, more: float) -> None:
    calm = loan.priced(under(0.0), EDGES)
    assert figure(calm, riskier(m, more)) >= figure(calm, m) - 1e-9


@given(rd_loans(), margins())
def test_without_hazard_there_is_no_expected_loss(loan: RdLoan, m: Floats) -> None:
    m[DEFAULT] = -math.inf
    price = priced(loan).price(m)
    assert lines(price)["expected_loss"] == 0
    assert set(price.pd.values()) == {0.0}


@given(rd_loans(), margins())
def test_the_lines_add_up(loan: RdLoan, m: Floats) -> None:
    price = priced(loan).price(m)
    assert_adds_up(price)
    assert [*lines(price)] == "ftp expected_loss capital opex margin floor_cap".split()


@given(rd_loans(), margins(default=(-8.0, 0.0)))
def test_the_adjoint_is_the_derivative(loan: RdLoan, m: Floats) -> None:
    assert_smooth_gradient(priced(loan), m)


@pytest.mark.parametrize("row", [DEFAULT, LGD])
def test_a_wrong_adjoint_is_caught(row: int) -> None:
    loan = priced(RdLoan(FOUR_YEARS, IN_THREE, pledge_value=3e5))
    assert_gradient(loan, FAIR, atol=1e-7)
    with pytest.raises(AssertionError):
        assert_gradient(Distorted.of(loan, row), FAIR, atol=1e-7)


@given(rd_loans(), moves())
def test_the_weights_explain_any_move(loan: RdLoan, move: tuple[Floats, Floats]) -> None:
    assert_explained(priced(loan), *move)


@given(rd_loans(), margins())
def test_the_published_curve_is_that_of_the_price(loan: RdLoan, m: Floats) -> None:
    price = priced(loan).price(m)
    assert len(price.curves.survival) == loan.terms.term_months + 1
    together = price.curves.survival + price.curves.default + price.curves.exit
    np.testing.assert_allclose(together, 1.0, rtol=0, atol=1e-12)


FAULTS = {
    "after the repayment": ([(0, 0.5), (48, 0.5)], ["instrument.milestones[1].month"]),
    "between payments": ([(0, 0.5), (4, 0.5)], ["instrument.milestones[1].month"]),
    "twice in a month": ([(0, 0.5), (0, 0.5)], ["instrument.milestones[1].month"]),
    "nothing at the start": ([(3, 1.0)], ["instrument.milestones"]),
    "none at all": ([], ["instrument.milestones", "instrument.milestones"]),
    "more than all": ([(0, 0.5), (12, 0.6)], ["instrument.milestones"]),
    "a negative part": (
        [(0, 1.5), (12, -0.5)],
        ["instrument.milestones[0].share", "instrument.milestones[1].share"],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_milestones_that_make_no_sense_are_named(name: str) -> None:
    given_milestones, fields = FAULTS[name]
    with pytest.raises(InputError) as raised:
        RdLoan(FOUR_YEARS, tuple(Milestone(*each) for each in given_milestones))
    assert [fault.field for fault in raised.value.faults] == fields


def test_repayment_does_not_begin_before_the_last_draw() -> None:
    linear = Terms(1e6, 48, "linear", grace_months=12, payment_months=3)
    RdLoan(linear, (*IN_THREE[:1], Milestone(12, 0.7)))
    with pytest.raises(InputError, match=r"milestones\[1\]\.month must be .* at most 12, however"):
        RdLoan(linear, (*IN_THREE[:1], Milestone(15, 0.7)))


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        RdLoan(Terms(1e6, 48, "annuity"), (Milestone(0, 1.0, success=0.0),), pledge_value=math.nan)
    assert [fault.field for fault in raised.value.faults] == [
        "instrument.repayment",
        "instrument.pledge_value",
        "instrument.milestones[0].success",
    ]


def test_a_loan_longer_than_the_policy_s_names_the_term() -> None:
    with pytest.raises(InputError, match=r"terms\.term_months must be at most 60, the policy's"):
        priced(RdLoan(Terms(1e6, 63, "bullet"), AT_ONCE))


def test_a_policy_without_such_loans_does_not_quote() -> None:
    with pytest.raises(PolicyError, match=r"no section \[rd_loan\]"):
        RdLoan(FOUR_YEARS, AT_ONCE).priced(replace(STANDARD, offers=NOTHING_ELSE), EDGES)
