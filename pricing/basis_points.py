"""Published basis points: whole hundredths that add up exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError

Floats = NDArray[np.float64]

SLACK_BPS = 1e-6  # how far parts may be from their total before it is an error and no rounding


def largest_remainder(parts_bps: Sequence[float] | Floats, total_bps: float) -> list[int]:
    """Return the parts in whole hundredths of a basis point, whose sum is the rounded total.

    Every part is rounded down; the hundredths then missing go to the parts that lost most, the
    first of equals first. No part moves by a hundredth or more.

    Args:
        parts_bps: parts that add up to the total, to 1e-6 bp.
        total_bps: their sum, rounded to the nearest hundredth (halves to even).

    Source: the method of Hamilton for the apportionment of seats.

    >>> largest_remainder([0.333, 0.333, 0.334], 1.0)
    [33, 33, 34]
    """
    hundredths = [100 * float(part) for part in parts_bps]
    gap_bps = total_bps - math.fsum(hundredths) / 100
    if not abs(gap_bps) <= SLACK_BPS:
        raise InputError.of("parts_bps", f"parts of {total_bps=}", f"a gap of {gap_bps} bp")
    whole = [math.floor(part) for part in hundredths]
    missing = round(100 * total_bps) - sum(whole)
    lost = [floor - part for floor, part in zip(whole, hundredths, strict=True)]
    for at in sorted(range(len(whole)), key=lost.__getitem__)[:missing]:
        whole[at] += 1
    return whole


def text(hundredths: int) -> str:
    """Return whole hundredths as a decimal number of basis points.

    >>> text(-1240), text(5), text(-5)
    ('-12.40', '0.05', '-0.05')
    """
    return f"{hundredths / 100:.2f}"  # exact: two decimals of a whole number below 2^53
