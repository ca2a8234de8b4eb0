from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import InputError
from pricing.policy import POLICIES
from pricing.support.subsidy import Course, Relending, Subsidy, find, read

TABLES: list[dict[str, Any]] = tomllib.loads((POLICIES / "cny.toml").read_text("utf-8"))[
    "subsidies"
]
PROGRAMMES = read(TABLES)[0]
RELENDING_TABLE = TABLES[1]
DAY = date(2026, 3, 1)


def subsidy(**changes: Any) -> Subsidy:
    """Return the published subsidy, some of its fields replaced."""
    (first, _) = PROGRAMMES
    assert isinstance(first, Subsidy)
    return replace(first, **changes)


def relending(**changes: Any) -> Relending:
    """Return the example relending, some of its fields replaced."""
    (_, second) = PROGRAMMES
    assert isinstance(second, Relending)
    return replace(second, **changes)


def bullet(months: int, *, amount: float = 1e6, step: int = 3, rate: float = 0.0) -> Course:
    """Return a loan repaid at the end, discounted at a continuous rate."""
    n = months // step
    discount = np.exp(-rate * step / 12 * np.arange(1, n + 1))
    return Course(amount, step, np.ones(n), discount)


def test_the_published_subsidy_pays_at_most_a_million_and_a_half() -> None:
    # notice of 20 January 2026: 1.5 points for two years on at most 50 m, so at most 1.5 m a firm
    for amount in (50e6, 80e6):
        paid = subsidy().paid(rate=0.04, course=bullet(60, amount=amount))
        assert paid.sum() == pytest.approx(1.5e6, rel=1e-14)


def test_a_subsidy_is_spread_over_the_life_of_the_loan() -> None:
    # 150 bp in two of four years, money without a price: 75 bp
    assert subsidy().bps(rate=0.04, course=bullet(48)) == pytest.approx(75, rel=1e-14)
    assert subsidy().bps(rate=0.04, course=bullet(24)) == pytest.approx(150, rel=1e-14)
    assert subsidy().bps(rate=0.04, course=bullet(12)) == pytest.approx(150, rel=1e-14)


def test_early_money_is_worth_more_than_late_money() -> None:
    # 150 (1 - v^2)/(1 - v^4) = 150/(1 + v^2), with v a year's discount
    yearly = bullet(48, step=12, rate=0.1)
    expected = 150 / (1 + math.exp(-0.2))
    assert subsidy().bps(rate=0.04, course=yearly) == pytest.approx(expected, rel=1e-14)


def test_a_period_that_is_subsidised_in_part_counts_in_part() -> None:
    paid = subsidy(months=4).paid(rate=0.04, course=bullet(12, amount=1e6))
    assert paid == pytest.approx(np.array([3750, 1250, 0, 0]), rel=1e-12)


def test_only_what_is_outstanding_is_subsidised() -> None:
    linear = Course(1e6, 12, np.array([1.0, 0.5]), np.ones(2))
    assert subsidy().paid(rate=0.04, course=linear).tolist() == pytest.approx([15_000, 7_500])
    assert subsidy().bps(rate=0.04, course=linear) == pytest.approx(150, rel=1e-14)


def test_a_share_of_the_interest_is_bounded_by_the_points_and_by_the_interest() -> None:
    half = subsidy(interest_share=0.5, rate_bps=None)
    year = bullet(12)
    assert half.bps(rate=0.04, course=year) == pytest.approx(200, rel=1e-14)
    assert subsidy(interest_share=0.5).bps(rate=0.04, course=year) == pytest.approx(150)
    assert subsidy(interest_share=0.5).bps(rate=0.02, course=year) == pytest.approx(100)
    assert subsidy().bps(rate=0.01, course=year) == pytest.approx(100), "never beyond the rate"
    assert subsidy().bps(rate=-0.01, course=year) == 0


def test_what_a_firm_may_have_in_all_is_used_up_from_the_start() -> None:
    paid = subsidy(most=20_000).paid(rate=0.04, course=bullet(24, step=12))
    assert paid.tolist() == pytest.approx([15_000, 5_000])


def test_cheap_funding_saves_its_share_of_the_difference() -> None:
    # 60 % at 1.25 % instead of 2.05 %: 48 bp for three years of five, money without a price
    saved = relending().bps(funding_rate=0.0205, course=bullet(60))
    assert saved == pytest.approx(48 * 3 / 5, rel=1e-12)
    assert relending().bps(funding_rate=0.0205, course=bullet(36)) == pytest.approx(48)


