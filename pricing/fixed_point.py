"""The smallest fixed point of a map that does not fall: the price that feeds back into its risk."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError, ModelError, PolicyError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Image = Callable[[Floats, Ints], Floats]  # (n,) positions, (n,) their rows -> (n,) images

STEEPEST = 0.95  # a slope at which a price counts as unstable: a loading of 1 costs 20
MOST_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far to look, and how closely."""

    cap: float  # a fixed point above it is no answer
    width: float = 1e-6  # fixed points closer than this to each other count as one
    tolerance: float = 1e-12  # of F(r) - r, times max(1, |r|)
    unit: str = ""  # written behind the numbers of a refusal

    def refuse(self, why: str, *, at: float, image: float, slope: float) -> NoReturn:
        """Raise the refusal, with the numbers that led to it: F at a point, its image and slope."""
        unit = self.unit
        known = "" if math.isnan(slope) else f", with a slope of {slope:.4g}"
        raise PolicyError(
            f"no viable price up to the cap of {self.cap:.8g}{unit}: {why}; "
            f"at {at:.8g}{unit} the risk asks for {image:.8g}{unit}{known}"
        )

    def slack(self, at: Floats) -> Floats:
        """Return how far images may be from where they should, for rounding."""
        slack: Floats = self.tolerance * np.maximum(1.0, np.abs(at))
        return slack


def smallest(
    image: Callable[[float], float],
    *,
    start: float,
    cap: float,
    tolerance: float = 1e-12,
    width: float = 1e-6,
) -> float:
    """Return the smallest fixed point in [start, cap] of one map; see `smallest_of_rows`.

    Args:
        image: F.
        start: where F(start) >= start.
        cap: a fixed point above it is no answer.
        tolerance: of F(r) - r, times max(1, |r|).
        width: fixed points closer than this to each other count as one.

    >>> round(smallest(lambda r: 0.02 + 0.5 * r + r * r, start=0.0, cap=1.0), 12)
    0.043844718719
    """

    def row(at: Floats, rows: Ints) -> Floats:
        return np.array([image(float(x)) for x in at])

    limits = Limits(cap=cap, tolerance=tolerance, width=width)
    return float(smallest_of_rows(row, start=np.array([start]), limits=limits)[0])


def smallest_of_rows(image: Image, *, start: Floats, limits: Limits) -> Floats:
    """Return (rows,) the smallest fixed points r = F(r), from start (rows,) to the cap.

    Each row has a continuous map F of its own, non-decreasing, with F(start) >= start. Let r* be
    its smallest fixed point from the start on. Then

        r <= r*         =>  F(r) <= F(r*) = r*               Kleene's step r <- F(r) never passes it
        F(r) > cap      =>  r* > cap                         there is none up to the cap
        r < x < F(r)    =>  F(x) >= F(r) > x                 nothing is skipped by a step
        r <= F(r), F(u) <= u, u > r  =>  r* in [r, u]        F maps [r, u] into itself

    A map that is constant below some floor, F(r) = F(max(r, floor)), may start at min(floor,
    F(floor)): its image is F(floor), which is no lower, and no fixed point is below it.

    The first three lines climb to an r near r*; the last encloses r* between r and u = r + width.
    In there, false position finds F(r) = r to the tolerance: r* itself, unless F has two fixed
    points less than the width apart. It ends, in r* or a refusal, whatever F is: each of the
    climb and the polish has MOST_STEPS at most, and a point is only given where |F(r) - r| is
    within the tolerance. That it is the smallest needs an F that does not fall; a fall that the
    climb meets, by an image below its point, is refused.

    Args:
        image: all the maps; it is asked for all rows that still move at once.
        start: (rows,) where to begin, from below.
        limits: the cap and the precision.

    Raises:
        PolicyError: the climb passes the cap, F falls, F' at the fixed point is STEEPEST or more,
            or MOST_STEPS do not do, as where F nearly touches the diagonal.

    Source: Kleene's and Tarski's fixed point theorems; Davey & Priestley, Introduction to Lattices
    and Order (2002), ch. 8.
    """
    low, images = _climb(image, start, limits)
    above = image(low + limits.width, np.arange(len(low)))
    slopes = (above - images) / limits.width
    steep = np.flatnonzero(slopes >= STEEPEST)
    for i in steep[:1]:
        why = f"it would not be stable, a slope of {STEEPEST} or more"
        limits.refuse(why, at=float(low[i]), image=float(images[i]), slope=float(slopes[i]))
    return _polish(image, np.stack([low, low + limits.width]), np.stack([images, above]), limits)


