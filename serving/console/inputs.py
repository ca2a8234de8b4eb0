"""A request as a form: made of the model's columns and the instrument's fields, and read back.

What is typed stays as it was typed until it is sound: the contract says what is wrong with it, in
the same words as to a program, and the form shows that beside the field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.column import Column, ColumnSet
from models.reasons import said
from pricing.errors import Fault
from serving.console.words import Words
from serving.contract import Contract
from serving.fields import Field

MOST_ROWS = 20  # of a list
SPARE_ROWS = 2  # of a list that is empty
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
YES, NO = "true", "false"


@dataclass(frozen=True)
class Input:
    """One field of the form."""

    name: str  # its path in a request
    label: str
    unit: str
    expected: str
    meaning: str
    value: str
    choices: tuple[tuple[str, str], ...]  # empty: typed
    numeric: bool
    required: bool
    empty: str  # what it means to leave it empty
    fault: Fault | None
    was: str | None  # the original's value in words, where this is another
    movable: bool = False


@dataclass(frozen=True)
class Group:
    """A fieldset."""

    title: str
    inputs: tuple[Input, ...]
    name: str

    @property
    def changed(self) -> int:
        """Return how many of its fields differ from the original."""
        return sum(one.was is not None for one in self.inputs)

    @property
    def faulty(self) -> bool:
        """Say whether a field of it must be mended."""
        return any(one.fault for one in self.inputs)


@dataclass(frozen=True)
class Sheet:
    """What a form is made of, and what stands in it."""

    contract: Contract
    column_set: ColumnSet
    words: Words
    typed: Mapping[str, str]  # by path
    original: Mapping[str, str]
    faults: Mapping[str, Fault]  # by path

    @property
    def kind(self) -> str:
        """Return the instrument."""
        return self.typed["instrument.kind"]

    def groups(self) -> list[Group]:
        """Return the fieldsets: the terms, then the columns by group."""
        terms = Group(self.words("what_if.terms"), tuple(self._terms()), "instrument")
        return [terms, *self._columns()]

    def _columns(self) -> Iterator[Group]:
        fields = {field.name: field for field in self.contract.project}
        for name in self.column_set.groups_told:
            asked = [column for column in self.column_set.asked if column.group == name]
            if asked:
                inputs = tuple(self._of_column(one, fields[one.name]) for one in asked)
                titles = self.column_set.groups[name]
                yield Group(titles[self._chinese], inputs, name)

    @property
    def _chinese(self) -> bool:
        return self.words.language == "zh"

    def _of_column(self, column: Column, field: Field) -> Input:
        unit = column.unit_zh if self._chinese and column.unit_zh else column.unit
        path = f"project.{column.name}"
        return self._input(
            path,
            field,
            label=self._label(column),
            meaning=column.meaning_zh if self._chinese else column.meaning,
            unit=unit if column.numeric else "",
            column=column,
            was=lambda text: self._said(column, of_text(text, field)),
        )

    def _terms(self) -> Iterator[Input]:
        by_terms = {column.terms: column for column in self.column_set.columns if column.terms}
        for path, field in leaves(self.contract.kinds[self.kind].fields, self.typed):
            *before, name = path.removeprefix("instrument.").split(".")
            column = None if before else by_terms.get(name)
            said_so = (self.words.name("term", part) for part in [*_counted(before), name])
            yield self._input(
                path,
                field,
                label=self._label(column) if column else " · ".join(said_so),
                meaning="",
                unit=self.column_set.currency if name == "amount" else "",
                column=column,
                was=lambda text: self.words.name("choice", text),
            )

    def _said(self, column: Column, value: object) -> str:
        if isinstance(value, str):
            return self.words.level(column, value)
        return said(column, value, self.words.language, self.column_set.currency)

    def _label(self, column: Column) -> str:
        return column.label_zh if self._chinese else column.label

    def _input(
        self,
        path: str,
        field: Field,
        *,
        label: str,
        meaning: str,
        unit: str,
        column: Column | None,
        was: Any,
    ) -> Input:
        value, before = self.typed.get(path, ""), self.original.get(path, "")
        kinds = _types(field)
        choices = tuple(self._choices(field, column))
        same = not self.original or before == value
        if not same and kinds & {"number", "integer"}:
            same = of_text(before, field) == of_text(value, field)
        return Input(
            name=path,
            label=label,
            unit=unit,
            expected="" if choices else self.words.said(field.expected.removesuffix(", or null")),
            meaning=meaning,
            value=value,
            choices=choices,
            numeric=bool(kinds & {"number", "integer"}),
            required=field.required,
            empty=self._empty(path, field),
            fault=self.faults.get(path),
            was=None if same else was(before) if before else self._empty(path, field),
            movable=column is not None and column.movable,
        )

    def _empty(self, path: str, field: Field) -> str:
        if path.startswith("project."):
            return self.words("what_if.unknown")
        default = field.json.get("default")
        if default is not None:
            return f"{default:g}" if isinstance(default, int | float) else str(default)
        return self.words("what_if.missing" if field.required else "what_if.none")

    def _choices(self, field: Field, column: Column | None) -> Iterator[tuple[str, str]]:
        names = [one for one in field.json.get("enum", ()) if one is not None]
        if "boolean" in _types(field):
            yield from ((YES, self.words("quote.yes")), (NO, self.words("quote.no")))
        for name in names:
            yield str(name), self.words.level(column, str(name))


def leaves(
    fields: Sequence[Field], typed: Mapping[str, str], before: str = "instrument."
) -> Iterator[tuple[str, Field]]:
    """Yield every field that is typed, with its path; an empty list has rows to spare."""
    for field in fields:
        path = before + field.name
        if field.json.get("type") == "array" or "array" in _types(field):
            told = {
                name[len(path) + 1 :].partition(".")[0]
                for name in typed
                if name.startswith(f"{path}.")
            }
            given = [int(row) for row in told if row.isdigit()]
            rows = min(max(given, default=-1) + 1 or SPARE_ROWS, MOST_ROWS)
            for row in range(rows):
                yield from leaves(field.within, typed, f"{path}.{row}.")
        elif field.within:
            yield from leaves(field.within, typed, f"{path}.")
        else:
            yield path, field


def typed(request: Mapping[str, Any]) -> dict[str, str]:
    """Return a request as one would type it, by path.

    >>> typed({"project": {"age": 3.0, "listed": True}, "instrument": {"kind": "equity"}})
    {'project.age': '3', 'project.listed': 'true', 'instrument.kind': 'equity'}
    """
    texts: dict[str, str] = {}
    for section in ("project", "instrument"):
        texts |= dict(_flat(request.get(section) or {}, f"{section}."))
    texts.setdefault("instrument.kind", "term_loan")
    return texts


def request_of(form: Mapping[str, str], contract: Contract) -> dict[str, Any]:
    """Return the request that a form asks; what is left empty is not in it."""
    kind = form.get("instrument.kind", "")
    fields = contract.kinds[kind].fields if kind in contract.kinds else ()
    project = {
        field.name: value
        for field in contract.project
        if (value := of_text(form.get(f"project.{field.name}", ""), field)) is not None
    }
    return {
        "project": project,
        "instrument": {"kind": kind, **_object(form, fields, "instrument.")},
    }


def of_text(text: str, field: Field) -> Any:
    """Return what a text means for a field; None: nothing; what means nothing stays a text."""
    text, kinds = text.strip(), _types(field)
    enum = [one for one in field.json.get("enum", ()) if one is not None]
    if not text:
        return None
    if "boolean" in kinds:
        return {YES: True, NO: False}.get(text, text)
    if kinds & {"number", "integer"} or any(isinstance(one, int) for one in enum):
        plain = re.sub(r"(?<=\d)[,\s\u202f_](?=\d{3})", "", text)
        number = float(plain) if _NUMBER.fullmatch(plain) else math.nan
        if not math.isfinite(number):
            return text
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    return text


def _object(form: Mapping[str, str], fields: Sequence[Field], before: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field in fields:
        path = before + field.name
        value: Any
        if "array" in _types(field):
            rows = (_object(form, field.within, f"{path}.{row}.") for row in range(MOST_ROWS))
            value = [row for row in rows if row] or None
        elif field.within:
            value = _object(form, field.within, f"{path}.") or None
        else:
            value = of_text(form.get(path, ""), field)
        if value is not None:
            made[field.name] = value
    return made


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, one in pairs:
        if isinstance(one, Mapping | list):
            yield from _flat(one, f"{path}{name}.")
        elif isinstance(one, bool):
            yield f"{path}{name}", YES if one else NO
        elif isinstance(one, int | float):
            yield f"{path}{name}", f"{one:.15g}" if abs(one) < 1e15 else repr(one)
        elif one is not None:
            yield f"{path}{name}", str(one)


def _types(field: Field) -> set[str]:
    kinds = field.json.get("type", [])
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _counted(parts: Sequence[str]) -> list[str]:
    """Return the parts of a path as they are said: rows are counted from 1."""
    return [str(int(part) + 1) if part.isdigit() else part for part in parts]


def by_path(faults: Sequence[Fault]) -> dict[str, Fault]:
    """Return faults by the path of their field in the form: milestones[1].month is milestones.1."""
    return {re.sub(r"\[(\d+)\]", r".\1", fault.field): fault for fault in faults}
