from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.credit import Credit
from pricing.errors import InputError, PolicyError
from pricing.instruments.revolving_line import RevolvingLine
from pricing.instruments.term_loan import TermLoan
from pricing.offers import NOTHING_ELSE, LineOffer
from pricing.schedule import Terms
from pricing.survival import DEFAULT, LGD
from tests.pricing.cases import EDGES, STANDARD, Floats, bare, flat, margins
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

YEAR = Terms(1e6, 12, "bullet")
FAIR = flat(annual_hazard=0.05, lgd=0.4)


@st.composite
def lines_of_credit(draw: st.DrawFn) -> RevolvingLine:
    payment = draw(st.sampled_from((1, 3, 6, 12)))
    terms = Terms(1e5, payment * draw(st.integers(1, 36 // payment)), "bullet", 0, payment)
    return RevolvingLine(terms, draw(st.floats(0.05, 1.0)), draw(st.floats(0.0, 200.0)))


def priced(line: RevolvingLine) -> Credit:
    return line.priced(STANDARD, EDGES)


def test_a_default_finds_the_drawn_part_and_the_converted_rest() -> None:
    # design note on pricing, section 1: hazard 5 %, LGD 40 %, 3 % continuous, 3 years,
    # quarterly: 200.7441 bp on all that is drawn. With 40 % drawn and 40 % of the other 60 % drawn
    # by then, 0.64 stands at risk for 0.4 that pays: 1.6 times as much
    line = RevolvingLine(Terms(1e6, 36, "bullet", payment_months=3), utilisation=0.4)
    assert figure(line.priced(bare(0.03), EDGES), FAIR) == pytest.approx(
        1.6 * 200.7441, rel=0, abs=2e-4
    )


def test_the_capital_stands_behind_the_same_exposure() -> None:
    # same source: PD 2 %, M 2.5: capital of 115.70 bp on what is drawn
    m = flat(annual_hazard=-math.log(0.98), lgd=0.4)
    line = RevolvingLine(Terms(1e6, 30, "bullet", payment_months=6), utilisation=0.4)
    assert lines(priced(line).price(m))["capital"] == pytest.approx(1.6 * 115.70, rel=0, abs=8e-3)


def test_the_fee_on_the_undrawn_part_lowers_the_spread_on_the_drawn() -> None:
    # 25 bp on 60 % are 37.5 bp on 40 %
    free, paying = RevolvingLine(YEAR, 0.4), RevolvingLine(YEAR, 0.4, commitment_fee_bps=25.0)
    price = priced(paying).price(FAIR)
    assert lines(price)["commitment_fee"] == pytest.approx(-37.5, rel=1e-14)
    assert price.figure_bps == pytest.approx(figure(priced(free), FAIR) - 37.5, rel=1e-12)


@given(lines_of_credit(), margins())
def test_a_line_drawn_in_full_is_a_bullet_loan(line: RevolvingLine, m: Floats) -> None:
    full = priced(replace(line, utilisation=1.0)).price(m)
    loan = TermLoan(line.terms).priced(STANDARD, EDGES).price(m)
    assert full.figure_bps == loan.figure_bps
    assert full.charged_bps == loan.charged_bps
    assert lines(full) == {**lines(loan), "commitment_fee": 0.0}


@given(lines_of_credit(), margins(), st.floats(0.0, 0.5))
def test_a_line_drawn_more_costs_less_on_what_is_drawn(
    line: RevolvingLine, m: Floats, more: float
) -> None:
    """Without a fee on the rest; the same loss is then paid for by more."""
    free = replace(line, commitment_fee_bps=0.0)
    fuller = replace(free, utilisation=min(1.0, line.utilisation + more))
    assert figure(priced(fuller), m) <= figure(priced(free), m) + 1e-9


@given(lines_of_credit(), margins(default=LIKELY), st.floats(0.0, 0.3))
def test_more_hazard_never_lowers_the_spread(line: RevolvingLine, m: Floats, more: float) -> None:
    assert figure(priced(line), riskier(m, more)) >= figure(priced(line), m) - 1e-9


@given(lines_of_credit(), margins())
def test_without_hazard_there_is_no_expected_loss(line: RevolvingLine, m: Floats) -> None:
    m[DEFAULT] = -math.inf
    assert lines(priced(line).price(m))["expected_loss"] == 0


@given(lines_of_credit(), margins())
def test_the_lines_add_up(line: RevolvingLine, m: Floats) -> None:
    price = priced(line).price(m)
    assert_adds_up(price)
    names = "ftp expected_loss capital opex margin commitment_fee floor_cap"
    assert [*lines(price)] == names.split()


@given(lines_of_credit(), margins(default=(-8.0, 0.0)))
def test_the_adjoint_is_the_derivative(line: RevolvingLine, m: Floats) -> None:
    assert_smooth_gradient(priced(line), m)


@pytest.mark.parametrize("row", [DEFAULT, LGD])
def test_a_wrong_adjoint_is_caught(row: int) -> None:
    line = priced(RevolvingLine(YEAR, utilisation=0.4))
    assert_gradient(line, FAIR, atol=1e-7)
    with pytest.raises(AssertionError):
        assert_gradient(Distorted.of(line, row), FAIR, atol=1e-7)


@given(lines_of_credit(), moves())
def test_the_weights_explain_any_move(line: RevolvingLine, move: tuple[Floats, Floats]) -> None:
    assert_explained(priced(line), *move)


def test_all_that_is_wrong_with_a_line_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        RevolvingLine(Terms(1e6, 12, "linear"), utilisation=0.0, commitment_fee_bps=-1.0)
    assert [fault.field for fault in raised.value.faults] == [
        "instrument.repayment",
        "instrument.utilisation",
        "instrument.commitment_fee_bps",
    ]


@pytest.mark.parametrize("utilisation", [-0.1, 1.0001, math.nan])
def test_a_share_that_cannot_be_drawn_is_refused(utilisation: float) -> None:
    with pytest.raises(InputError, match=r"instrument\.utilisation must be in \(0, 1\]"):
        RevolvingLine(YEAR, utilisation)


def test_a_line_longer_than_the_policy_s_names_the_term() -> None:
    under = replace(STANDARD, offers=replace(NOTHING_ELSE, revolving_line=LineOffer(0.4, 12)))
    RevolvingLine(YEAR, 0.5).priced(under, EDGES)
    with pytest.raises(InputError, match=r"terms\.term_months must be at most 12, the policy's"):
        RevolvingLine(Terms(1e6, 13, "bullet"), 0.5).priced(under, EDGES)


def test_a_policy_without_lines_does_not_quote() -> None:
    with pytest.raises(PolicyError, match=r"no section \[revolving_line\]"):
        RevolvingLine(YEAR, 0.5).priced(replace(STANDARD, offers=NOTHING_ELSE), EDGES)
