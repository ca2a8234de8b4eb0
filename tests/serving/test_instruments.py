"""Every instrument through a desk with a real model: what adds up, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pricing.errors import InputError, PolicyError
from serving.access.caller import LOCAL
from serving.app import Server
from serving.desk import Desk
from serving.instruments import KINDS
from serving.quote_schema import FIGURES
from serving.terminal import render

EXAMPLES = Path(__file__).parents[2] / "examples"
BODIES: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted(EXAMPLES.glob("*.json"))
    if path.stem != "sba"  # of another column set
}
APART = ("thin_data", "scheme_loss", "scheme_capital", "scheme_fee", "subsidy", "relending")


@pytest.fixture
def desk(server: Server) -> Desk:
    return server.office.served.desk


def quoted(desk: Desk, body: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(desk.what_if(body, LOCAL).body)
    return read


def changed(name: str, **changes: Any) -> dict[str, Any]:
    """Return an example with fields of its instrument changed; ... leaves one out."""
    instrument = {**BODIES[name]["instrument"], **changes}
    kept = {key: value for key, value in instrument.items() if value is not ...}
    return {**BODIES[name], "instrument": kept}


def refused(desk: Desk, body: Any) -> dict[str, str]:
    """Return field -> what was expected, of a request that is refused."""
    with pytest.raises(InputError) as error:
        desk.what_if(body, LOCAL)
    return {fault.field: fault.expected for fault in error.value.faults}


def total(lines: Any) -> Decimal:
    return sum((Decimal(line["bps"]) for line in lines), Decimal(0))


def test_there_is_an_example_of_every_instrument() -> None:
    assert {body["instrument"]["kind"] for body in BODIES.values()} == set(KINDS)


@pytest.mark.parametrize("name", BODIES)
def test_every_basis_point_of_every_instrument_adds_up(desk: Desk, name: str) -> None:
    quote = quoted(desk, BODIES[name])
    (figure,) = FIGURES.keys() & quote.keys()
    told, charged = quote["explanation"], Decimal(quote[figure])
    assert told["of"] == figure
    assert Decimal(told["total_bps"]) == charged
    assert Decimal(told["base_bps"]) + total(told["items"]) + total(told["lines"]) == charged
    assert total(told["groups"]) == total(told["items"])
    beside = [line for line in quote["waterfall"] if line["name"] == "ftp"]
    assert total(quote["waterfall"]) - total(beside) == charged
    if figure != "value_bps":
        assert Decimal(quote["rate"]) * 10_000 == total(quote["waterfall"])


@pytest.mark.parametrize("name", BODIES)
def test_every_instrument_can_be_read_on_a_narrow_terminal(desk: Desk, name: str) -> None:
    quote = quoted(desk, BODIES[name])
    told = StringIO()
    Console(file=told, width=80).print(render(quote))
    (figure,) = FIGURES.keys() & quote.keys()
    for part in (quote[figure], "90 % interval", "Why the", "a what-if, not recorded"):
        assert part in told.getvalue()
    assert max(map(len, told.getvalue().splitlines())) <= 80


def test_the_model_says_what_may_be_asked_of_its_policy(server: Server) -> None:
    policy = json.loads(server.office.served.model["anyone"])["policy"]
    assert policy["kinds"] == list(KINDS)
    for asked in BODIES.values():
        instrument = asked["instrument"]
        for offered, field in (("schemes", "scheme"), ("subsidies", "subsidy")):
            names = [entry["name"] for entry in policy[offered]]
            assert instrument.get(field) in {None, *names}
        assert instrument.get("cover") in {None, *policy["covers"]}
    assert policy["overrides"]["margin_bps"] == [0, 200]


@pytest.mark.parametrize("name", BODIES)
def test_the_interval_contains_the_probability_of_default(desk: Desk, name: str) -> None:
    quote = quoted(desk, BODIES[name])
    low, high = map(float, quote["interval"]["pd_lifetime"])
    assert low <= float(quote["pd"]["lifetime"]) <= high


@pytest.mark.parametrize("name", BODIES)
def test_the_grade_is_that_of_the_probability_within_twelve_months(desk: Desk, name: str) -> None:
    quote = quoted(desk, BODIES[name])
    pd, grade = float(quote["pd"]["12"]), quote["grade"]
    # every bound is twice the one before, from 0.25 % on: grade g ends at 0.25 % 2^(g - 1)
    assert grade == 9 or pd < 0.0025 * 2 ** (grade - 1)
    assert grade == 1 or pd >= 0.0025 * 2 ** (grade - 2)


@pytest.mark.parametrize("name", BODIES)
def test_the_interval_contains_the_price_before_floor_cap_and_support(
    desk: Desk, name: str
) -> None:
    quote = quoted(desk, BODIES[name])
    (figure,) = FIGURES.keys() & quote.keys()
    apart = [line for line in quote["waterfall"] if line["name"] in (*APART, "floor_cap")]
    low, high = map(Decimal, quote["interval"][figure])
    assert low <= Decimal(quote[figure]) - total(apart) <= high


@pytest.mark.parametrize("name", BODIES)
def test_what_was_understood_asks_for_the_same_price_again(desk: Desk, name: str) -> None:
    quote = quoted(desk, BODIES[name])
    again = quoted(desk, {**BODIES[name], "instrument": quote["instrument"]})
    assert again["explanation"] == quote["explanation"]
    assert again["instrument"] == quote["instrument"]


def test_who_pays_what_adds_up_to_the_expected_loss(desk: Desk) -> None:
    quote = quoted(desk, BODIES["scheme"])
    (loss,) = (line for line in quote["waterfall"] if line["name"] == "expected_loss")
    support = quote["details"]["support"]
    assert total(support["expected_loss_payers"]) == Decimal(loss["bps"])
    assert len(support["expected_loss_payers"]) == 4
    assert Decimal(support["after_bps"]) == Decimal(quote["spread_bps"])
    assert (
        support["before_bps"] == quoted(desk, changed("scheme", scheme=..., tier=...))["spread_bps"]
    )


def test_a_cover_frees_the_capital_of_a_line_down_to_its_own_weight(desk: Desk) -> None:
    """A drawn unit of a line holds x = (u + c (1 - u)) / u of capital; so must its cover."""
    for drawn in (1.0, 0.4, 0.1):
        asked = {"utilisation": drawn, "commitment_fee_bps": 0, "scheme": "guarantee_80"}
        quote = quoted(desk, changed("revolving_line", **asked))
        lines = {line["name"]: float(line["bps"]) for line in quote["waterfall"]}
        at_risk = (drawn + 0.40 * (1 - drawn)) / drawn  # 0.40: the policy's conversion factor
        cover = 1e4 * 0.105 * 0.20 * (0.12 / 0.75 - 0.02) * at_risk  # the policy's numbers, RW 20 %
        freed = 0.8 * max(lines["capital"] - cover, 0.0)
        assert lines["scheme_capital"] == pytest.approx(-freed, rel=0, abs=0.02)


def test_a_margin_within_the_callers_bounds_is_used_and_said(desk: Desk) -> None:
    body = {**BODIES["good"], "overrides": {"margin_bps": 12.5}}
    quote = quoted(desk, body)
    lines = {line["name"]: line["bps"] for line in quote["waterfall"]}
    assert lines["margin"] == "12.50"
    assert quote["policy"]["overrides"] == {"margin_bps": 12.5}


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        ("good", {"term_months": -12}, "instrument.term_months"),
        ("good", {"kind": "mortgage"}, "instrument.kind"),
        ("good", {"scheme": "no_such_scheme"}, "instrument.scheme"),
        ("good", {"subsidy": "no_such_subsidy"}, "instrument.subsidy"),
        ("good", {"tier": "high_tech"}, "instrument.tier"),
        ("good", {"grace_months": 36}, "instrument.grace_months"),
        ("good", {"covered_share": 0.5}, "instrument.covered_share"),
        ("scheme", {"tier": "giant"}, "instrument.tier"),
        ("scheme", {"scheme": "local_risk_pool"}, "instrument.tier"),
        ("scheme", {"amount": 40_000_000}, "instrument.amount"),
        ("revolving_line", {"utilisation": 1.5}, "instrument.utilisation"),
        ("revolving_line", {"term_months": 48}, "instrument.term_months"),
        ("rd_loan", {"repayment": "annuity"}, "instrument.repayment"),
        ("rd_loan", {"milestones": []}, "instrument.milestones"),
        ("ma_loan", {"deal_value": 1_000_000}, "instrument.deal_value"),
        ("ma_loan", {"controlling": None}, "instrument.controlling"),
        ("guarantee", {"covered_share": 1.2}, "instrument.covered_share"),
        ("guarantee", {"covered_share": 0.9}, "instrument.covered_share"),
        ("guarantee", {"scheme": "guarantee_80"}, "instrument.scheme"),
        ("insurance", {"cover": "flood"}, "instrument.cover"),
        ("insurance", {"deductible": 1}, "instrument.deductible"),
        ("venture_debt", {"warrant": {}}, "instrument.warrant.coverage"),
        ("equity", {"ownership": 0}, "instrument.ownership"),
        ("equity", {"exit_value": 9e14, "amount": 10_000}, "instrument.exit_value"),
        ("equity", {"horizon_months": 600}, "instrument.horizon_months"),
        ("equity", {"term_months": 12}, "instrument.term_months"),
    ],
)
def test_impossible_terms_are_refused_by_their_field(
    desk: Desk, name: str, changes: dict[str, Any], field: str
) -> None:
    assert field in refused(desk, changed(name, **changes))


def test_a_draw_after_repayment_has_begun_is_refused_by_its_place(desk: Desk) -> None:
    late = [{"month": 0, "share": 0.5}, {"month": 36, "share": 0.5}]
    (field,) = refused(desk, changed("rd_loan", milestones=late))
    assert field == "instrument.milestones[1].month"


def test_a_draw_of_the_wrong_kind_is_refused_by_its_place(desk: Desk) -> None:
    odd = [{"month": 0, "share": 0.5}, {"month": "soon", "share": 0.5}]
    (field,) = refused(desk, changed("rd_loan", milestones=odd))
    assert field == "instrument.milestones[1].month"


def test_a_warrant_worth_more_than_the_loan_is_refused_by_its_field(desk: Desk) -> None:
    """Its negative rate has no annuity: it was a fault of the server's once."""
    huge = {"coverage": 1, "years": 50, "volatility": 0.6, "strike_ratio": 0.01}
    for repayment in ("annuity", "linear"):
        asked = changed("venture_debt", repayment=repayment, grace_months=0, warrant=huge)
        assert [*refused(desk, asked)] == ["instrument.warrant.coverage"]