def _climb(image: Image, start: Floats, limits: Limits) -> tuple[Floats, Floats]:
    """Return (rows,) points at most the width below the fixed points, and their images."""
    low = np.array(start, np.float64)
    images = image(low, np.arange(len(low)))
    if (images < low).any():
        raise InputError.of("start", "at or below its image", f"{low=}, {images=}")
    slopes = np.full(len(low), math.nan)
    climbing = np.arange(len(low))
    for _ in range(MOST_STEPS):
        _refuse_outside(low, images, slopes, limits)
        if not climbing.size:
            return low, images
        before, at = low[climbing], images[climbing]
        after = image(at, climbing)
        gap, rise = at - before, after - at
        slope = np.divide(rise, gap, out=np.zeros(len(gap)), where=gap > 0)
        low[climbing], images[climbing], slopes[climbing] = at, after, slope
        near = np.flatnonzero(rise <= limits.width * (1 - slope))  # r* is likely to be within it
        reach = at[near] + limits.width
        enclosed = near[image(reach, climbing[near]) <= reach] if near.size else near
        climbing = np.delete(climbing, enclosed)
    i = int(climbing[0])
    numbers = {"at": float(low[i]), "image": float(images[i]), "slope": float(slopes[i])}
    limits.refuse(f"{MOST_STEPS} steps did not reach it", **numbers)


def _refuse_outside(low: Floats, images: Floats, slopes: Floats, limits: Limits) -> None:
    """Refuse images that are no number, above the cap, or below the point they are images of."""
    if np.isnan(images).any():
        raise ModelError(f"margins must give a price that is a number, however: {images=}")
    for wrong, why in (
        (images > limits.cap, "every smaller one asks for more than itself"),
        (images < low - limits.slack(low), "more risk would lower it"),
    ):
        for i in np.flatnonzero(wrong)[:1]:
            numbers = {"at": float(low[i]), "image": float(images[i]), "slope": float(slopes[i])}
            limits.refuse(why, **numbers)


def _polish(image: Image, ends: Floats, images: Floats, limits: Limits) -> Floats:
    """Return (rows,) the fixed points between the ends (2, rows), by false position.

    Source: the Illinois variant, Dowell & Jarratt (1971).
    """
    heights = images - ends  # (2, rows) >= 0 at the low end, <= 0 at the high one
    kept = np.full(ends.shape[1], -1)  # the end that stayed the last time
    found: Floats = ends[0].copy()
    going = np.arange(len(found))
    for _ in range(MOST_STEPS):
        low, high = ends[:, going]
        above, below = heights[:, going]
        guess = low + (high - low) * above / (above - below)
        height = image(guess, going) - guess
        found[going] = guess
        side = (height <= 0).astype(np.int64)  # the end that the guess replaces
        again = kept[going] == 1 - side
        ends[side, going], heights[side, going] = guess, height
        heights[1 - side[again], going[again]] /= 2
        kept[going] = 1 - side
        going = going[np.abs(height) > limits.slack(guess)]
        if not going.size:
            return found
    at = found[going[:1]]
    image_of = float(image(at, going[:1])[0])
    limits.refuse("rounding hides it", at=float(at[0]), image=image_of, slope=math.nan)
