from __future__ import annotations

import math
import tomllib
from copy import deepcopy
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from pricing.errors import Fault, InputError
from pricing.policy import POLICIES
from pricing.support.scheme import Payer, Scheme, Share, check, find, read

EXAMPLES: list[dict[str, Any]] = tomllib.loads((POLICIES / "cny.toml").read_text("utf-8"))[
    "schemes"
]
NATIONAL = EXAMPLES[0]
DAY = date(2026, 3, 1)


def with_fields(**changes: object) -> list[dict[str, Any]]:
    """Return the national plan alone, some of its fields replaced; None leaves one out."""
    table = {**deepcopy(NATIONAL), **changes}
    return [{name: value for name, value in table.items() if value is not None}]


def faults(given: object) -> list[tuple[str, str]]:
    """Return (field, what came) of everything that is wrong."""
    found = read(given)[1]
    assert found, "nothing is wrong"
    return [(fault.field, fault.given) for fault in found]


def payers(*shares: object) -> list[dict[str, Any]]:
    """Return a bank, a guarantor and an insurer with these shares."""
    roles = ("bank", "guarantor", "insurer")
    return [{"role": role, "share": s} for role, s in zip(roles, shares, strict=False)]


def test_the_examples_are_sound_and_say_what_is_not_confirmed() -> None:
    schemes, found = read(EXAMPLES)
    assert found == []
    assert [scheme.verified for scheme in schemes] == [True, False, False, False]
    assert schemes[0].assumed == ("correlation", "covered_risk_weight")


def test_the_national_plan_has_the_published_shares() -> None:
    # Caijin [2024] No. 60: the bank at least 20 %, the fund at most 40, 35 or 30 % by tier
    (plan, *_), _ = read(EXAMPLES)
    assert plan.tiers == ("little_giant", "high_tech", "other_tech")
    assert plan.shares("little_giant") == pytest.approx((0.2, 0.4, 0.2, 0.2), rel=1e-15)
    assert plan.shares("high_tech") == pytest.approx((0.2, 0.35, 0.2, 0.25), rel=1e-15)
    assert plan.shares("other_tech") == pytest.approx((0.2, 0.3, 0.2, 0.3), rel=1e-15)
    assert plan.covered("other_tech") == 0.8
    assert (plan.cap, plan.compensation_cap) == (30e6, 0.05)
    assert [plan.fee.at(amount) for amount in (5e6, 5e6 + 1)] == [30, 50]


def test_a_policy_may_have_no_schemes() -> None:
    assert read(None) == ((), [])
    assert read([]) == ((), [])


def test_what_is_no_list_of_tables_is_refused() -> None:
    assert faults({"name": "x"}) == [("policy.schemes", "{'name': 'x'}")]
    assert faults(["x"]) == [("policy.schemes[0]", "'x'")]
    assert faults(with_fields(payers=[])) == [("policy.schemes[0].payers", "[]")]


def test_every_fault_of_every_scheme_is_told_at_once() -> None:
    first = with_fields(name="", valid_to=date(2024, 1, 1), verified=None, capp=1, cap=0)
    second = with_fields(
        valid_from=datetime(2024, 7, 24, 8), compensation_cap=-0.01, cap_basis="both", capped="all"
    )
    second[0]["payers"] = [{"role": "state", "share": 1.2}, "bank"]
    second[0]["maximum"] = {"state": 0.5}
    second[0]["assumed"] = ["name"]
    assert sorted(field for field, _ in faults(first + second)) == [
        "policy.schemes[0].cap",
        "policy.schemes[0].capp",
        "policy.schemes[0].name",
        "policy.schemes[0].valid_to",
        "policy.schemes[0].verified",
        "policy.schemes[1].assumed",
        "policy.schemes[1].cap_basis",
        "policy.schemes[1].capped",
        "policy.schemes[1].compensation_cap",
        "policy.schemes[1].maximum.state",
        "policy.schemes[1].payers[0].role",
        "policy.schemes[1].payers[0].share",
        "policy.schemes[1].payers[1]",
        "policy.schemes[1].valid_from",
    ]


@pytest.mark.parametrize(
    ("shares", "given"),
    [((0.2, 0.7), "0.9"), ((0.2, 0.9), "1.1"), ((0.2, 0.9, "rest"), "1.1"), ((1.0, 0.5), "1.5")],
)
def test_shares_that_do_not_sum_to_one_are_refused(shares: tuple[object], given: str) -> None:
    plain = with_fields(payers=payers(*shares), minimum=None, maximum=None)
    assert faults(plain) == [("policy.schemes[0].payers", given)]


def test_a_sum_is_judged_tier_by_tier() -> None:
    split = payers(0.2, {"small": 0.8, "large": 0.7})
    assert faults(with_fields(payers=split, minimum=None, maximum=None)) == [
        ("policy.schemes[0].payers", "0.9")
    ]


@pytest.mark.parametrize("shares", [(0.35, 0.08, 0.57), (0.5, 0.5 + 3e-16)])
def test_shares_that_miss_their_sum_by_rounding_are_sound(shares: tuple[float, ...]) -> None:
    assert math.fsum(shares) != 1
    assert read(with_fields(payers=payers(*shares), minimum=None, maximum=None))[1] == []


