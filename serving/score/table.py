"""Quotes as rows of a table: prices and their parts as whole numbers of 0.01 bp that add up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from features.column import ColumnSet
from models.grades import grade_of
from models.pricer import Quote
from pricing.errors import ModelError

APART = (  # what may stand in an explanation beside columns
    "macro", "floor_cap", "thin_data", "scheme_loss", "scheme_capital", "scheme_fee", "subsidy",
    "relending", "rounding",
)  # fmt: skip
LOSSES = ("expected_loss", "expected_claims")  # the loss itself, by instrument
E2 = "_bps_e2"  # a whole number of 0.01 bp
FRACTIONS = ("rate", "pd_12", "pd_36", "pd_60", "pd_lifetime", "lgd")
BPS = (f"price{E2}", f"expected_loss{E2}", f"interval_low{E2}", f"interval_high{E2}")


@dataclass(frozen=True)
class Scored:
    """A row of a book: its quote, or the problem that it has."""

    row: int  # from 1, in the book
    reference: Any
    kind: str | None
    amount: float | None  # in the policy's currency; None where it was not sound
    quote: Quote | None
    problem: str | None


def schema(column_set: ColumnSet) -> dict[str, pl.DataType | type[pl.DataType]]:
    """Return the columns of the table, in their order."""
    parts = (f"base{E2}", *_columns(column_set), *_lines())
    return {
        "row": pl.Int64,
        "reference": pl.String,
        "instrument": pl.String,
        "amount": pl.Float64,
        "figure": pl.String,
        **dict.fromkeys(FRACTIONS, pl.Float64),
        "grade": pl.Int8,
        **dict.fromkeys(BPS, pl.Int64),
        "reasons": pl.List(pl.String),
        "method": pl.String,
        **dict.fromkeys(_groups(column_set), pl.Int64),
        **dict.fromkeys(parts, pl.Int64),
        "problem": pl.String,
        "model": pl.String,
        "policy": pl.String,
    }


def table(
    rows: Sequence[Scored], column_set: ColumnSet, digests: Mapping[str, str]
) -> pl.DataFrame:
    """Return rows as a table.

    Args:
        rows: quotes and problems.
        column_set: of the model.
        digests: of `model` and `policy`.
    """
    known = [one.quote for one in rows if one.quote is not None]
    annual = np.array([quote.price.annual_pd for quote in known])
    grades = iter(grade_of(annual).tolist() if known else ())
    told = [
        {
            "row": one.row,
            "reference": one.reference,
            "instrument": one.kind,
            "amount": one.amount,
            "problem": one.problem,
            **({} if one.quote is None else {**_told(one.quote), "grade": next(grades)}),
            **digests,
        }
        for one in rows
    ]
    return pl.from_dicts(told, schema=schema(column_set))


def _told(quote: Quote) -> dict[str, Any]:
    """Return what a reply prints of a quote, as numbers."""
    waterfall, price, why = quote.waterfall, quote.price, quote.explanation
    lines, within = dict(waterfall.lines), quote.interval
    return {
        "figure": waterfall.of,
        "rate": None if waterfall.of == "value_bps" else waterfall.rate / 1e6,
        **{f"pd_{horizon}": round(pd, 6) for horizon, pd in price.pd.items()},
        "lgd": round(price.lgd, 6),
        f"price{E2}": waterfall.total,
        f"expected_loss{E2}": next((lines[name] for name in LOSSES if name in lines), None),
        f"interval_low{E2}": _hundredths(within.low_bps),
        f"interval_high{E2}": _hundredths(within.high_bps),
        "reasons": [reason.code for reason in why.reasons],
        "method": why.method,
        f"base{E2}": why.base,
        **dict(_parts(quote)),
    }


def _parts(quote: Quote) -> Iterator[tuple[str, int]]:
    """Yield the parts of the figure: columns and lines add up to it with the base, groups too."""
    why = quote.explanation
    for group, part in why.groups.items():
        yield f"group:{group}{E2}", part
    for column, part in zip(why.columns, why.parts, strict=True):
        yield f"column:{column.name}{E2}", part
    lines = dict.fromkeys(APART, 0) | dict(why.lines)
    if len(lines) > len(APART):
        raise ModelError(f"lines must be of {', '.join(APART)}, however: {', '.join(lines)}")
    for name, part in lines.items():
        yield f"line:{name}{E2}", part


def _hundredths(bps: float | None) -> int | None:
    return None if bps is None else round(100 * float(f"{bps:.2f}"))


def _groups(column_set: ColumnSet) -> list[str]:
    return [f"group:{name}{E2}" for name in column_set.groups_told]


def _columns(column_set: ColumnSet) -> list[str]:
    return [f"column:{name}{E2}" for name in column_set.names]


def _lines() -> list[str]:
    return [f"line:{name}{E2}" for name in APART]
