"""Quotes as rows of a table: prices and their parts as whole numbers of 0.01 bp that add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from features.column import ColumnSet
from models.explain import Explanation
from models.grades import grade_of
from models.pricer import Quote
from pricing.deal import Deal
from pricing.errors import ModelError
from pricing.instruments.revolving_line import RevolvingLine

APART = (  # what may stand in an explanation beside columns
    "macro", "floor_cap", "thin_data", "scheme_loss", "scheme_capital", "scheme_fee", "subsidy",
    "relending", "rounding",
)  # fmt: skip
LOSSES = ("expected_loss", "expected_claims")  # the loss itself, by instrument
E2 = "_bps_e2"  # a whole number of 0.01 bp
HORIZONS = ("12", "36", "60", "lifetime")  # of a PD
FRACTIONS = ("rate", *(f"pd_{horizon}" for horizon in HORIZONS), "lgd")
MONEY = ("amount", "drawn")  # in the policy's currency; basis points are on what is drawn
SAID = ("reference", "instrument", *MONEY, "problem")  # of a row, priced or not
BPS = (f"price{E2}", f"expected_loss{E2}", f"interval_low{E2}", f"interval_high{E2}")


@dataclass(frozen=True)
class Scored:
    """A row of a book: its quote, or the problem that it has."""

    row: int  # from 1, in the book
    reference: Any
    kind: str | None
    deal: Deal | None  # None where it was not sound
    quote: Quote | None
    problem: str | None


def schema(column_set: ColumnSet) -> dict[str, pl.DataType | type[pl.DataType]]:
    """Return the columns of the table, in their order."""
    parts = (f"base{E2}", *_columns(column_set), *_lines())
    return {
        "row": pl.Int64,
        "reference": pl.String,
        "instrument": pl.String,
        **dict.fromkeys(MONEY, pl.Float64),
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
    shape = schema(column_set)
    said = [(one.row, one.reference, one.kind, *_money(one.deal), one.problem) for one in rows]
    heads = pl.DataFrame(
        said, {name: shape[name] for name in ("row", *SAID)}, orient="row"
    ).with_columns(pl.lit(digest).alias(name) for name, digest in digests.items())
    quoted = [(one.row, one.quote) for one in rows if one.quote is not None]
    told = {
        name: pl.Series(name, values, shape[name], strict=False)
        for name, values in _told(quoted, column_set).items()
    }
    return heads.join(pl.DataFrame(told), on="row", how="left").select(*shape)


def _money(deal: Deal | None) -> tuple[float | None, float | None]:
    """Return what was asked for, and what is drawn of it: less than a line's limit."""
    if deal is None:
        return None, None
    amount = float(deal.terms.amount)
    return amount, amount * deal.utilisation if isinstance(deal, RevolvingLine) else amount


def _told(quoted: Sequence[tuple[int, Quote]], column_set: ColumnSet) -> dict[str, Sequence[Any]]:
    """Return what replies print of quotes, as numbers, by column."""
    quotes = [quote for _, quote in quoted]
    falls, whys = [quote.waterfall for quote in quotes], [quote.explanation for quote in quotes]
    prices, within = [quote.price for quote in quotes], [quote.interval for quote in quotes]
    return {
        "row": [row for row, _ in quoted],
        "figure": [fall.of for fall in falls],
        "rate": [None if fall.of == "value_bps" else fall.rate / 1e6 for fall in falls],
        **{f"pd_{at}": [round(price.pd[at], 6) for price in prices] for at in HORIZONS},
        "lgd": [round(price.lgd, 6) for price in prices],
        "grade": grade_of(np.array([price.annual_pd for price in prices])).tolist(),
        f"price{E2}": [fall.total for fall in falls],
        f"expected_loss{E2}": [_loss(fall.lines) for fall in falls],
        f"interval_low{E2}": [_hundredths(ends.low_bps) for ends in within],
        f"interval_high{E2}": [_hundredths(ends.high_bps) for ends in within],
        "reasons": [[reason.code for reason in why.reasons] for why in whys],
        "method": [why.method for why in whys],
        **_parts(whys, column_set),
    }


def _parts(whys: Sequence[Explanation], column_set: ColumnSet) -> dict[str, Sequence[int]]:
    """Return the parts of figures: columns and lines add up to each with the base, groups too."""
    parts = np.array([why.parts for why in whys], np.int64).reshape(-1, len(column_set.names))
    group_of = np.array(column_set.group_of)
    groups = [parts[:, group_of == at].sum(axis=1) for at in range(len(column_set.groups_told))]
    lines = [_beside(why.lines) for why in whys]
    return {
        **dict(zip(_groups(column_set), groups, strict=True)),
        f"base{E2}": [why.base for why in whys],
        **dict(zip(_columns(column_set), parts.T, strict=True)),
        **{f"line:{name}{E2}": [of[name] for of in lines] for name in APART},
    }


def _beside(lines: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Return the lines of an explanation, nil where there is none."""
    found = dict.fromkeys(APART, 0) | dict(lines)
    if len(found) > len(APART):
        raise ModelError(f"lines must be of {', '.join(APART)}, however: {', '.join(found)}")
    return found


def _loss(lines: Sequence[tuple[str, int]]) -> int | None:
    """Return the line of the loss itself."""
    return next((bps for name, bps in lines if name in LOSSES), None)


def _hundredths(bps: float | None) -> int | None:
    return None if bps is None else round(100 * float(f"{bps:.2f}"))


def _groups(column_set: ColumnSet) -> list[str]:
    return [f"group:{name}{E2}" for name in column_set.groups_told]


def _columns(column_set: ColumnSet) -> list[str]:
    return [f"column:{name}{E2}" for name in column_set.names]


def _lines() -> list[str]:
    return [f"line:{name}{E2}" for name in APART]
