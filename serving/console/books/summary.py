"""A priced book added up: by grade, instrument and figure, and why rows have no price.

Losses and spreads are those of the page of quotes (`serving/console/book.py`): the loss of a row is
what is drawn of its amount times its expected loss net of what a scheme takes, and averages are
weighted by what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from serving.console.book import SPREAD, TAKEN
from serving.score.table import E2

MOST_SHOWN = 50  # rows without a price
MOST_FIELDS = 20
MOST_OTHERS = 30
_DRAWN, _PRICE = pl.col("drawn"), pl.col(f"price{E2}") / 100
_LOSS = _DRAWN * (pl.col(f"expected_loss{E2}").fill_null(0) + pl.col(f"line:{TAKEN}{E2}")) / 1e6
_HAS_SPREAD = pl.col("figure") == SPREAD
_SUMS = (
    pl.len().alias("count"),
    pl.col("amount").sum(),
    _DRAWN.sum().alias("drawn"),
    _LOSS.sum().alias("loss"),
    (_DRAWN * _PRICE).filter(_HAS_SPREAD).sum().alias("spread"),
    _DRAWN.filter(_HAS_SPREAD).sum().alias("with_spread"),
    (_DRAWN * _PRICE).sum().alias("price"),
)


def of(scored: Path, others: Sequence[str]) -> dict[str, Any]:
    """Return what a page shows of a scored book.

    Args:
        scored: the file.
        others: columns of the book that were passed over.
    """
    lazy = pl.scan_parquet(scored)
    priced = lazy.filter(pl.col("problem").is_null())
    wrong = lazy.filter(pl.col("problem").is_not_null())
    rows = lazy.select(pl.len()).collect().item()
    (whole,) = _told(priced.select(pl.lit("").alias("label"), *_SUMS).collect())
    parts = {"grade": "grade", "instrument": "instrument", "figure": "figure"}
    return {
        "rows": rows,
        "whole": whole,
        "parts": {name: _by(priced, column) for name, column in parts.items()},
        "fields": _fields(wrong),
        "wrong": wrong.select("row", "reference", "problem").head(MOST_SHOWN).collect().to_dicts(),
        "others": [*others[:MOST_OTHERS]],
        "more_others": max(len(others) - MOST_OTHERS, 0),
    }


def _by(priced: pl.LazyFrame, column: str) -> list[dict[str, Any]]:
    sums = priced.group_by(pl.col(column).alias("label")).agg(*_SUMS).sort("label").collect()
    return _told(sums)


def _told(sums: pl.DataFrame) -> list[dict[str, Any]]:
    """Return sums with their averages, which are absent where nothing has a weight."""
    return [
        {
            "label": str(one["label"]),
            "count": one["count"],
            "amount": one["amount"],
            "loss": one["loss"],
            "spread_bps": one["spread"] / one["with_spread"] if one["with_spread"] else None,
            "price_bps": one["price"] / one["drawn"] if one["drawn"] else None,
        }
        for one in sums.to_dicts()
    ]


def _fields(wrong: pl.LazyFrame) -> list[dict[str, Any]]:
    """Return the fields that keep most rows from a price, and how many rows each."""
    named = (
        pl.col("problem")
        .str.extract_all(r"(?:^|; )[\w.]+ must be")
        .list.eval(pl.element().str.extract(r"([\w.]+) must be"))
    )
    counted = (
        wrong.select(pl.col("row"), named.alias("field"))
        .explode("field")
        .unique(["row", "field"])
        .group_by("field")
        .agg(pl.len().alias("rows"))
        .sort(["rows", "field"], descending=[True, False])
        .head(MOST_FIELDS)
    )
    return [{**one, "field": one["field"] or ""} for one in counted.collect().to_dicts()]
