from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import kernels
from pricing.credit import Credit
from pricing.errors import InputError
from pricing.kernels import Legs
from pricing.legs import Shape, changed, loan_legs
from pricing.schedule import Terms, profile
from pricing.survival import curves
from tests.pricing.cases import EDGES, STANDARD, Floats, bare, flat, margins, terms
from tests.pricing.instruments.laws import assert_explained, assert_smooth_gradient, figure, moves

FAIR = flat(annual_hazard=0.05, lgd=0.4)
THREE_YEARS = Terms(1e6, 36, "bullet", payment_months=3)


@st.composite
def changes(draw: st.DrawFn, periods: int) -> dict[str, Any]:
    """Draw everything that may be changed of legs, for so many periods."""

    def row(low: float, high: float) -> Floats:
        each = st.floats(low, high)
        return np.array(draw(st.lists(each, min_size=periods, max_size=periods)))

    return {
        "share": row(0.1, 1.0),
        "risk": row(0.0, 2.0),
        "fixed": row(0.0, 0.5),
        "shift": row(-0.5, 0.5),
        "capital": draw(st.floats(0.0, 2.0)),
        "loadings_bps": draw(st.floats(-50.0, 300.0)),
        "income": draw(st.floats(0.0, 0.05)),
        "gross": draw(st.floats(0.5, 3.0)),
    }


@st.composite
def changed_legs(draw: st.DrawFn) -> tuple[Terms, dict[str, Any], Credit]:
    asked = draw(terms().filter(lambda each: each.repayment != "annuity"))
    change = draw(changes(asked.periods))
    legs = changed(loan_legs(asked, STANDARD, EDGES), **change)
    return asked, change, Credit(legs, STANDARD, EDGES, asked.term_months, ())


def plain(asked: Terms) -> Legs:
    return loan_legs(asked, bare(0.03), EDGES)


# design note on pricing, section 1: risk-free 3 % continuous, 3 years, quarterly, LGD 40 %:
# hazard -> protection leg, spread with accrual
@pytest.mark.parametrize(
    ("hazard", "protection", "spread_bps"),
    [
        (0.01, 0.01130791, 40.1501),
        (0.03, 0.03294573, 120.4486),
        (0.05, 0.05334249, 200.7441),
        (0.10, 0.09936533, 401.4631),
    ],
)
def test_the_legs_are_the_published_ones(
    hazard: float, protection: float, spread_bps: float
) -> None:
    m = flat(annual_hazard=hazard, lgd=0.4)
    parts = kernels.breakdown(m[None], plain(THREE_YEARS))[0]
    loss = 1e-4 * parts[kernels.LOSS_BPS] * parts[kernels.PAYING_VALUE]
    assert loss == pytest.approx(protection, rel=0, abs=5e-9)
    assert parts[kernels.LOSS_BPS] == pytest.approx(spread_bps, rel=0, abs=5e-5)


@given(changed_legs(), margins())
def test_the_figure_is_the_formula_of_the_docstring(
    drawn: tuple[Terms, dict[str, Any], Credit], m: Floats
) -> None:
    """Without the shift, which the R&D loan is tried with; survival from its own function."""
    asked, change, _ = drawn
    still = {**change, "shift": np.zeros(asked.periods)}
    legs = changed(loan_legs(asked, STANDARD, EDGES), **still)
    paths, at = curves(m, EDGES, asked.term_months), STANDARD.funding_curve.discount
    loss, paying, years = 0.0, 0.0, asked.period_years
    for k in range(asked.periods):
        begin, end = k * asked.payment_months, (k + 1) * asked.payment_months
        middle, e = at[begin + end], change["share"][k]
        for month in range(begin, end):
            dead = paths.default[month + 1] - paths.default[month]
            lgd = 1 / (1 + math.exp(-m[2, np.searchsorted(EDGES, month, side="right") - 1]))
            loss += e * (change["risk"][k] * lgd + change["fixed"][k]) * middle * dead
        alive, before = paths.survival[end], paths.survival[begin]
        paying += e * years * (at[2 * end] * alive + middle / 2 * (before - alive))
    expected = 1e4 * (change["gross"] * loss - change["income"]) / paying
    parts = kernels.breakdown(m[None], legs)[0]
    assert parts[kernels.LOSS_BPS] == pytest.approx(expected, rel=1e-9, abs=1e-7)
    assert parts[kernels.MATURITY] == pytest.approx(change["share"].sum() * years, rel=1e-12)


