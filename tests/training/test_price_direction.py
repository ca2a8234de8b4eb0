from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.column import Direction
from pricing import policy
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms
from tests.training import books
from training.fit import Fitted, fit
from training.options import Options
from training.trees import Trees

OPTIONS = Options(
    default=Trees(2, 40, 4, 0.2, min_events=3.0),
    depths=(4,),
    exit=Trees(1, 40, 3, 0.2),
    lgd=Trees(1, 20, 2, 0.2),
    background=200,
)
SIGNED = [(i, c.direction.sign) for i, c in enumerate(books.COLUMNS) if c.direction.sign]
LOANS = [
    Terms(amount=1e5, term_months=24, repayment="bullet"),
    Terms(amount=1e5, term_months=60, repayment="annuity"),
]


def steps_against(fitted: Fitted) -> int:
    """Count prices that fall though a signed column got worse, over two loans."""
    x = fitted.background
    terms = policy.load(currency="EUR")
    wrong = 0
    for column, sign in SIGNED:
        values = np.quantile(x[:, column], np.linspace(0, 1, 9))
        moved = np.repeat(x[None], len(values), axis=0)
        moved[:, :, column] = values[:, None]
        margins = fitted.margins(moved.reshape(-1, x.shape[1]))
        for loan in LOANS:
            priced = TermLoan(loan).priced(terms, books.EDGES)
            figures = priced.figures(margins).reshape(len(values), -1)
            wrong += int((sign * np.diff(figures, axis=0) < -1e-6).sum())
    return wrong


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(books.book(4000), OPTIONS)


def test_a_price_never_falls_when_a_signed_column_gets_worse(fitted: Fitted) -> None:
    assert steps_against(fitted) == 0


def test_the_count_finds_falling_prices_of_a_model_without_directions() -> None:
    book = books.book(4000)
    columns = tuple(replace(column, direction=Direction.FREE) for column in books.COLUMNS)
    free = fit(replace(book, column_set=books.column_set(columns)), OPTIONS)
    assert steps_against(free) > 0
