from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.column import Column, ColumnSet, Direction, Kind
from features.sets import load, parse, to_toml
from pricing.errors import InputError
from tests.bank import TOML

BANK = TOML.read_text(encoding="utf-8")


def faults(text: str) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        parse(text, "bank.toml")
    return {fault.field: str(fault) for fault in caught.value.faults}


def changed(*changes: tuple[str, str]) -> str:
    text = BANK
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize("name", ["early_stage", "sba", TOML])
def test_a_set_survives_its_canonical_text(name: str | Path) -> None:
    declared = load(name)
    assert parse(to_toml(declared), "canonical") == declared
    assert to_toml(parse(to_toml(declared), "canonical")) == to_toml(declared)


texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text.strip() != "")
ends = st.none() | st.floats(allow_nan=False, allow_infinity=False, width=64)


@settings(deadline=None)  # a busy machine is not a failure
@given(label=texts, meaning=texts, low=ends, high=ends)
def test_the_canonical_text_holds_any_words_and_numbers(
    label: str, meaning: str, low: float | None, high: float | None
) -> None:
    if low is not None and high is not None and low >= high:
        low = None
    declared = load(TOML)
    column = next(column for column in declared.columns if column.kind is Kind.NUMBER)
    column = replace(column, label=label, meaning_zh=meaning, low=low, high=high)
    declared = replace(declared, columns=(column,))
    assert parse(to_toml(declared), "canonical") == declared


def test_levels_survive_the_canonical_text() -> None:
    declared = load(TOML)
    branch = replace(declared.columns[-1], levels=("01", 'a "quoted" one', "零"))
    assert parse(to_toml(replace(declared, columns=(branch,))), "x").columns == (branch,)


def test_a_bank_maps_its_own_names_and_terms() -> None:
    amount = load(TOML).columns[0]
    assert (amount.expression, amount.terms, amount.optional) == ('"Amount (EUR)"', "amount", False)
    assert "loan_amount" not in {column.name for column in load(TOML).asked}


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ('title = "Loans', 'titel = "Loans', "titel", "an unknown key"),
        ('title = "Loans', 'titel = "Loans', "title", "missing"),
        ('name = "bank"', 'name = "My bank"', "name", "small letters"),
        ('currency = "EUR"', 'currency = "euro"', "currency", "three capital letters"),
        ("[0, 6, 12, 24, 36, 60]", "[0, 6, 6, 24]", "age_edges_months", "increasing"),
        ("[0, 6, 12, 24, 36, 60]", "[1, 6]", "age_edges_months", "the first 0"),
        ("[0, 6, 12, 24, 36, 60]", "[0, 6.5]", "age_edges_months", "whole months"),
        ("event_date = ", "event_dat = ", "outcome.event_date", "missing"),
        ("event_date = ", "event_dat = ", "outcome.event_dat", "one of the keys"),
        ("\"DATE '2024-01-01'\"", '"DATE ("', "outcome.followed_until", "an SQL expression"),
        ("\"DATE '2024-01-01'\"", '"a, b"', "outcome.followed_until", "an SQL expression"),
        ("loss = '\"Written off\"'", "", "outcome.loss", "given with exposure"),
        ('exit_values = ["repaid"]', 'exit_values = "repaid"', "outcome.exit_values", "a list"),
        ('["repaid"]', '["repaid", "default"]', "outcome.exit_values", "default in both"),
        ('["repaid"]', '["repaid", "repaid"]', "outcome.exit_values", "repaid given again"),
        ("train_from = 2010-01-01", 'train_from = "2010"', "window.train_from", "a date"),
        ("test_to = 2021-01-01", "test_to = 2017-01-01", "window.test_from", "before test_to"),
        ("test_from = 2018-01-01", "", "window.test_from", "given with test_to"),
        (', title_zh = "贷款" }', " }", "groups.loan.title_zh", "missing"),
        ('kind = "money"', 'kind = "cash"', "columns.loan_amount.kind", "one of money, ratio"),
        ('group = "loan"', 'group = "lone"', "columns.loan_amount.group", "loan, firm"),
        ('source = "accounts"', 'source = "x"', "columns.equity_ratio.source", "application"),
        ("[-2, 1]", "[1, -2]", "columns.equity_ratio.range", "lowest < highest"),
        ("[-2, 1]", "[1, 1]", "columns.equity_ratio.range", "lowest < highest"),
        ("[-2, 1]", '["low", 1]', "columns.equity_ratio.range", "a number or"),
        ("[-2, 1]", "[nan, 1]", "columns.equity_ratio.range", "a number or"),
        ("range = [-2, 1]", "", "columns.equity_ratio.range", "missing"),
        ("[0, 10_000]", '["open", 10_000]', "columns.staff.range", ">= 0"),
        ("[0, 10_000]", "[0, 10.5]", "columns.staff.range", "whole numbers"),
        ('direction = "lowers"', 'direction = "down"', "columns.equity_ratio.direction", "lowers"),
        ('reason = "Equity', 'meaning_fr = "', "columns.equity_ratio.reason", "given, as"),
        ('missing = "refused"', 'missing = "no"', "columns.loan_amount.missing", "refused"),
        ('name = "staff"', 'name = "audited"', "columns.audited.name", "one column only"),
        ('\'"Equity" / "Assets"\'', "'Equity /'", "columns.equity_ratio.from", "SQL"),
        ('\'"Equity" / "Assets"\'', "'Status'", "columns.equity_ratio.from", "reads Status"),
        ('terms = "amount"', 'terms = "sum"', "columns.loan_amount.terms", "term_months"),
        ('terms = "amount"', 'terms = "repayment"', "columns.loan_amount.kind", "fits"),
        ("from = '\"Branch\"'", "levels = []\nrange = [0, 1]", "columns.branch.range", "unknown"),
        ("from = '\"Branch\"'", 'levels = ["1", "1"]', "columns.branch.levels", "different"),
        ("from = '\"Branch\"'", 'direction = "raises"', "columns.branch.direction", "free"),
    ],
)
def test_a_fault_is_found_at_its_key(old: str, new: str, field: str, said: str) -> None:
    found = faults(changed((old, new)))
    assert said in found[f"bank.toml: {field}"], found


