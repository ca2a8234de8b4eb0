from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.waterfall import Waterfall
from pricing import policy
from pricing.arrange import arranged
from pricing.basis_points import largest_remainder
from pricing.instrument import Price
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms
from pricing.support.supported import Support
from tests.pricing.cases import EDGES, Floats, flat, margins, terms

CHINA = policy.load(currency="CNY")
DAY = date(2026, 3, 1)
SCHEMES = [
    Support(DAY, scheme="national_technology_guarantee", tier="little_giant"),
    Support(DAY, scheme="local_risk_pool", subsidy="technology_relending"),
    Support(DAY, scheme="guarantee_80"),
    Support(DAY, scheme="first_loss_fund"),
]
PLAIN = TermLoan(Terms(1e6, 36, "linear"))


def priced(m: Floats, asked: Support, loan: TermLoan) -> Price:
    return arranged(loan, asked, CHINA, EDGES).price(m)


def named(waterfall: Waterfall) -> dict[str, int]:
    return dict(waterfall.lines)


def assert_paid(price: Price, payers: Sequence[int], loss: int, taken: int) -> None:
    """All payers together bear the loss, and all but the bank what is taken over."""
    others = [part for leg, part in zip(price.payers, payers, strict=True) if leg.role != "bank"]
    assert sum(payers) == loss
    assert sum(others) == -taken
    for leg, part in zip(price.payers, payers, strict=True):
        assert abs(part - 100 * leg.amount) < 1 + 1e-6


@given(terms().map(TermLoan), margins(default=(-10.0, 0.0)), st.sampled_from(SCHEMES))
def test_payers_are_those_of_the_lines_as_they_are_printed(
    loan: TermLoan, m: Floats, asked: Support
) -> None:
    price = priced(m, asked, loan)
    waterfall = Waterfall.of_price(price)
    told = named(waterfall)
    assert_paid(price, waterfall.payers, told["expected_loss"], told["scheme_loss"])
    assert waterfall.total == round(100 * price.charged_bps)
    assert sum(part for name, part in waterfall.lines if name != "ftp") == waterfall.total
    exact = {line.name: 100 * line.bps for line in price.waterfall}
    for name, part in waterfall.lines:
        assert abs(part - exact[name]) < 1.5 + 1e-6, name


def test_rounded_apart_they_would_be_seen_to_differ() -> None:
    def apart() -> None:
        for step in range(50):
            price = priced(flat(annual_hazard=0.03 + 0.001 * step, lgd=0.4), SCHEMES[0], PLAIN)
            told = named(Waterfall.of_price(price))
            amounts = [leg.amount for leg in price.payers]
            payers = largest_remainder(amounts, sum(amounts))
            assert_paid(price, payers, told["expected_loss"], told["scheme_loss"])

    with pytest.raises(AssertionError):
        apart()


def test_without_a_scheme_nobody_is_told_to_pay() -> None:
    price = arranged(PLAIN, None, CHINA, EDGES).price(flat(annual_hazard=0.05, lgd=0.4))
    assert Waterfall.of_price(price).payers == ()
