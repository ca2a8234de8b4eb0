"""The data dictionary: every column that a price is made of, and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from features.column import Column, ColumnSet, Direction, Kind
from models.pricer import Pricer
from serving.console.visit import Page, Visit
from serving.console.words import Words
from serving.doors import CONSOLE, READ
from serving.problem import NOT_READY, RefusedError

HERE = f"{CONSOLE}/columns"


@dataclass(frozen=True)
class Told:
    """A column in the reader's language."""

    column: Column
    label: str
    other: str  # the label in the other language
    meaning: str
    reason: str  # of its direction
    unit: str
    span: str  # what is allowed
    source: str
    field: str  # of a request

    @classmethod
    def of(cls, column: Column, column_set: ColumnSet, words: Words) -> Told:
        """Return a column as a person reads it."""
        chinese = words.language == "zh"
        labels = (column.label_zh, column.label) if chinese else (column.label, column.label_zh)
        unit = column.unit_zh if chinese and column.unit_zh else column.unit
        return cls(
            column=column,
            label=labels[0],
            other=labels[1],
            meaning=column.meaning_zh if chinese else column.meaning,
            reason=column.reason_zh if chinese and column.reason_zh else column.reason,
            unit=column_set.currency if column.kind is Kind.MONEY else unit,
            span=_span(column, words),
            source=column_set.sources[column.source][chinese],
            field=f"instrument.{column.terms}" if column.terms else f"project.{column.name}",
        )

    def has(self, text: str) -> bool:
        """Say whether a text in lower case stands in it, in either language."""
        told = (self.column.name, self.label, self.other, self.meaning, self.source)
        return any(text in one.lower() for one in (*told, self.column.meaning))


def _span(column: Column, words: Words) -> str:
    if column.kind is Kind.FLAG:
        return words("column_kind.flag")
    if column.kind is Kind.CATEGORY:
        names = [words.level(column, level) for level in column.levels]
        return words("columns.and").join(names) or words("columns.any_name")
    low, high = (None if end is None else f"{end:,.15g}" for end in (column.low, column.high))
    match (low, high):
        case (None, None):
            return words("columns.any_number")
        case (low, None):
            return f"≥ {low}"
        case (None, high):
            return f"≤ {high}"
    return f"{low} – {high}"


async def show(visit: Visit) -> Response:
    """Show the columns of the model that serves; all, or those that are searched for."""
    pricer = visit.rooms.office.served.desk.pricer
    if not isinstance(pricer, Pricer):
        raise RefusedError(NOT_READY, "a model must serve")
    declared, words = pricer.model.column_set, visit.words
    text, group, way = (visit.asked(name) for name in ("text", "group", "direction"))
    told = [Told.of(column, declared, words) for column in declared.columns]
    found = [
        one
        for one in told
        if one.has(text.lower())
        and group in ("", one.column.group)
        and way in ("", one.column.direction.value)
    ]
    chinese = words.language == "zh"
    titles = {name: declared.groups[name][chinese] for name in declared.groups_told}
    return visit.page(
        "columns.html",
        declared=declared,
        asked={"text": text, "group": group, "direction": way},
        titles=titles,
        ways=[one.value for one in Direction],
        groups=_by_group(found, titles),
        count=len(found),
        total=len(told),
        innovation=declared.innovation,
    )


def _by_group(found: Sequence[Told], titles: dict[str, str]) -> dict[str, list[Told]]:
    grouped = {name: [one for one in found if one.column.group == name] for name in titles}
    return {name: columns for name, columns in grouped.items() if columns}


PAGE = Page({("GET", HERE): show}, name="columns", leads=HERE, scope=READ)
