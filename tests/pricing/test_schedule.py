from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import InputError
from pricing.schedule import Terms, cut, profile
from tests.pricing.cases import EDGES, terms


def test_a_mortgage_of_the_textbook_repays_what_the_textbook_says() -> None:
    # 100,000 at 6 % over 360 months pays 599.55 a month (any mortgage table), so the first
    # repayment is 599.55 - 500; 93,054.36 is left after five years.
    shares = profile(Terms(1e5, 360, "annuity"), annual_rate=0.06).share
    assert 1e5 * (1 - shares[1]) == pytest.approx(99.55, rel=0, abs=0.005)
    assert 1e5 * shares[60] == pytest.approx(93_054.36, rel=0, abs=0.005)


@pytest.mark.parametrize(
    ("loan", "rate", "expected"),
    [
        (Terms(1, 3, "bullet"), 0.0, [1, 1, 1]),
        (Terms(1, 4, "linear"), 0.0, [1, 0.75, 0.5, 0.25]),
        (Terms(1, 4, "linear", grace_months=2), 0.0, [1, 1, 1, 1 / 2]),
        (Terms(1, 12, "linear", grace_months=3, payment_months=3), 0.0, [1, 1, 2 / 3, 1 / 3]),
        # at 100 % a period, repayments grow as 1, 2, 4 of 7
        (Terms(1, 4, "annuity", grace_months=1), 12.0, [1, 1, 6 / 7, 4 / 7]),
    ],
    ids=str,
)
def test_every_kind_at_a_glance(loan: Terms, rate: float, expected: list[float]) -> None:
    share = profile(loan, annual_rate=rate).share
    np.testing.assert_allclose(share, expected, rtol=1e-14)


@given(terms())
def test_an_annuity_without_interest_is_linear(given_terms: Terms) -> None:
    linear = profile(dataclasses.replace(given_terms, repayment="linear"))
    annuity = profile(dataclasses.replace(given_terms, repayment="annuity"), annual_rate=0.0)
    np.testing.assert_allclose(annuity.share, linear.share, rtol=0, atol=1e-14)


@given(terms(), st.floats(-0.02, 20.0))
def test_equal_payments_repay_an_annuity_to_the_cent(given_terms: Terms, rate: float) -> None:
    annuity = dataclasses.replace(given_terms, repayment="annuity")
    share = np.append(profile(annuity, annual_rate=rate).share, 0.0)
    payments = share[:-1] * rate * annuity.period_years + share[:-1] - share[1:]
    paying = payments[annuity.grace_periods :]
    np.testing.assert_allclose(paying, paying[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(share[: annuity.grace_periods], 1.0, rtol=0, atol=0)


@given(terms(), st.floats(-0.02, 5.0))
def test_the_slope_of_the_profile_is_that_of_finite_differences(
    given_terms: Terms, rate: float
) -> None:
    h = 1e-6
    up, down = (profile(given_terms, annual_rate=rate + s * h).share for s in (1, -1))
    slope = profile(given_terms, annual_rate=rate).slope
    np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=1e-6, atol=1e-7)


def test_the_slope_check_can_fail() -> None:
    annuity = Terms(1.0, 60, "annuity")
    h = 1e-6
    up, down = (profile(annuity, annual_rate=0.06 + s * h).share for s in (1, -1))
    slope = profile(annuity, annual_rate=0.061).slope
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=1e-6, atol=1e-7)


@given(terms())
def test_steps_tile_the_loan_and_stay_in_their_bucket(given_terms: Terms) -> None:
    months, periods = given_terms.payment_months, given_terms.periods
    steps = cut(np.array(EDGES), payment_months=months, periods=periods)
    ends = np.cumsum(steps[:, 1])
    starts = ends - steps[:, 1]
    edges = np.array(EDGES)
    assert ends[-1] == given_terms.term_months
    assert (edges[steps[:, 0]] <= starts).all()
    assert (ends <= edges[steps[:, 0] + 1]).all()
    assert (steps[:, 2] == starts // months).all()
    assert (steps[:, 3] == (ends % months == 0)).all()


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        Terms(amount=-5.0, term_months=0, repayment="balloon", grace_months=-1, payment_months=2)
    assert [fault.field for fault in raised.value.faults] == [
        "terms.amount",
        "terms.term_months",
        "terms.repayment",
        "terms.grace_months",
        "terms.payment_months",
    ]
    assert "terms.repayment must be one of bullet, linear, annuity, however: 'balloon'" in str(
        raised.value
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"term_months": 37}, "terms.payment_months"),
        ({"grace_months": 4}, "terms.grace_months"),
        ({"grace_months": 36}, "terms.grace_months"),
        ({"repayment": "bullet", "grace_months": 3}, "terms.grace_months"),
        ({"amount": math.nan}, "terms.amount"),
        ({"amount": math.inf}, "terms.amount"),
        ({"amount": True}, "terms.amount"),
        ({"amount": "1000"}, "terms.amount"),
        ({"term_months": 36.0}, "terms.term_months"),
        ({"term_months": 603}, "terms.term_months"),
        ({"payment_months": True}, "terms.payment_months"),
        ({"repayment": ["linear"]}, "terms.repayment"),
    ],
)
def test_terms_that_make_no_sense_cannot_be_made(change: dict[str, object], field: str) -> None:
    good: dict[str, object] = {
        "amount": 1e6,
        "term_months": 36,
        "repayment": "linear",
        "payment_months": 3,
    }
    Terms(**good)  # type: ignore[arg-type]  # the faulty ones are the point
    with pytest.raises(InputError) as raised:
        Terms(**{**good, **change})  # type: ignore[arg-type]  # the faulty ones are the point
    assert [fault.field for fault in raised.value.faults] == [field]
