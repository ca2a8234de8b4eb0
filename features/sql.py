"""SQL expressions over the columns of a data file."""

from __future__ import annotations

import polars as pl

from pricing.errors import InputError


def expression(text: str, field: str) -> pl.Expr:
    """Return one SQL expression, parsed.

    Raises:
        InputError: the text is no SQL expression; the fault is the field's.
    """
    try:
        parsed = pl.sql_expr(text)
        several = parsed.meta.has_multiple_outputs()
    except pl.exceptions.PolarsError as error:
        raise InputError.of(field, "an SQL expression", f"{text!r} ({_first(error)})") from error
    if several:
        raise InputError.of(field, "an SQL expression with one result", repr(text))
    return parsed


def reads(text: str) -> frozenset[str]:
    """Return the file's columns that an expression reads.

    >>> sorted(reads('CASE WHEN "Emp No" > 0 THEN amount / "Emp No" END'))
    ['Emp No', 'amount']
    """
    return frozenset(pl.sql_expr(text).meta.root_names())


def is_column(text: str) -> bool:
    """Return whether the expression is the bare name of a column."""
    return pl.sql_expr(text).meta.is_column()


def evaluate(frame: pl.DataFrame, text: str, field: str) -> pl.Series:
    """Return the expression's value in each row; a constant is repeated.

    A row's value may depend on nothing but the row: an average over the file is not known of one
    project that asks for a price. So each half is evaluated again by itself, and must agree.

    Raises:
        InputError: a column is absent, a type does not fit, or the value depends on other rows.
    """
    absent = sorted(reads(text) - set(frame.columns))
    if absent:
        raise InputError.of(field, "made of the file's columns", f"no column {', '.join(absent)}")
    values = _column(frame, text, field)
    half = frame.height // 2
    halves = [part for part in (frame[:half], frame[half:]) if part.height]
    if halves and not pl.concat([_column(part, text, field) for part in halves]).equals(values):
        raise InputError.of(field, "a value of each row by itself", repr(text))
    return values


def _column(frame: pl.DataFrame, text: str, field: str) -> pl.Series:
    parsed = expression(text, field)
    try:
        return frame.with_columns(parsed.alias(field))[field]
    except pl.exceptions.PolarsError as error:
        given = f"{text!r} ({_first(error)})"
        raise InputError.of(field, "an expression that fits the file's columns", given) from error


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