def test_cheap_funding_ends_at_its_cap() -> None:
    # 300,000 of a million instead of 600,000: half of the 48 bp
    saved = relending(cap=3e5).bps(funding_rate=0.0205, course=bullet(36))
    assert saved == pytest.approx(24, rel=1e-12)


def test_a_bank_with_cheaper_money_of_its_own_does_without() -> None:
    assert relending().bps(funding_rate=0.0125, course=bullet(36)) == 0
    assert relending().bps(funding_rate=0.01, course=bullet(36)) == 0


@given(
    rate=st.floats(-0.02, 0.3),
    funding=st.floats(-0.02, 0.3),
    points=st.floats(0, 1_000),
    months=st.integers(1, 120),
    step=st.sampled_from([1, 3, 6, 12]),
    cap=st.floats(1.0, 1e7),
)
def test_neither_is_negative_nor_above_what_it_lowers(
    rate: float, funding: float, points: float, months: int, step: int, cap: float
) -> None:
    course = bullet(60, step=step, rate=0.05)
    given_bps = subsidy(rate_bps=points, months=months, cap=cap).bps(rate=rate, course=course)
    assert -1e-9 <= given_bps <= min(points, 1e4 * max(rate, 0)) + 1e-9
    saved = relending(months=months, cap=cap).bps(funding_rate=funding, course=course)
    assert 0 <= saved <= 1e4 * max(funding - 0.0125, 0) + 1e-9


@given(months=st.tuples(st.integers(1, 80), st.integers(1, 80)))
def test_more_months_never_give_less(months: tuple[int, int]) -> None:
    course = bullet(60, rate=0.03)
    less, more = (subsidy(months=m).bps(rate=0.05, course=course) for m in sorted(months))
    assert less <= more + 1e-9


def test_the_examples_name_who_pays_and_what_is_assumed() -> None:
    programmes, found = read(TABLES)
    assert found == []
    assert [programme.payer for programme in programmes] == [
        "Central government",
        "People's Bank of China",
    ]
    assert [(programme.verified, programme.assumed) for programme in programmes] == [
        (True, ()),
        (True, ("share",)),
    ]


def test_every_fault_is_told_at_once() -> None:
    tables = [
        {**TABLES[0], "months": 0, "payer": "", "rate": 0.01, "most": -1},
        {**RELENDING_TABLE, "share": 1.1, "rate": "low", "assumed": ["rate_bps"], "months": True},
        {"kind": "gift"},
        {name: value for name, value in TABLES[0].items() if name != "rate_bps"},
        {**TABLES[0], "valid_from": "2026-01-01"},
    ]
    assert sorted(fault.field for fault in read(tables)[1]) == [
        "policy.subsidies[0].months",
        "policy.subsidies[0].most",
        "policy.subsidies[0].payer",
        "policy.subsidies[0].rate",
        "policy.subsidies[1].assumed",
        "policy.subsidies[1].months",
        "policy.subsidies[1].rate",
        "policy.subsidies[1].share",
        "policy.subsidies[2].kind",
        "policy.subsidies[3].rate_bps",
        "policy.subsidies[4].valid_from",
    ]


def test_a_name_is_given_once_a_day_over_both_kinds() -> None:
    twin = {**RELENDING_TABLE, "name": TABLES[0]["name"]}
    (fault,) = read([TABLES[0], twin])[1]
    assert (fault.field, fault.given) == ("policy.subsidies[1].valid_from", "2026-01-19")


def test_a_name_finds_what_is_in_force_on_the_day() -> None:
    assert find(PROGRAMMES, "technology_relending", on=DAY) == relending()
    with pytest.raises(InputError) as raised:
        find(PROGRAMMES, "small_firm_investment_subsidy", on=date(2027, 1, 1))
    (fault,) = raised.value.faults
    assert fault.field == "instrument.subsidy"
    assert fault.expected == "one in force on 2027-01-01: technology_relending"


@pytest.mark.parametrize(
    ("amount", "exposure", "field"),
    [(0.0, [1.0, 1.0], "amount"), (1.0, [1.0], "exposure"), (1.0, [0.0, 0.0], "exposure")],
)
def test_a_course_on_which_nothing_can_be_spread_is_refused(
    amount: float, exposure: list[float], field: str
) -> None:
    with pytest.raises(InputError, match=f"{field} must be"):
        Course(amount, 12, np.array(exposure), np.ones(2))