def test_a_rate_where_no_balance_needs_it_is_refused_by_its_field(desk: Desk) -> None:
    assert [*refused(desk, changed("guarantee", loan_rate=0.05))] == ["instrument.loan_rate"]


@pytest.mark.parametrize("name", ["guarantee", "insurance", "equity"])
def test_a_lender_s_override_is_refused_by_its_field_where_nothing_is_lent(
    desk: Desk, name: str
) -> None:
    body = {**BODIES[name], "overrides": {"margin_bps": 100}}
    kind = BODIES[name]["instrument"]["kind"]
    assert refused(desk, body) == {"overrides.margin_bps": f"left out for {kind}"}


def test_what_was_assumed_within_an_object_or_a_list_is_said(desk: Desk) -> None:
    warrant = {"coverage": 0.05, "years": 7, "volatility": 0.6, "strike_ratio": None}
    debt = quoted(desk, changed("venture_debt", warrant=warrant))["instrument"]
    assert debt["warrant"] == {**warrant, "strike_ratio": 1.0, "dilution": 0.0}
    steps = [{"month": 0, "share": 1}]
    loan = quoted(desk, changed("rd_loan", milestones=steps, pledge_value=...))["instrument"]
    assert loan["milestones"] == [{"month": 0, "share": 1, "success": 1}]
    assert loan["pledge_value"] == 0.0
    stake = quoted(desk, changed("equity", stages=..., scenarios=..., retention=...))["instrument"]
    assert (stake["stages"], stake["scenarios"], stake["retention"]) == ([], None, 1.0)


