"""How what a column adds to a price depends on its value: points of a picture, rows of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.column import Kind
from models.hazard import HazardModel
from models.reasons import said
from serving.console import charts
from serving.console.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Bar, Tick
from serving.console.weighing import Floats, Weighed, decoded
from serving.console.words import Words

TENTHS = 10
Places = NDArray[Any]  # of projects in the sample


@dataclass(frozen=True)
class Dot:
    """A point of a picture; `low` and `high` are the ends of its interval, where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Scatter:
    """A picture of points, ready to be drawn."""

    dots: tuple[Dot, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    zero: float | None  # where the other axis is 0
    diagonal: tuple[float, float, float, float] | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Row:
    """Projects of alike values: which, how many, and what the column adds in the mean."""

    values: str
    projects: int
    bps: float
    bar: Bar


@dataclass(frozen=True)
class Dependence:
    """One column."""

    rows: list[Row]
    scatter: Scatter | None  # None: its values have no order


def dependence(model: HazardModel, found: Weighed, index: int, words: Words) -> Dependence:
    """Return how a column's part depends on its value."""
    column, x, bps = model.column_set.columns[index], found.x[:, index], found.bps[:, index]
    ordered = column.kind not in (Kind.CATEGORY, Kind.FLAG)
    known = ~np.isnan(x)
    parts = _tenths(x, known) if ordered else _levels(x, known)
    groups = [(_values(model, index, x[at], words), at) for at in parts]
    if not known.all():
        groups.append((words("models.missing"), np.flatnonzero(~known)))
    means = [float(np.average(bps[at], weights=found.weight[at])) for _, at in groups]
    drawn = charts.bars([(0.0, mean) for mean in means])
    rows = [
        Row(values, len(at), mean, bar)
        for (values, at), mean, bar in zip(groups, means, drawn, strict=True)
    ]
    scatter = None
    if ordered and known.sum() > 1:
        scatter = scattered(x[known], bps[known], logarithmic=column.kind is Kind.MONEY)
    return Dependence(rows, scatter)


def scattered(x: Floats, y: Floats, *, logarithmic: bool) -> Scatter:
    """Return values and basis points as points; beyond the middle 98 % they stand at the edge.

    Args:
        x: (points,).
        y: (points,), in bp.
        logarithmic: the axis of values is that of log(1 + x).
    """
    seen = np.log1p(np.maximum(x, 0.0)) if logarithmic else x
    low, high = (float(q) for q in np.quantile(seen, (0.01, 0.99)))
    if logarithmic:
        low, high = math.floor(low / math.log(10)), math.ceil(max(high, 1.0) / math.log(10))
        steps = [math.log1p(10.0**power) for power in range(low, high + 1)]
        labels = [_compact(10.0**power) for power in range(low, high + 1)]
    else:
        steps = charts.nice(low, high)
        labels = [f"{step:,.6g}".replace("-", "−") for step in steps]
    ups = charts.nice(float(min(y.min(), 0.0)), float(max(y.max(), 0.0)))
    across = _scale(steps[0], steps[-1], LEFT, WIDTH - RIGHT)
    up = _scale(ups[0], ups[-1], HEIGHT - BOTTOM, TOP)
    inside = np.clip(seen, steps[0], steps[-1])
    return Scatter(
        dots=tuple(Dot(across(a), up(b)) for a, b in zip(inside.tolist(), y.tolist(), strict=True)),
        x_ticks=tuple(Tick(across(a), label) for a, label in zip(steps, labels, strict=True)),
        y_ticks=tuple(Tick(up(b), f"{b:,.6g}".replace("-", "−")) for b in ups),
        zero=up(0.0),
    )


def foretold(
    expected: Sequence[float],
    observed: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
) -> Scatter:
    """Return foretold shares against observed ones, with their intervals and the diagonal."""
    steps = charts.nice(0.0, max(*expected, *observed, *high))
    across = _scale(0.0, steps[-1], LEFT, WIDTH - RIGHT)
    up = _scale(0.0, steps[-1], HEIGHT - BOTTOM, TOP)
    told = zip(expected, observed, low, high, strict=True)
    return Scatter(
        dots=tuple(Dot(across(e), up(o), up(a), up(b)) for e, o, a, b in told),
        x_ticks=tuple(Tick(across(step), f"{100 * step:.3g} %") for step in steps),
        y_ticks=tuple(Tick(up(step), f"{100 * step:.3g} %") for step in steps),
        zero=None,
        diagonal=(across(0.0), up(0.0), across(steps[-1]), up(steps[-1])),
    )


def _tenths(x: Floats, known: Places) -> list[Places]:
    """Return the places of tenths of the known values; alike values stay together."""
    places = np.flatnonzero(known)
    if not len(places):
        return []
    edges = np.unique(np.quantile(x[places], np.linspace(0, 1, TENTHS + 1)))
    if len(edges) < 2:
        return [places]
    which = np.clip(np.searchsorted(edges, x[places], "right") - 1, 0, len(edges) - 2)
    parts = [places[which == at] for at in range(len(edges) - 1)]
    return [part for part in parts if len(part)]


def _levels(x: Floats, known: Places) -> list[Places]:
    return [np.flatnonzero(x == value) for value in np.unique(x[known])]


def _values(model: HazardModel, index: int, x: Floats, words: Words) -> str:
    column = model.column_set.columns[index]
    ends = [
        said(column, decoded(model, index, float(end)), words.language, model.currency)
        for end in (x.min(), x.max())
    ]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} – {ends[1]}"


def _compact(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _scale(low: float, high: float, first: float, last: float) -> Callable[[float], float]:
    span = (high - low) or 1.0
    return lambda value: round(first + (value - low) / span * (last - first), 1)
