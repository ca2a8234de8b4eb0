"""Where lines, bands and bars of a picture lie: numbers in, coordinates of an SVG out.

Templates draw them; colours are the style sheet's, so that dark and paper follow by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34
BAR = 1000  # the width of a row's bar; it is stretched to the cell
Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A place on an axis, and what stands there."""

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """A picture of lines over months, ready to be drawn."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    own: str  # the points of a polyline, as SVG writes them
    cohort: str = ""
    band: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Lines:
    """What a picture shows: values over months; the cohort may be unknown."""

    own: Sequence[Point]
    cohort: Sequence[Point] = ()
    low: Sequence[Point] = ()
    high: Sequence[Point] = ()

    def chart(self, *, months: int, least: float | None = None, most: float | None = None) -> Chart:
        """Return the picture.

        Args:
            months: the end of the axis.
            least: where the other axis begins, as a share; None: just below what is shown.
            most: where it ends.
        """
        values = [y for points in (self.own, self.cohort, self.low, self.high) for _, y in points]
        bottom = least if least is not None else min(values)
        steps = nice(bottom, most if most is not None else max(values))
        across, up = (
            _scale(0, months, LEFT, WIDTH - RIGHT),
            _scale(steps[0], steps[-1], HEIGHT - BOTTOM, TOP),
        )

        def drawn(points: Iterable[Point]) -> str:
            return " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)

        every = next(step for step in (3, 6, 12, 24, 36, 60) if months / step <= 8)
        return Chart(
            x_ticks=tuple(Tick(across(m), str(m)) for m in range(0, months + 1, every)),
            y_ticks=tuple(Tick(up(y), f"{_percent(y, steps)}") for y in steps),
            own=drawn(self.own),
            cohort=drawn(self.cohort),
            band=drawn([*self.low, *reversed(self.high)]),
        )


def stairs(edges: Sequence[int], values: Sequence[float], months: int) -> list[Point]:
    """Return the points of a step function: a value from each edge to the next.

    >>> stairs((0, 6, 12, 24), (0.1, 0.2, 0.3), 12)
    [(0, 0.1), (6, 0.1), (6, 0.2), (12, 0.2)]
    """
    points: list[Point] = []
    for low, high, value in zip(edges, edges[1:], values, strict=False):
        if low >= months:
            break
        points += [(low, value), (min(high, months), value)]
    return points


def nice(low: float, high: float, steps: int = 4) -> list[float]:
    """Return round numbers that span a range.

    Args:
        low: the least share or value that is shown.
        high: the greatest.
        steps: about how many.

    >>> nice(0.93, 1.0)
    [0.92, 0.94, 0.96, 0.98, 1.0]
    """
    span = max(high - low, 1e-6)
    rough = span / steps
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * at, 12) for at in range(first, max(last, first + 1) + 1)]


@dataclass(frozen=True)
class Bar:
    """A bar in a row of a table: from `start`, `length` long, of BAR; `zero` is the axis."""

    start: float
    length: float
    zero: float


def bars(spans: Sequence[tuple[float, float]]) -> list[Bar]:
    """Return the bars of spans (from, to), all on one scale that holds zero.

    >>> bars([(0.0, 50.0), (50.0, 40.0)])[1]
    Bar(start=800.0, length=200.0, zero=0.0)
    """
    ends = [0.0, *(end for span in spans for end in span)]
    low, high = min(ends), max(ends)
    scale = BAR / ((high - low) or 1.0)
    return [
        Bar(
            start=round((min(span) - low) * scale, 2),
            length=round(abs(span[1] - span[0]) * scale, 2),
            zero=round(-low * scale, 2),
        )
        for span in spans
    ]


def running(steps: Iterable[float]) -> list[tuple[float, float]]:
    """Return where each step of a waterfall starts and ends.

    >>> running([250.0, 50.0, -20.0])
    [(0.0, 250.0), (250.0, 300.0), (300.0, 280.0)]
    """
    spans, at = [], 0.0
    for step in steps:
        spans.append((at, at + step))
        at += step
    return spans


def _scale(low: float, high: float, first: float, last: float) -> Callable[[float], float]:
    return lambda value: first + (value - low) / (high - low) * (last - first)


def _percent(value: float, steps: Sequence[float]) -> str:
    """Return a tick's label, with as many digits as its neighbours need."""
    gap = 100 * (steps[1] - steps[0])
    digits = max(0, -math.floor(math.log10(gap) + 1e-9))
    if round(gap, digits) != round(gap, 9):
        digits += 1
    return f"{100 * value:.{digits}f} %"
