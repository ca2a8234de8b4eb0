"""The challenger beside the champion: which it is, how many quotes it priced, and how far off.

The figures are those that the shadow keeps (serving/shadow.py); a reader sees those of the quotes
of their own tenant.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.pricer import Pricer
from pricing.errors import InputError
from serving import comparisons
from serving.comparisons import Comparison, Segment
from serving.console import charts
from serving.console.charts import Bar
from serving.console.dependence import Scatter, scattered
from serving.console.rooms import Rooms

NEWEST = 5000  # comparisons that are added up
DRAWN = 300  # of them as points
OFF, NONE, CHAMPION, WAITS, COMPARED = "off", "none", "champion", "waits", "compared"


@dataclass(frozen=True)
class Line:
    """A segment of the quotes, and its mean as a bar."""

    segment: Segment
    bar: Bar


@dataclass(frozen=True)
class Rival:
    """What is known here of the challenger.

    Attributes:
        state: `off` if no quote is drawn, `none` if there is no challenger, `champion` if it is
            the champion by now, `waits` if nothing is compared yet, else `compared`.
        share: of the quotes that are drawn.
        model: its digest; empty if there is none.
        version: its number.
        counts: of the quotes drawn since the start, by what became of them.
        pair: the digests of the champion and the challenger that were compared last.
        lines: their differences.
        plot: the same, by the champion's price.
        unreadable: why the file cannot be read, if it cannot.
    """

    state: str
    share: float
    model: str
    version: str
    counts: Mapping[str, int]
    pair: tuple[str, str] = ("", "")
    lines: Sequence[Line] = ()
    plot: Scatter | None = None
    unreadable: str = ""


def rival(rooms: Rooms, tenant: str) -> Rival:
    """Return what is known of the challenger, and of its prices of a tenant's quotes."""
    shadow = rooms.shadow
    digest = shadow.model.digest if shadow.model else ""
    version = str(shadow.model.card.get("version", "")) if shadow.model else ""
    pricer, unreadable = rooms.served, ""
    serves = pricer is not None and pricer.model.digest == digest
    try:
        rows = _rows(rooms, tenant)
    except sqlite3.Error as error:
        rows, unreadable = [], str(error)
    pair = (rows[-1].champion, rows[-1].challenger) if rows else ("", "")
    state = _state(shadow.share, digest, serves=serves, is_compared=pair == _today(pricer, digest))
    plot = _plot(rows[-DRAWN:]) if rows else None
    given = (state, shadow.share, digest, version, shadow.counts)
    return Rival(*given, pair, _lines(rows), plot, unreadable)


def _rows(rooms: Rooms, tenant: str) -> list[Comparison]:
    try:
        found = comparisons.read(rooms.settings.shadow, most=NEWEST)
    except InputError:  # no server has written one
        return []
    return comparisons.latest([row for row in found if row.tenant == tenant])


def _state(share: float, digest: str, *, serves: bool, is_compared: bool) -> str:
    if not share:
        return OFF
    if not digest:
        return NONE
    return CHAMPION if serves else COMPARED if is_compared else WAITS


def _today(pricer: Pricer | None, challenger: str) -> tuple[str, str]:
    return (pricer.model.digest if pricer else "", challenger)


def _lines(rows: Sequence[Comparison]) -> list[Line]:
    found = comparisons.segments(rows)
    drawn = charts.bars([(0.0, one.mean) for one in found])
    return [Line(segment, bar) for segment, bar in zip(found, drawn, strict=True)]


def _plot(rows: Sequence[Comparison]) -> Scatter:
    prices = np.array([row.champion_bps for row in rows])
    differences = np.array([row.difference_bps for row in rows])
    return scattered(prices, differences, logarithmic=False)
