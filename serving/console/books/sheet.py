"""A priced book for spreadsheets: a row a row, basis points with two digits, no cell a formula."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from serving.console.sheet import FORMULA
from serving.score.table import E2, FRACTIONS

ROWS = 8192  # at once
MARK = "\ufeff".encode()  # tells spreadsheets that this is UTF-8
_FORMULA = "^([" + re.escape("".join(FORMULA)) + "])"


def write(scored: Path, sheet: Path) -> None:
    """Write a scored book as CSV; whole numbers of 0.01 bp become basis points, exactly."""
    beside = sheet.with_name(f".{sheet.name}")
    lazy = pl.scan_parquet(scored)
    rows = lazy.select(pl.len()).collect().item()
    with beside.open("wb") as file:
        file.write(MARK)
        for first in range(0, max(rows, 1), ROWS):
            some = lines(lazy.slice(first, ROWS).collect())
            some.write_csv(file, include_header=first == 0, line_terminator="\r\n")
    beside.replace(sheet)


def lines(scored: pl.DataFrame) -> pl.DataFrame:
    """Return scored rows as cells.

    >>> lines(pl.DataFrame({"reference": ["=1+1"], "price_bps_e2": [-5]})).row(0, named=True)
    {'reference': "'=1+1", 'price_bps': '-0.05'}
    """
    return scored.select(_cell(name, kind) for name, kind in scored.schema.items())


def _cell(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if name.endswith(E2):
        return _bps(column).alias(name.removesuffix("_e2"))
    if name in FRACTIONS:
        return column.round(6)
    if kind == pl.List(pl.String):
        return column.list.join(" ")
    return column.str.replace(_FORMULA, "'$1") if kind == pl.String else column


def _bps(hundredths: pl.Expr) -> pl.Expr:
    """Return whole numbers of 0.01 bp as texts with two digits."""
    size, sign = hundredths.abs(), pl.when(hundredths < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    digits = (size % 100).cast(pl.String).str.zfill(2)
    return pl.format("{}{}.{}", sign, size // 100, digits)
