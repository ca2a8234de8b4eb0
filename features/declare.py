"""A column set read from the tables of its TOML file, with everything that is wrong with it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import get_type_hints

from features import sql
from features.column import Column, ColumnSet, Direction, Kind, Outcome, Window
from features.section import Section
from pricing.schedule import Terms

AGE_EDGES_MONTHS = (0, 6, 12, 18, 24, 36, 48, 60, 84, 120)


def column_set(top: Section) -> ColumnSet:
    """Return the set that the file declares; faults are left with the sections."""
    groups = top.each("groups")
    declared = ColumnSet(
        name=top.name("name"),
        version=top.text("version"),
        title=top.text("title"),
        currency=_currency(top),
        age_edges_months=top.months("age_edges_months", AGE_EDGES_MONTHS),
        outcome=_outcome(top.within("outcome")),
        window=_window(top.within("window")),
        innovation=frozenset(name for name, group in groups.items() if group.flag("innovation")),
        groups=_titles(top, "groups", groups),
        sources=_titles(top, "sources", top.each("sources")),
        columns=(),
    )
    rows = top.rows("columns")
    columns = tuple(_column(row, declared) for row in rows)
    _refuse_repeated(rows, columns)
    _refuse_leaks(rows, columns, declared.outcome)
    top.close()
    return replace(declared, columns=columns)


def _currency(top: Section) -> str:
    currency = top.text("currency")
    if currency and not re.fullmatch("[A-Z]{3}", currency):
        top.refuse("currency", "three capital letters, as USD", repr(currency))
    return currency


def _titles(top: Section, key: str, sections: dict[str, Section]) -> dict[str, tuple[str, str]]:
    titles = {}
    for name, section in sections.items():
        titles[name] = (section.text("title"), section.text("title_zh"))
        section.close()
    if not titles:
        top.refuse(key, f"[{key}.NAME] tables, one or more", "none")
    return titles


def _outcome(section: Section) -> Outcome:
    usual = Outcome(origination="", event="", event_date="", followed_until="")
    outcome = Outcome(
        origination=section.sql("origination", required=True) or "",
        event=section.sql("event", required=True) or "",
        event_date=section.sql("event_date", required=True) or "",
        followed_until=section.sql("followed_until", required=True) or "",
        default_values=section.names("default_values", usual.default_values),
        exit_values=section.names("exit_values", usual.exit_values),
        known_date=section.sql("known_date"),
        exposure=section.sql("exposure"),
        loss=section.sql("loss"),
        loss_months=section.whole("loss_months", usual.loss_months),
        weight=section.sql("weight"),
        keep=section.sql("keep"),
        loan=section.sql("loan"),
    )
    both = sorted(set(outcome.default_values) & set(outcome.exit_values))
    if both:
        section.refuse("exit_values", "apart from default_values", f"{', '.join(both)} in both")
    for given, absent in (("loss", "exposure"), ("exposure", "loss")):
        if section.has(given) and not section.has(absent):
            section.refuse(absent, f"given with {given}", "missing")
    section.close()
    return outcome


def _window(section: Section) -> Window:
    window = Window(section.day("train_from"), section.day("test_from"), section.day("test_to"))
    days = [day for day in (window.train_from, window.test_from, window.test_to) if day]
    if any(later <= earlier for earlier, later in pairwise(days)):
        given = ", ".join(map(str, days))
        section.refuse("test_from", "after train_from and before test_to", given)
    if window.test_to and not window.test_from:
        section.refuse("test_from", "given with test_to", "missing")
    section.close()
    return window


def _column(row: Section, declared: ColumnSet) -> Column:
    kind = row.choice("kind", Kind)
    numeric = kind not in (Kind.FLAG, Kind.CATEGORY)
    low, high = row.bounds("range") if numeric else (None, None)
    column = Column(
        name=row.name("name"),
        kind=kind,
        unit=row.text("unit", None if numeric else ""),
        group=_declared(row, "group", declared.groups),
        source=_declared(row, "source", declared.sources),
        label=row.text("label"),
        label_zh=row.text("label_zh"),
        meaning=row.text("meaning"),
        meaning_zh=row.text("meaning_zh"),
        low=low,
        high=high,
        direction=row.choice("direction", Direction, Direction.FREE),
        reason=row.text("reason", ""),
        optional=row.text("missing", "allowed") == "allowed",
        levels=row.names("levels", ()) if kind is Kind.CATEGORY else (),
        expression=row.sql("from"),
        terms=row.text("terms") if row.has("terms") else None,
        unit_zh=row.text("unit_zh", ""),
        protected=row.flag("protected"),
        movable=row.flag("movable"),
        reason_zh=row.text("reason_zh", ""),
        levels_zh=row.names("levels_zh", ()) if kind is Kind.CATEGORY else (),
    )
    if row.refused("kind"):
        row.skip("range", "levels", "levels_zh")
    else:
        _refuse_senseless(row, column)
    row.close()
    return column


def _declared(row: Section, key: str, declared: dict[str, tuple[str, str]]) -> str:
    value = row.text(key)
    if value and value not in declared:
        row.refuse(key, f"one of the declared {key}s {', '.join(declared)}", repr(value))
    return value


def _refuse_senseless(row: Section, column: Column) -> None:
    whole = all(end is None or end == int(end) for end in (column.low, column.high))
    if column.kind is Kind.COUNT and row.has("range"):
        if column.low is None or column.low < 0 or not whole:
            row.refuse("range", "of whole numbers >= 0 for a count", [column.low, column.high])
    if column.direction is not Direction.FREE and column.kind is Kind.CATEGORY:
        row.refuse("direction", "free for a category", column.direction.value)
    if column.direction is not Direction.FREE and not column.reason:
        row.refuse("reason", f"given, as the direction is {column.direction.value}", "missing")
    if column.levels_zh and len(column.levels_zh) != len(column.levels):
        expected = f"as many as there are levels, {len(column.levels)}"
        row.refuse("levels_zh", expected, len(column.levels_zh))
    if row.has("missing"):
        missing = row.text("missing")
        if missing not in ("allowed", "refused"):
            row.refuse("missing", "one of allowed, refused", repr(missing))
    if column.terms is not None:
        _refuse_unfit_terms(row, column)


def _refuse_unfit_terms(row: Section, column: Column) -> None:
    fields = get_type_hints(Terms)
    if column.terms not in fields:
        row.refuse("terms", f"one of the loan's terms {', '.join(fields)}", repr(column.terms))
    elif column.kind is Kind.FLAG or column.numeric != (fields[column.terms] in (int, float)):
        row.refuse("kind", f"one that fits the loan's term {column.terms}", column.kind.value)


def _refuse_repeated(rows: list[Section], columns: tuple[Column, ...]) -> None:
    seen: set[str] = set()
    for row, column in zip(rows, columns, strict=True):
        if column.name and column.name in seen:
            row.refuse("name", "the name of one column only", f"{column.name!r} given again")
        seen.add(column.name)


def _refuse_leaks(rows: list[Section], columns: tuple[Column, ...], outcome: Outcome) -> None:
    """A column that reads what became of the loan knows the answer: no price may use it."""
    said = (outcome.event, outcome.event_date, outcome.known_date)
    later = frozenset[str]().union(*(sql.reads(text) for text in said if text))
    if outcome.origination:
        later -= sql.reads(outcome.origination)
    for row, column in zip(rows, columns, strict=True):
        leaks = later & (sql.reads(column.expression) if column.expression else {column.name})
        if leaks:
            told = f"it reads {', '.join(sorted(leaks))}, which says what became of the loan"
            row.refuse("from", "made of what is known at origination", told)