def test_the_scheme_s_own_bounds_hold_for_each_tier() -> None:
    lean = deepcopy(NATIONAL["payers"])
    lean[0]["share"] = {"little_giant": 0.2, "high_tech": 0.15, "other_tech": 0.2}
    lean[1]["share"]["other_tech"] = 0.31
    assert faults(with_fields(payers=lean)) == [
        ("policy.schemes[0].minimum.bank", "0.15"),
        ("policy.schemes[0].maximum.guarantee_system", "0.85"),
        ("policy.schemes[0].maximum.national", "0.31"),
    ]


@pytest.mark.parametrize(
    ("split", "given"),
    [
        (payers(0.2, "rest")[1:], "0 of them"),
        ([{"role": "bank", "share": 0.5, "name": x} for x in "ab"], "2 of them"),
        (payers(0.2, "rest", "rest"), "2 of them"),
        ([{"name": "x", "role": r, "share": 0.5} for r in ("bank", "insurer")], "x, x"),
        (payers({"small": 0.5}, {"large": 0.5}), "small | large"),
    ],
)
def test_payers_that_do_not_fit_together_are_refused(split: object, given: str) -> None:
    plain = with_fields(payers=split, minimum=None, maximum=None)
    assert faults(plain) == [("policy.schemes[0].payers", given)]


@pytest.mark.parametrize("share", ["half", True, -0.1, math.nan, {}, {"small": 2}, None])
def test_a_share_that_is_none_is_refused(share: object) -> None:
    split = [{"role": "bank", "share": "rest"}, {"role": "insurer", "share": share}]
    ((field, _),) = faults(with_fields(payers=split, minimum=None, maximum=None))
    assert field.startswith("policy.schemes[0].payers[1].share")


def test_a_cap_on_the_pool_needs_a_correlation() -> None:
    bare = with_fields(correlation=None)
    assert faults(bare) == [("policy.schemes[0].correlation", "missing")]


def test_a_threshold_of_the_fee_needs_the_fee_above_it() -> None:
    stepped = with_fields(fee={"bps": 30, "threshold": 5e6})
    assert faults(stepped) == [("policy.schemes[0].fee.above_bps", "missing")]
    (flat,), _ = read(with_fields(fee={"bps": 30}))
    assert flat.fee.at(1e12) == 30


def test_a_first_loss_names_a_payer_and_costs_a_bank_its_relief() -> None:
    unknown = with_fields(first_loss={"payer": "Nobody", "share": 0.1})
    assert faults(unknown) == [("policy.schemes[0].first_loss.payer", "Nobody")]
    kept = with_fields(first_loss={"payer": "Bank", "share": 0.1})
    assert faults(kept) == [("policy.schemes[0].covered_risk_weight", "1.0")]


def test_the_same_name_on_the_same_day_is_refused() -> None:
    first, second = with_fields(valid_to=date(2025, 12, 31)), with_fields(valid_from=DAY)
    assert read(first + second)[1] == []
    second[0]["valid_from"] = date(2025, 12, 31)
    assert faults(first + second) == [("policy.schemes[1].valid_from", "2025-12-31")]
    assert faults(second + first) == [("policy.schemes[1].valid_from", "2024-07-24")]


def test_a_name_finds_the_scheme_of_the_day() -> None:
    tables = with_fields(valid_to=date(2025, 12, 31)) + with_fields(valid_from=DAY, cap=1e6)
    schemes, _ = read(tables)
    name = NATIONAL["name"]
    assert find(schemes, name, on=date(2024, 7, 24)).cap == 30e6
    assert find(schemes, name, on=date(2025, 12, 31)).cap == 30e6
    assert find(schemes, name, on=DAY).cap == 1e6
    with pytest.raises(InputError, match="left out: none is in force on 2026-01-15"):
        find(schemes, name, on=date(2026, 1, 15))


def test_an_unknown_name_is_told_the_known_ones() -> None:
    schemes, _ = read(EXAMPLES)
    with pytest.raises(InputError) as raised:
        find(schemes, "nationl", on=date(2024, 3, 1))
    (fault,) = raised.value.faults
    assert fault == Fault(
        "instrument.scheme",
        "one in force on 2024-03-01: local_risk_pool, guarantee_80, first_loss_fund",
        "nationl",
    )


def test_a_scheme_says_which_borrower_and_loan_it_does_not_cover() -> None:
    (plan, pool, *_), _ = read(EXAMPLES)
    check(plan, tier="high_tech", amount=30e6)
    check(pool, tier=None, amount=1e12)
    check(pool, tier=None, amount=1.0)
    with pytest.raises(InputError, match="must be left out under local_risk_pool"):
        check(pool, tier="high_tech", amount=1.0)
    with pytest.raises(InputError) as raised:
        check(plan, tier=None, amount=30e6 + 1)
    assert [(fault.field, fault.given) for fault in raised.value.faults] == [
        ("instrument.tier", "missing"),
        ("terms.amount", "30000001.0"),
    ]
    with pytest.raises(InputError, match=r"at most 30000000, the cap a firm"):
        check(plan, tier="high_tech", amount=math.nan)


def test_schemes_are_values() -> None:
    (plan, *_), _ = read(EXAMPLES)
    (again, *_), _ = read(EXAMPLES)
    assert plan == again
    assert hash(plan) == hash(again)
    assert replace(plan, cap=1.0) != plan
    assert isinstance(plan, Scheme)
    assert plan.bank == Payer("Bank", "bank", Share(0.2))
