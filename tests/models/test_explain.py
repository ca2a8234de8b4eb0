from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.column import Kind
from features.simulate import simulate
from models.artifact import read
from models.audit import RESIDUE_BPS
from models.explain import attribute
from models.hazard import HazardModel
from models.pricer import Pricer
from pricing.errors import InputError, ModelError
from pricing.instruments.term_loan import TermLoan
from pricing.policy import load
from pricing.schedule import Terms

POLICY = load(currency="CNY")
LOANS = (
    TermLoan(Terms(1e6, 36, "bullet")),
    TermLoan(Terms(2e6, 60, "linear", grace_months=6, payment_months=3)),
    TermLoan(Terms(3e6, 48, "annuity", grace_months=12, payment_months=3)),
)


@pytest.fixture(scope="session")
def model(model_folder: Path) -> HazardModel:
    return read(model_folder)


@pytest.fixture(scope="session")
def projects(model: HazardModel) -> list[dict[str, Any]]:
    table = simulate(200, seed=7).table()
    asked = table.select([column.name for column in model.column_set.asked])
    return asked.with_columns(pl.selectors.integer().cast(pl.Int64)).to_dicts()


@pytest.fixture(scope="session")
def pricer(model: HazardModel) -> Pricer:
    return Pricer(model, POLICY)


@pytest.mark.parametrize("deal", LOANS, ids=lambda deal: deal.terms.repayment)
def test_the_parts_sum_to_the_spread_before_rounding(
    model: HazardModel, projects: list[dict[str, Any]], deal: TermLoan
) -> None:
    loan = deal.priced(POLICY, model.edges)
    for project in projects:
        reading = model.read(model.encoder.row(project, deal.terms))
        parts = attribute(model, reading, loan)
        whole = parts.base_bps + parts.columns_bps.sum() + parts.macro_bps
        figure = loan.figures((reading.margins + model.overlay)[None])[0]
        assert whole == pytest.approx(figure, rel=0, abs=RESIDUE_BPS)


def test_every_printed_amount_adds_up_to_the_printed_price(
    pricer: Pricer, projects: list[dict[str, Any]]
) -> None:
    for number, project in enumerate(projects):
        body = pricer.quote(project, LOANS[number % 3]).document()
        told = body["explanation"]
        items = sum(Decimal(item["bps"]) for item in told["items"])
        lines = sum(Decimal(line["bps"]) for line in told["lines"])
        assert Decimal(told["base_bps"]) + items + lines == Decimal(told["total_bps"])
        assert sum(Decimal(group["bps"]) for group in told["groups"]) == items
        assert told["total_bps"] == body["spread_bps"]
        waterfall = sum(Decimal(line["bps"]) for line in body["waterfall"])
        assert waterfall / 10_000 == Decimal(body["rate"])
        funding = Decimal(body["waterfall"][0]["bps"])
        assert waterfall - funding == Decimal(body["spread_bps"])


def test_parts_that_miss_the_price_are_an_error_and_no_quote(
    model: HazardModel, projects: list[dict[str, Any]]
) -> None:
    bent = replace(model.tables, cells=model.tables.cells * (1 + 1e-6))
    with pytest.raises(ModelError, match="must sum to the price"):
        Pricer(replace(model, tables=bent), POLICY).quote(projects[0], LOANS[0])


def test_a_floored_price_shows_the_floor_as_its_own_line(
    model: HazardModel, projects: list[dict[str, Any]]
) -> None:
    dear = replace(POLICY, spread_floor_bps=90_000.0, spread_cap_bps=None)
    body = Pricer(model, dear).quote(projects[0], LOANS[0]).document()
    lines = {line["name"]: line["bps"] for line in body["explanation"]["lines"]}
    assert body["spread_bps"] == "90000.00"
    assert Decimal(lines["floor_cap"]) > 0
    assert {"name": "floor_cap", "bps": lines["floor_cap"]} in body["waterfall"]


def test_reasons_are_the_columns_that_raise_the_price_most(
    pricer: Pricer, projects: list[dict[str, Any]]
) -> None:
    for project in projects[:50]:
        told = pricer.quote(project, LOANS[1]).document()["explanation"]
        raising = [i for i in told["items"] if Decimal(i["bps"]) > 0]
        raising.sort(key=lambda item: -Decimal(item["bps"]))
        expected = [(item["column"], item["bps"]) for item in raising[:4]]
        assert [(why["column"], why["bps"]) for why in told["reasons"]] == expected
        assert all(why["bps"] in why["text"] for why in told["reasons"])


def test_a_source_of_which_nothing_is_known_says_what_that_costs(
    pricer: Pricer, model: HazardModel, projects: list[dict[str, Any]]
) -> None:
    gone = {c.name for c in model.column_set.asked if c.source == "patent_office"}
    project = {name: value for name, value in projects[0].items() if name not in gone}
    body = pricer.quote(project, LOANS[0]).document()
    missing = {each["source"]: each for each in body["missing_sources"]}["patent_office"]
    assert set(missing["columns"]) == gone
    items = {item["column"]: Decimal(item["bps"]) for item in body["explanation"]["items"]}
    assert Decimal(missing["bps"]) == sum(items[name] for name in gone)


def test_what_comes_from_the_terms_is_explained_with_its_value(
    pricer: Pricer, model: HazardModel, projects: list[dict[str, Any]]
) -> None:
    told = pricer.quote(projects[0], LOANS[1]).document()["explanation"]
    values = {item["column"]: item["value"] for item in told["items"]}
    for column in model.column_set.columns:
        if column.terms:
            assert values[column.name] == getattr(LOANS[1].terms, column.terms)


def test_every_fault_of_a_project_is_named_at_once(
    pricer: Pricer, model: HazardModel, projects: list[dict[str, Any]]
) -> None:
    numeric = [c for c in model.column_set.asked if c.kind is Kind.RATIO][:2]
    wrong: dict[str, object] = {column.name: "much" for column in numeric}
    with pytest.raises(InputError) as caught:
        pricer.quote({**projects[0], **wrong, "tarot": 1}, LOANS[0])
    named = {fault.field for fault in caught.value.faults}
    assert named == {*(f"project.{column.name}" for column in numeric), "project.tarot"}


def test_chinese_reasons_are_chinese(pricer: Pricer, projects: list[dict[str, Any]]) -> None:
    for why in pricer.quote(projects[0], LOANS[0]).document("zh")["explanation"]["reasons"]:
        assert "个基点" in why["text"]
