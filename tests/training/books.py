"""A small world for tests: a hundred months of loans whose hazards are known by heart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl

from features.book import CENSORED, DEFAULTED, EXITED, Book
from features.column import Column, ColumnSet, Direction, Kind, Outcome, Window

EDGES = (0, 6, 12, 24, 36, 60)
END = 480  # the month up to which loans are followed: January 2010
FIRST = 360  # January 2000


def column(
    name: str,
    *,
    direction: Direction = Direction.FREE,
    kind: Kind = Kind.NUMBER,
    source: str = "form",
    optional: bool = True,
    terms: str | None = None,
) -> Column:
    return Column(
        name=name,
        kind=kind,
        unit="",
        group="all",
        source=source,
        label=name,
        label_zh=name,
        meaning=name,
        meaning_zh=name,
        direction=direction,
        optional=optional,
        terms=terms,
    )


COLUMNS = (
    column("debt", direction=Direction.RAISES),
    column("cash", direction=Direction.LOWERS),
    column("size", source="registry"),
    column("patents", source="office"),
    column("sector", kind=Kind.CATEGORY, source="registry"),
    column("must", optional=False),
)


def column_set(columns: tuple[Column, ...] = COLUMNS, *, window: Window | None = None) -> ColumnSet:
    return ColumnSet(
        name="small",
        version="1",
        title="A small set",
        currency="EUR",
        columns=columns,
        groups={"all": ("All", "全部")},
        sources={
            "form": ("Form", "表"),
            "registry": ("Registry", "登记"),
            "office": ("Office", "局"),
        },
        age_edges_months=EDGES,
        outcome=Outcome("", "", "", ""),
        window=window or Window(date(2000, 1, 1), date(2006, 1, 1), date(2007, 1, 1)),
    )


def book(
    loans: int = 4000, *, seed: int = 0, level_from: int = END, level: float = 0.0, delay: int = 0
) -> Book:
    """Return loans of known hazards.

    Args:
        loans: originated evenly over January 2000 to June 2009.
        seed: of everything.
        level_from: calendar month from which the log-hazard of default is higher ...
        level: ... by this.
        delay: months until a default is known.
    """
    dice = np.random.default_rng(seed)
    debt, cash, size, patents, must = dice.normal(size=(5, loans))
    sector = dice.integers(0, 4, loans)
    originated = FIRST + np.sort(dice.integers(0, 114, loans))
    log_default = -4.4 + 0.8 * debt - 0.5 * cash + 0.3 * np.abs(size) + 0.3 * (sector == 2)
    log_exit = -4.2 + 0.4 * size
    age, event = _live(dice, originated, log_default, log_exit, level_from, level)
    lgd = np.clip(0.5 + 0.1 * debt + 0.1 * dice.normal(size=loans), 0, 1)
    return Book(
        column_set=column_set(),
        frame=pl.DataFrame(
            {
                "debt": debt,
                "cash": cash,
                "size": size,
                "patents": np.where(patents > 0, patents, np.nan),
                "sector": np.array(["a", "b", "c", "d"])[sector],
                "must": must,
            }
        ).with_columns(pl.col("patents").fill_nan(None)),
        originated=originated,
        age_months=age,
        event=event,
        event_known=originated + age + np.where(event == DEFAULTED, delay, 0),
        lgd=np.where(event == DEFAULTED, lgd, np.nan),
        weight=np.ones(loans),
        digest="0" * 64,
    )


def _live(
    dice: np.random.Generator,
    originated: np.ndarray,
    log_default: np.ndarray,
    log_exit: np.ndarray,
    level_from: int,
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    age = np.maximum(END - originated, 1)
    event = np.full(len(age), CENSORED, np.int8)
    alive = np.ones(len(age), bool)
    for month in range(1, int(age.max()) + 1):
        later = originated + month > level_from
        defaults, exits = np.exp(log_default + level * later), np.exp(log_exit)
        gone = alive & (dice.random(len(age)) < -np.expm1(-(defaults + exits)))
        gone &= originated + month <= END
        kind = np.where(dice.random(len(age)) < defaults / (defaults + exits), DEFAULTED, EXITED)
        age[gone], event[gone] = month, kind[gone]
        alive &= ~gone
    return age, event


def doubled(loans: Book, at: int) -> Book:
    """Return the book with one loan written twice."""
    return loans.take(np.sort(np.append(np.arange(len(loans)), at)))


def weighted(loans: Book, at: int) -> Book:
    """Return the book with one loan of weight two."""
    weight = loans.weight.copy()
    weight[at] = 2.0
    return replace(loans, weight=weight)