@pytest.mark.parametrize("cover", ["rd_failure", "first_set_equipment", "ip_pledge_guarantee"])
def test_a_cover_says_the_borrowers_lgd_and_what_a_default_costs_it(desk: Desk, cover: str) -> None:
    # claims for one default x severity, from the policy's file; the lender's cover pays the LGD
    quote = quoted(desk, changed("insurance", cover=cover, deductible=0.1, term_months=24))
    assert float(quote["lgd"]) == pytest.approx(1 / (1 + math.exp(-0.2)), abs=1e-6)
    severities = {"rd_failure": 1.2 * 0.5, "first_set_equipment": 0.5 * 0.3}
    cost = 0.9 * severities.get(cover, float(quote["lgd"]))
    assert quote["details"]["loss_at_default"] == pytest.approx(cost, abs=2e-6)


def test_a_pledge_lowers_what_a_default_costs_and_not_the_borrowers_lgd(desk: Desk) -> None:
    at_once = [{"month": 0, "share": 1}]
    costs = []
    for pledge in (0, 10_000_000, 1e12):
        asked = changed("rd_loan", milestones=at_once, pledge_value=pledge, repayment="bullet")
        asked["instrument"].update(amount=5_000_000, grace_months=0)
        quote = quoted(desk, asked)
        assert float(quote["lgd"]) == pytest.approx(1 / (1 + math.exp(-0.2)), abs=1e-6)
        costs.append(quote["details"].get("loss_at_default", float(quote["lgd"])))
    lgd = 1 / (1 + math.exp(-0.2))  # 0.25: the policy's recovery of a pledge, 2.5 m of 5 m
    assert costs == pytest.approx([lgd, lgd / 2, 0.0], abs=2e-6)


