"""Survival and the competing ways out of a loan, from log hazards by age."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pricing.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DEFAULT, EXIT, LGD = 0, 1, 2  # rows of margins (3, K)
_NO_SHIFT = np.empty(0)


@dataclass(frozen=True, eq=False)
class Curves:
    """What becomes of a loan by month 0, 1, ..., n; the three sum to one."""

    survival: Floats  # (n + 1,) neither defaulted nor left
    default: Floats  # (n + 1,) defaulted by then, given that leaving early is possible
    exit: Floats  # (n + 1,) left early by then


def curves(margins: Floats, edges: Sequence[int] | Ints, months: int) -> Curves:
    """Return survival and the two cumulative incidences, monthly.

    With the hazards h_d, h_x of the month's age bucket and tot = h_d + h_x, month t sees

        S_t = S_{t-1} exp(-tot),   default: S_{t-1} (1 - exp(-tot)) h_d / tot,   exit alike with h_x

    Args:
        margins: (3, K), rows DEFAULT and EXIT are log monthly hazards; -inf is "never".
        edges: (K + 1,) months at which the age buckets begin and end, from 0.
        months: n, at most the last edge.

    Source: Kalbfleisch & Prentice, ch. 8 (cause-specific hazards), for hazards constant in a month.

    >>> flat = np.array([[math.log(0.01)] * 2, [-math.inf] * 2, [0.0] * 2])
    >>> [round(float(s), 6) for s in curves(flat, (0, 6, 12), 2).survival]
    [1.0, 0.99005, 0.980199]
    """
    ages = _ages_to(months, edges)
    return walk(as_margins(margins[None], ages)[0], ages, months)


def walk(margins: Floats, ages: Ints, months: int, shift: Floats | None = None) -> Curves:
    """Return the `curves` of margins and ages that have been checked.

    Args:
        margins: (3, K).
        ages: (K + 1,).
        months: n.
        shift: (n,) added to the log hazard of default, month by month.
    """
    return Curves(*_walk(margins, ages, months, _given(shift)))


def incidence(
    margins: Floats, edges: Sequence[int] | Ints, months: int, shift: Floats | None = None
) -> Floats:
    """Return (rows, months + 1) the cumulative incidence of default of margins (rows, 3, K)."""
    ages = _ages_to(months, edges)
    return incidences(as_margins(margins, ages), ages, months, shift)


def incidences(margins: Floats, ages: Ints, months: int, shift: Floats | None = None) -> Floats:
    """Return the `incidence` of margins and ages that have been checked."""
    return _incidences(margins, ages, months, _given(shift))


def as_ages(edges: Sequence[int] | Ints) -> Ints:
    """Return (K + 1,) the months between age buckets, checked to rise from 0.

    >>> as_ages((0, 6, 12)).tolist()
    [0, 6, 12]
    """
    return _ages(tuple(edges))


@lru_cache(maxsize=64)
def _ages(edges: tuple[int, ...]) -> Ints:
    ages = np.array(edges, np.int64)
    if ages.ndim != 1 or len(ages) < 2 or ages[0] != 0 or (ages[1:] <= ages[:-1]).any():
        raise InputError.of("edges", "whole months rising from 0", edges)
    return ages


def as_margins(margins: Floats, ages: Ints) -> Floats:
    """Return margins as the kernels take them, checked to be (rows, 3, K).

    The kernels check no bounds, and compile anew for memory that is strided or read-only.
    """
    rows = np.ascontiguousarray(margins, np.float64)
    if rows.ndim != 3 or rows.shape[1] != 3 or rows.shape[2] != len(ages) - 1:
        raise InputError.of("margins", f"of shape (rows, 3, {len(ages) - 1})", rows.shape)
    return rows if rows.flags.writeable else rows.copy()


def _given(shift: Floats | None) -> Floats:
    return _NO_SHIFT if shift is None else shift


def _ages_to(months: int, edges: Sequence[int] | Ints) -> Ints:
    ages = as_ages(edges)
    if not 0 <= months <= ages[-1]:
        raise InputError.of("months", f"from 0 to the last age, {ages[-1]}", months)
    return ages


@njit(cache=True, error_model="numpy")
def _walk(
    margins: Floats, edges: Ints, months: int, shift: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return (survival, default, exit), each (months + 1,)."""
    survival, default, exit_ = (np.empty(months + 1), np.empty(months + 1), np.empty(months + 1))
    survival[0], default[0], exit_[0] = 1.0, 0.0, 0.0
    bucket, gone, cause, moved = -1, 0.0, 0.0, 0.0
    for t in range(months):
        by = shift[t] if len(shift) else 0.0
        if t >= edges[bucket + 1] or by != moved:
            while t >= edges[bucket + 1]:
                bucket += 1
            moved = by
            h_d, h_x = math.exp(margins[0, bucket] + by), math.exp(margins[1, bucket])
            gone = -math.expm1(-(h_d + h_x))
            cause = h_d / (h_d + h_x) if h_d > 0 else 0.0
        left = survival[t] * gone
        survival[t + 1] = survival[t] - left
        default[t + 1] = default[t] + left * cause
        exit_[t + 1] = exit_[t] + left * (1 - cause)
    return survival, default, exit_


@njit(cache=True, error_model="numpy")
def _incidences(margins: Floats, edges: Ints, months: int, shift: Floats) -> Floats:
    """Return (rows, months + 1)."""
    out = np.empty((len(margins), months + 1))
    for i in range(len(margins)):
        out[i] = _walk(margins[i], edges, months, shift)[1]
    return out
