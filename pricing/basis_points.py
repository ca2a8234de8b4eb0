"""Published basis points: whole hundredths that add up exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pricing.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

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
    parts = np.asarray(parts_bps, np.float64)
    hundredths: list[int] = _closed(*_apportion(parts, total_bps), total_bps).tolist()
    return hundredths


def with_rest(parts_bps: Floats, total_bps: float) -> Ints:
    """Return parts, and last what they leave of a total, in whole hundredths that add up to it.

    >>> with_rest(np.array([0.333, 0.333]), 1.0).tolist()
    [33, 33, 34]
    """
    return _closed(*_with_rest(parts_bps, total_bps), total_bps)


def _closed(whole: Ints, gap_bps: float, total_bps: float) -> Ints:
    """Return parts that leave no gap to their total."""
    if not abs(gap_bps) <= SLACK_BPS:
        raise InputError.of("parts_bps", f"parts of {total_bps=}", f"a gap of {gap_bps} bp")
    return whole


@njit(cache=True)
def _with_rest(parts_bps: Floats, total_bps: float) -> tuple[Ints, float]:
    """Return the parts and the rest in whole hundredths, and the gap: see `_apportion`."""
    return _apportion(np.append(parts_bps, _gap_bps(parts_bps, total_bps)), total_bps)


@njit(cache=True)
def _gap_bps(parts_bps: Floats, total_bps: float) -> float:
    """Return what parts miss of their total.

    Source: Neumaier (1974), for a sum that does not lose what is small beside the rest.
    """
    total, lower = 0.0, 0.0  # the sum in hundredths, and what it lost
    for i in range(len(parts_bps)):
        part = 100 * parts_bps[i]
        new = total + part
        lower += (total - new) + part if abs(total) >= abs(part) else (part - new) + total
        total = new
    return total_bps - (total + lower) / 100


@njit(cache=True)
def _apportion(parts_bps: Floats, total_bps: float) -> tuple[Ints, float]:
    """Return the parts in whole hundredths, and what they miss of the total before rounding."""
    count = len(parts_bps)
    whole = np.empty(count, np.int64)
    lost = np.empty(count)
    for i in range(count):
        part = 100 * parts_bps[i]
        whole[i] = math.floor(part) if math.isfinite(part) else 0
        lost[i] = whole[i] - part
    gap_bps = _gap_bps(parts_bps, total_bps)
    if abs(gap_bps) <= SLACK_BPS:
        missing = int(np.rint(100 * total_bps)) - whole.sum()
        for at in np.argsort(lost, kind="mergesort")[:missing]:
            whole[at] += 1
    return whole, gap_bps


def text(hundredths: int) -> str:
    """Return whole hundredths as a decimal number of basis points.

    >>> text(-1240), text(5), text(-5)
    ('-12.40', '0.05', '-0.05')
    """
    return f"{hundredths / 100:.2f}"  # exact: two decimals of a whole number below 2^53


def texts(hundredths: Sequence[int]) -> list[str]:
    """Return the `text` of each, which is faster.

    >>> texts([-1240, 5])
    ['-12.40', '0.05']
    """
    return ("%.2f " * len(hundredths) % tuple([part / 100 for part in hundredths])).split()