def test_the_payers_are_those_of_the_lines_as_they_are_printed(desk: Desk) -> None:
    for months in range(24, 60):
        asked = changed("scheme", term_months=months, grace_months=0, payment_months=1)
        quote = quoted(desk, asked)
        lines = {line["name"]: Decimal(line["bps"]) for line in quote["waterfall"]}
        payers = quote["details"]["support"]["expected_loss_payers"]
        assert total(payers) == lines["expected_loss"]
        assert total(leg for leg in payers if leg["role"] != "bank") == -lines["scheme_loss"]


def test_what_policy_and_caller_forbid_is_told_at_once(desk: Desk) -> None:
    asked = changed("ma_loan", controlling=False, deal_value=7_000_000, term_months=108)
    asked["overrides"] = {"margin_bps": 9_999}
    beyond = {"instrument.amount", "instrument.term_months", "overrides.margin_bps"}
    assert set(refused(desk, asked)) == beyond


def test_a_scheme_and_a_subsidy_that_nobody_knows_are_told_at_once(desk: Desk) -> None:
    asked = changed("good", scheme="nobody_s", subsidy="no_one_s")
    assert set(refused(desk, asked)) == {"instrument.scheme", "instrument.subsidy"}


def test_an_override_beyond_the_callers_bounds_is_refused(desk: Desk) -> None:
    body = {**BODIES["good"], "overrides": {"margin_bps": 500}}
    assert refused(desk, body) == {"overrides.margin_bps": "from 0 to 200"}


RUBBISH: tuple[Any, ...] = (
    None,
    True,
    "x",
    -1,
    0,
    5e-324,
    1e-9,
    2,
    3.5,
    13,
    601,
    1e16,
    1e308,
    [],
    {},
)
LEFT_OUT: dict[str, dict[str, Any]] = {  # what the examples leave out
    "revolving_line": {"commitment_fee_bps": 50},
    "guarantee": {"loan_rate": 0.05},
    "venture_debt": {"warrant": {"coverage": 0.1, "years": 7, "volatility": 0.6, "dilution": 0.1}},
}


def fields(given: Any, at: str = "instrument") -> Iterator[tuple[str, Any, Any]]:
    """Yield every field within: where it stands, what holds it, and its key."""
    entries = given.items() if isinstance(given, dict) else enumerate(given)
    for key, value in entries:
        place = f"{at}.{key}" if isinstance(key, str) else f"{at}[{key}]"
        yield place, given, key
        if isinstance(value, dict | list):
            yield from fields(value, place)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("value", RUBBISH, ids=repr)
def test_rubbish_in_any_field_is_a_price_or_names_a_field_that_can_be_sent(
    desk: Desk, name: str, value: Any
) -> None:
    body = deepcopy(changed(name, **LEFT_OUT.get(name, {})))
    known = {field.name for kind in desk.contract.kinds.values() for field in kind.fields}
    for place, holder, key in [*fields(body["instrument"])]:
        kept, holder[key] = holder[key], value
        try:
            quoted(desk, body)
        except InputError as error:
            for fault in error.faults:
                head, _, rest = fault.field.partition(".")
                assert head == "instrument", (place, str(fault))
                assert rest.partition(".")[0].partition("[")[0] in {*known, "kind"}, str(fault)
        except PolicyError as error:
            assert "no viable price" in str(error) or "offers no" in str(error)  # noqa: PT017
        holder[key] = kept