@given(changed_legs(), margins(default=(-8.0, -1.0)))
def test_the_adjoint_is_the_derivative_of_any_legs(
    drawn: tuple[Terms, dict[str, Any], Credit], m: Floats
) -> None:
    assert_smooth_gradient(drawn[2], m)


@given(changed_legs(), moves())
def test_the_weights_explain_any_move_of_any_legs(
    drawn: tuple[Terms, dict[str, Any], Credit], move: tuple[Floats, Floats]
) -> None:
    assert_explained(drawn[2], *move)


@given(terms(), margins())
def test_nothing_changed_is_the_plain_loan(asked: Terms, m: Floats) -> None:
    before = loan_legs(asked, STANDARD, EDGES)
    credits = [
        Credit(legs, STANDARD, EDGES, asked.term_months, ()) for legs in (before, changed(before))
    ]
    assert figure(credits[0], m) == figure(credits[1], m)


def test_a_change_leaves_the_plain_legs_as_they_are() -> None:
    """They are kept for the next loan of the same shape."""
    before = plain(THREE_YEARS)
    kept = [np.copy(each) for each in before[:5]]
    share = np.linspace(1.0, 0.1, 12)
    changed(before, share=share, risk=0.5, fixed=0.1, shift=share, capital=2.0, income=0.1)
    for each, copy in zip(before[:5], kept, strict=True):
        np.testing.assert_array_equal(each, copy)
    assert plain(THREE_YEARS) is before


def test_the_amount_is_no_part_of_a_shape() -> None:
    assert Shape.of(THREE_YEARS) == Shape.of(Terms(5.0, 36, "bullet", payment_months=3))
    assert plain(THREE_YEARS) is plain(Terms(5.0, 36, "bullet", payment_months=3))


def test_a_short_loan_has_periods_that_only_reach_the_twelfth_month() -> None:
    legs = plain(Terms(1e6, 6, "bullet", payment_months=3))
    assert (legs.periods, len(legs.grid)) == (2, 4)
    assert legs.grid[:, kernels.SHARE].tolist() == [1.0, 1.0, 0.0, 0.0]
    moved = changed(legs, shift=np.array([0.1, 0.2]))
    assert moved.shift.tolist() == [0.1, 0.2, 0.0, 0.0]


def test_a_shift_stands_on_every_piece_of_its_period() -> None:
    """A year that is cut at six months, where the age bucket changes."""
    legs = changed(plain(Terms(1e6, 24, "bullet", payment_months=12)), shift=np.array([0.3, 0.1]))
    assert legs.steps[:, kernels.PERIOD].tolist() == [0, 0, 1, 1]
    assert legs.shift.tolist() == [0.3, 0.3, 0.1, 0.1]


def test_an_annuity_begins_as_linear_and_says_where_its_grace_ends() -> None:
    asked = Terms(1e6, 24, "annuity", grace_months=6, payment_months=6)
    legs = plain(asked)
    linear = Terms(1e6, 24, "linear", grace_months=6, payment_months=6)
    assert legs.grace == 1
    assert plain(linear).grace == -1
    np.testing.assert_allclose(
        legs.grid[:, kernels.SHARE], profile(linear).share, rtol=0, atol=1e-15
    )


def test_a_term_beyond_the_ages_is_refused() -> None:
    with pytest.raises(InputError, match=r"terms\.term_months must be at most 120, the last age"):
        plain(Terms(1e6, 121, "bullet"))
    with pytest.raises(InputError, match="edges must be a last age of at least 12 months"):
        loan_legs(Terms(1e6, 6, "bullet"), STANDARD, (0, 6, 11))
