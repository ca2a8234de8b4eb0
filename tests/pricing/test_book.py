from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.book import Book, Loans, price
from pricing.errors import InputError, ModelError
from pricing.feedback import Feedback
from pricing.instruments.term_loan import TermLoan
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.thin_data import ThinData
from tests.pricing.cases import BUCKETS, EDGES, KINDS, STANDARD, Floats, flat, margins, terms

FAIR = flat(annual_hazard=0.05, lgd=0.4)
NO_CAP = replace(STANDARD, spread_cap_bps=None)


def priced(loans: list[Terms], rows: Floats, under: Policy = STANDARD) -> Book:
    return price(Loans.of(loans), rows, under, EDGES)


def alone(loan: Terms, m: Floats, under: Policy) -> tuple[float, ...]:
    """Return what the loan's own price says, in the order of a book's columns."""
    one = TermLoan(loan).priced(under, EDGES).price(m)
    expected_loss_bps = {line.name: line.bps for line in one.waterfall}["expected_loss"]
    return (
        one.figure_bps,
        one.charged_bps,
        one.rate,
        one.pd["12"],
        one.pd["lifetime"],
        expected_loss_bps,
    )


def columns(book: Book) -> Floats:
    """Return (6, rows) all there is."""
    return np.stack([getattr(book, column.name) for column in fields(Book)])


@pytest.mark.parametrize("under", [STANDARD, NO_CAP], ids=["capped", "uncapped"])
@given(loans=st.lists(st.tuples(terms(), margins(default=(-11.0, 1.0))), min_size=1, max_size=8))
def test_every_loan_of_a_book_has_the_price_it_has_alone(
    under: Policy, loans: list[tuple[Terms, Floats]]
) -> None:
    asked, rows = zip(*loans, strict=True)
    book = columns(priced([*asked], np.stack(rows), under))
    for i, (loan, m) in enumerate(loans):
        assert tuple(book[:, i].tolist()) == alone(loan, m, under)


def test_a_mixed_book_keeps_its_order() -> None:
    dice = np.random.default_rng(5)
    asked = [KINDS[i] for i in dice.integers(0, len(KINDS), 300)]
    rows = FAIR + 0.5 * dice.standard_normal((300, 3, BUCKETS))
    rows[:, 1] = -5.0
    book = columns(priced(asked, rows))
    for i in range(0, 300, 17):
        assert tuple(book[:, i].tolist()) == alone(asked[i], rows[i], STANDARD)


def test_loans_of_one_shape_go_through_the_kernel_together() -> None:
    loans = Loans.of([KINDS[0], KINDS[3], KINDS[0], replace(KINDS[3], amount=5.0)])
    shapes = {shape.repayment: rows.tolist() for shape, rows in loans.shapes()}
    assert shapes == {"bullet": [0, 2], "linear": [1, 3]}


def test_an_empty_book_has_no_prices() -> None:
    assert columns(priced([], np.empty((0, 3, BUCKETS)))).shape == (6, 0)


def test_all_terms_that_make_no_sense_are_named_by_row() -> None:
    loans = Loans(
        term_months=np.array([36, -12, 36, 36]),
        repayment=np.array(["bullet", "bullet", "balloon", "linear"]),
        grace_months=np.array([0, 0, 0, 36]),
        payment_months=np.array([1, 1, 5, 1]),
    )
    with pytest.raises(InputError) as raised:
        price(loans, np.stack([FAIR] * 4), STANDARD, EDGES)
    assert sorted((fault.field, fault.given) for fault in raised.value.faults) == [
        ("terms[1].term_months", "-12"),
        ("terms[2].payment_months", "5"),
        ("terms[2].repayment", "'balloon'"),
        ("terms[3].grace_months", "36"),
    ]


def test_every_term_beyond_the_last_age_is_named_by_row() -> None:
    long = [Terms(1e6, 132, "bullet"), Terms(1e6, 240, "linear")]
    with pytest.raises(InputError) as raised:
        priced([KINDS[0], *long, long[0]], np.stack([FAIR] * 4))
    assert [fault.field for fault in raised.value.faults] == [
        "terms[1].term_months",
        "terms[2].term_months",
    ]


def test_half_a_month_is_no_term() -> None:
    loans = Loans.of([KINDS[0]])
    half = replace(loans, term_months=np.array([36.5]))
    with pytest.raises(InputError, match=r"terms\[0\]\.term_months must be a whole number"):
        price(half, FAIR[None], STANDARD, EDGES)


def test_columns_and_margins_are_of_one_length() -> None:
    loans = Loans.of([*KINDS])
    with pytest.raises(InputError, match=r"grace_months must be of shape \(10,\), however: \(9,\)"):
        replace(loans, grace_months=loans.grace_months[1:])
    with pytest.raises(InputError, match="margins must be of 10 rows, however: 1"):
        price(loans, FAIR[None], STANDARD, EDGES)


def test_margins_that_give_no_number_are_the_model_s_fault() -> None:
    rows = np.stack([FAIR] * 2)
    rows[1, 2] = math.nan
    with pytest.raises(ModelError, match="finite spread_bps, however: nan in row 1"):
        priced([KINDS[0]] * 2, rows)


def test_a_policy_that_needs_more_than_the_legs_is_refused() -> None:
    under = replace(
        STANDARD, feedback=Feedback(0.05, 400.0), thin_data=ThinData(500, 2, confidence=0.75)
    )
    with pytest.raises(InputError) as raised:
        priced([KINDS[0]], FAIR[None], under)
    assert [fault.field for fault in raised.value.faults] == [
        "policy.feedback",
        "policy.thin_data",
    ]
