"""Where, on the way from 0 to 1, a gauge changes its sign."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GRID = 32  # a gauge that changes its sign twice within 1/32 is not noticed
WIDTH = 1e-15
MOST_STEPS = 100


def crossings(gauges: Callable[[Floats], Floats]) -> list[float]:
    """Return, in rising order, where any gauge changes its sign.

    Args:
        gauges: takes positions (n,) in [0, 1] and returns (n, gauges).

    >>> [round(s, 12) for s in crossings(lambda at: np.stack([at - 0.25, at**2 - 0.5], axis=1))]
    [0.25, 0.707106781187]
    """
    at = np.linspace(0.0, 1.0, GRID + 1)
    values = gauges(at)  # (GRID + 1, gauges)
    found: list[float] = []
    for column in range(values.shape[1]):
        for i in np.flatnonzero(np.diff(values[:, column] > 0)):
            ends = [float(at[i]), float(at[i + 1])]
            heights = [float(values[i, column]), float(values[i + 1, column])]
            found.append(_root(gauges, column, ends, heights))
    return sorted(found)


def _root(
    gauges: Callable[[Floats], Floats], column: int, ends: list[float], heights: list[float]
) -> float:
    """Return the root between the ends, where the heights have different signs.

    Source: the Illinois variant of false position, Dowell & Jarratt (1971).
    """
    kept, guess = -1, ends[0]
    for _ in range(MOST_STEPS):
        last = guess
        guess = (ends[0] * heights[1] - ends[1] * heights[0]) / (heights[1] - heights[0])
        height = float(gauges(np.array([guess]))[0, column])
        if height == 0 or abs(guess - last) <= WIDTH:
            break
        side = int((height > 0) == (heights[1] > 0))  # the end that the guess replaces
        ends[side], heights[side] = guess, height
        if kept == 1 - side:
            heights[kept] /= 2
        kept = 1 - side
    return guess