def test_every_fault_is_reported_at_once() -> None:
    found = faults(
        changed(
            ('currency = "EUR"', 'currency = "E"'),
            ("[0, 6, 12, 24, 36, 60]", "[]"),
            ("\"DATE '2024-01-01'\"", '"("'),
            ('kind = "money"', 'kind = "cash"'),
            ('group = "firm"', 'group = "company"'),
            ('meaning = "Years from', 'sense = "Years from'),
        )
    )
    assert set(found) == {
        "bank.toml: currency",
        "bank.toml: age_edges_months",
        "bank.toml: outcome.followed_until",
        "bank.toml: columns.loan_amount.kind",
        "bank.toml: columns.equity_ratio.group",
        "bank.toml: columns.age_years.meaning",
        "bank.toml: columns.age_years.sense",
    }


def test_an_empty_file_is_told_everything_it_lacks() -> None:
    found = faults("")
    assert {"bank.toml: name", "bank.toml: outcome.event", "bank.toml: columns"} <= set(found)
    assert "bank.toml: groups" in found


def test_what_is_no_toml_is_refused_with_its_line() -> None:
    assert "line 2" in faults('name = "bank"\nname = x\n')["bank.toml"]


@pytest.mark.parametrize("text", ["columns = 3", "columns = []", "columns = [1]", "outcome = 1"])
def test_a_table_must_be_a_table(text: str) -> None:
    assert f"bank.toml: {text.split()[0]}" in faults(text)


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(InputError, match="early_stage, sba"):
        load("nowhere.toml")


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bank.toml").write_bytes(BANK.encode("utf-16"))
    with pytest.raises(InputError, match="UTF-8"):
        load(tmp_path / "bank.toml")


def test_a_shipped_set_says_itself_in_both_languages() -> None:
    for declared in (load("sba"), load("early_stage")):
        for column in declared.columns:
            assert _chinese(column.label_zh + column.meaning_zh), column.name
            assert _chinese(declared.groups[column.group][1]), column.group
            assert _chinese(declared.sources[column.source][1]), column.source


def test_every_direction_of_a_shipped_set_has_a_reason() -> None:
    directed = [c for c in _columns(load("sba"), load("early_stage")) if c.direction.sign]
    assert all(len(column.reason) > 20 for column in directed)
    assert [c.name for c in load("sba").columns if c.direction is Direction.LOWERS] == ["employees"]


def _columns(*sets: ColumnSet) -> list[Column]:
    return [column for declared in sets for column in declared.columns]


def _chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def test_a_set_says_what_is_protected_and_what_is_innovation() -> None:
    declared = load("early_stage")
    assert [column.name for column in declared.columns if column.protected] == ["region"]
    assert declared.innovation == {"rd", "patents", "recognition", "team", "market"}


def test_what_a_firm_can_move_moves_nothing_else_with_it() -> None:
    movable = {
        name: {c.name for c in load(name).columns if c.movable} for name in ("early_stage", "sba")
    }
    assert movable["sba"] == {"guaranteed_share", "low_documentation"}
    assert "runway_months" in movable["early_stage"]
    assert not movable["early_stage"] & {"equity_raised_cny", "cash_cny", "policy_rate_percent"}
    assert all(parse(to_toml(load(name)), name) == load(name) for name in ("early_stage", "sba"))


def test_a_mark_is_true_or_false() -> None:
    marked = changed(('title_zh = "企业" }', 'title_zh = "企业", innovation = "yes" }'))
    assert faults(marked) == {
        "bank.toml: groups.firm.innovation": "bank.toml: groups.firm.innovation must be true or "
        "false, however: 'yes'"
    }
