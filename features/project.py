"""What is wrong with a project that asks for a price."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from typing import TypeGuard

import numpy as np

from features.column import Column, ColumnSet, Kind
from pricing.errors import Fault


def faults(column_set: ColumnSet, project: Mapping[str, object]) -> list[Fault]:
    """Return every fault of a project's values, in the set's order, then the unknown names.

    None and absence both mean missing. What comes from the loan's terms must not be given here too.
    """
    asked = {column.name: column for column in column_set.asked}
    found = [
        Fault(f"project.{name}", _expected(column), _said(project.get(name)))
        for name, column in asked.items()
        if not _sound(column, project.get(name))
    ]
    unknown = [name for name in project if name not in asked]
    return found + [_unknown(column_set, name) for name in unknown]


def _sound(column: Column, value: object) -> bool:
    if value is None:
        return column.optional
    if column.kind is Kind.FLAG:
        return isinstance(value, bool | np.bool_)
    if column.kind is Kind.CATEGORY:
        return isinstance(value, str) and value != "" and value in (column.levels or (value,))
    return _number(value) and _fits(column, value)


def _number(value: object) -> TypeGuard[float]:
    number = isinstance(value, int | float | np.integer | np.floating)
    return number and not isinstance(value, bool)


def _fits(column: Column, value: float) -> bool:
    """Compare only: NaN and infinities do not fit, and no integer is too large to be compared."""
    low = -sys.float_info.max if column.low is None else column.low
    high = sys.float_info.max if column.high is None else column.high
    return bool(low <= value <= high) and (column.kind is not Kind.COUNT or value == value // 1)


def _expected(column: Column) -> str:
    return column.expected if column.optional else f"{column.expected}, never missing"


def _unknown(column_set: ColumnSet, name: str) -> Fault:
    for column in column_set.columns:
        if column.name == name:
            expected = f"absent, as it is read from terms.{column.terms}"
            return Fault(f"project.{name}", expected, "given")
    names = [column.name for column in column_set.asked]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return Fault(f"project.{name}", f"a column of {column_set.name}{hint}", "unknown")


def _said(value: object) -> str:
    return "missing" if value is None else repr(value)
