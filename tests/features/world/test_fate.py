"""How loans end: exposure by schedule, losses by collateral and age."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from features.world.dice import Dice
from features.world.fate import PAYMENT_MONTHS, loss_given_default, outstanding

AGES = np.arange(1, 37)
RATE = np.full(36, 0.06)


def loan(repayment: str, grace_months: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"term_months": [36.0], "grace_months": [float(grace_months)], "repayment": [repayment]}
    ).select(pl.all().repeat_by(36).explode())


@pytest.mark.parametrize(
    ("repayment", "grace_months"),
    list(itertools.product(["linear", "annuity", "bullet"], [0, 6, 12])),
)
def test_what_is_owed_is_what_is_left_after_paying_by_hand(
    repayment: str, grace_months: int
) -> None:
    """Owed falls by each payment's principal: the payment less a quarter's interest."""
    quarters = (36 - grace_months) // PAYMENT_MONTHS
    payment = 0.015 / (1 - 1.015**-quarters)  # the annuity formula
    owed, expected = 1.0, []
    for month in range(1, 37):
        expected.append(owed)
        if month % PAYMENT_MONTHS == 0 and month > grace_months:
            principal = {"linear": 1 / quarters, "annuity": payment - 0.015 * owed, "bullet": 0.0}
            owed -= principal[repayment]
    found = outstanding(loan(repayment, grace_months), AGES, RATE)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def mean_loss(*, collateral: float, age_months: int) -> float:
    n = 20_000
    columns = pl.DataFrame(
        {
            "collateral_coverage": np.full(n, collateral),
            "ip_pledged": np.zeros(n, dtype=bool),
            "debt_ratio": np.full(n, 0.4),
        }
    )
    age, month = np.full(n, age_months), np.full(n, 480)
    return float(loss_given_default(Dice(1, n), columns, age, month - age).mean())


def test_collateral_saves_money_and_age_costs_it() -> None:
    assert mean_loss(collateral=1.0, age_months=12) < mean_loss(collateral=0.0, age_months=12) - 0.1
    assert mean_loss(collateral=0.3, age_months=48) > mean_loss(collateral=0.3, age_months=6) + 0.03
