"""A file's values turned into what their kind means, and the rows where they are something else."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from features.column import Column, Kind
from pricing.errors import Fault

SHOWN_ROWS = 5
FLAGS = {"true": True, "1": True, "false": False, "0": False}


@dataclass
class Findings:
    """The faults of a file's rows, one a column and kind of fault, with the first few rows."""

    rows: pl.Series  # the row numbers in the file, 1 is the first under the header
    faults: list[Fault] = field(default_factory=list)

    def refuse(self, name: str, expected: str, values: pl.Series, bad: pl.Series) -> None:
        """Report the rows where `bad` is true; null is not."""
        bad = bad.fill_null(False)
        count = int(bad.sum())
        if not count:
            return
        rows, given = self.rows.filter(bad)[:SHOWN_ROWS], values.filter(bad)[:SHOWN_ROWS]
        shown = ", ".join(f"{_said(v)} in row {r}" for v, r in zip(given, rows, strict=True))
        more = f", ... ({count:,} rows)" if count > SHOWN_ROWS else ""
        self.faults.append(Fault(name, expected, shown + more))


def values(column: Column, raw: pl.Series, findings: Findings) -> pl.Series:
    """Return a column's values as Float64, Boolean or String, null where missing or refused."""
    if column.kind is Kind.FLAG:
        read = flags(raw)
    elif column.kind is Kind.CATEGORY:
        read = names(raw)
    else:
        read = numbers(raw)
    findings.refuse(column.name, column.expected, raw, given(raw) & read.is_null())
    if column.numeric:
        findings.refuse(column.name, column.expected, raw, ~_fits(column, read))
    elif column.levels:
        findings.refuse(column.name, column.expected, raw, ~read.is_in(list(column.levels)))
    if not column.optional:
        findings.refuse(column.name, f"{column.expected}, never missing", raw, ~given(raw))
    return read


def numbers(raw: pl.Series) -> pl.Series:
    """Return Float64; null where there is no number. A text of a number is one; a date is not."""
    if raw.dtype == pl.String:
        raw = raw.str.strip_chars()
    elif not (raw.dtype.is_numeric() or raw.dtype == pl.Null):
        return pl.Series(raw.name, [None] * len(raw), pl.Float64)
    return raw.cast(pl.Float64, strict=False)


def flags(raw: pl.Series) -> pl.Series:
    """Return Boolean; null where it is none of true, false, 1, 0."""
    if raw.dtype == pl.Boolean:
        return raw
    if raw.dtype.is_float():
        raw = raw.replace_strict({0.0: "0", 1.0: "1"}, default=None, return_dtype=pl.String)
    text = names(raw).str.to_lowercase()
    return text.replace_strict(FLAGS, default=None, return_dtype=pl.Boolean)


def names(raw: pl.Series) -> pl.Series:
    """Return String; null where it is neither a text, nor a whole number that serves as a code."""
    if raw.dtype in (pl.Categorical, pl.Enum) or raw.dtype.is_integer() or raw.dtype == pl.Null:
        return raw.cast(pl.String)
    if raw.dtype != pl.String:
        return pl.Series(raw.name, [None] * len(raw), pl.String)
    return raw.str.strip_chars().replace("", None)


def dates(raw: pl.Series) -> pl.Series:
    """Return Date; null where it is no date. A text is read as 2004-01-31."""
    if raw.dtype == pl.String:
        return raw.str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    if raw.dtype in (pl.Date, pl.Datetime, pl.Null):
        return raw.cast(pl.Date)
    return pl.Series(raw.name, [None] * len(raw), pl.Date)


def given(raw: pl.Series) -> pl.Series:
    """Return where there is a value: neither null nor an empty text."""
    if raw.dtype == pl.String:
        return raw.str.strip_chars().fill_null("") != ""
    return raw.is_not_null()


def _fits(column: Column, read: pl.Series) -> pl.Series:
    fits = read.is_finite()
    if column.low is not None:
        fits &= read >= column.low
    if column.high is not None:
        fits &= read <= column.high
    if column.kind is Kind.COUNT:
        fits &= read == read.floor()
    return fits


def _said(value: object) -> str:
    return "nothing" if value is None else repr(value)
