"""Exact interventional Shapley values of all leaves, looked up in tables.

A leaf with d columns is a product game: with a_i = 1 where the request satisfies the leaf's condition
on column i, and b_i the same for a row of the background,

    v(S) = v  prod_{i in S} a_i  prod_{i not in S} b_i

Only the pattern a of the request and the weighted share p(b) of each background pattern matter. For
each a, with U = {a_i = 1, b_i = 0} and V = {a_i = 0, b_i = 1}, and no column where both are 0,

    phi_i(a) =  sum_b v p(b) (|U| - 1)! |V|! / (|U| + |V|)!     for i in U
    phi_i(a) = -sum_b v p(b) |U|! (|V| - 1)! / (|U| + |V|)!     for i in V

These 2^d rows of d numbers are computed once, when the model is loaded: so a request costs the same
whatever the size of the background. Since Shapley values are linear, the value of a weighted sum of
margins over ages is the same single sum over leaves, each weighted by the ages in which it holds.

Source: interventional TreeSHAP (Lundberg et al. 2020), written out for a product game.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.leaves import Boxes, Floats

FACTORIALS = np.array([math.factorial(n) for n in range(20)], np.float64)


@dataclass(frozen=True)
class Reading:
    """One project seen by the trees: its margins, and what its columns contribute to them."""

    tables: Tables
    patterns: NDArray[np.int32]  # (leaves,)
    margins: Floats  # (rows, K)

    def contributions(self, weights: Floats) -> Floats:
        """Return the Shapley value of every column for sum(weights * margins).

        Args:
            weights: (rows, K), finite.

        Returns:
            (columns,); their sum is sum(weights * (margins - base)).
        """
        return self.tables.contributions(self.patterns, weights)


@dataclass(frozen=True)
class Tables:
    """The leaves of a model with their Shapley tables against one weighted background."""

    boxes: Boxes
    columns: int
    base: Floats  # (rows, K) mean margins of the background
    cells: Floats  # all tables, one leaf after the other
    offset: NDArray[np.int64]  # (leaves + 1,) where each leaf's table begins

    @classmethod
    def build(cls, boxes: Boxes, background: Floats, weight: Floats) -> Tables:
        """Count the background's patterns in every leaf and compute all tables.

        Args:
            boxes: the leaves.
            background: (rows, columns), encoded; NaN is missing.
            weight: (rows,), >= 0; doubling a weight equals repeating its row.
        """
        columns = background.shape[1]
        depth = np.diff(boxes.start)
        at = np.concatenate([[0], np.cumsum(2**depth)]).astype(np.int64)
        shares = np.zeros(int(at[-1]))
        bins = _bins_of_rows(np.ascontiguousarray(background), boxes.thresholds, boxes.offset)
        _count_patterns(bins, weight / weight.sum(), *_conditions(boxes), at, shares)
        offset = np.concatenate([[0], np.cumsum(2**depth * depth)]).astype(np.int64)
        cells = np.zeros(int(offset[-1]))
        _fill_tables(boxes.start, boxes.value, at, shares, FACTORIALS, offset, cells)
        full = shares[at[1:] - 1] * boxes.value  # (leaves,) a leaf's mean over the background
        return cls(boxes, columns, boxes.baseline + _over_ages(boxes, full), cells, offset)

    def read(self, x: Floats) -> Reading:
        """See one project: the pattern of every leaf, and the margins at all ages.

        Args:
            x: (columns,) encoded, NaN where missing.
        """
        rows, buckets = self.boxes.shape
        patterns = np.empty(len(self.boxes.value), np.int32)
        steps = np.zeros(rows * (buckets + 1))
        _read(x, *self._pass, patterns, steps)
        margins = np.cumsum(steps.reshape(rows, -1), axis=1)[:, :-1] + self.boxes.baseline
        return Reading(self, patterns, margins)

    def contributions(self, patterns: NDArray[np.int32], weights: Floats) -> Floats:
        """Return the columns' Shapley values of sum(weights * margins); see `Reading`."""
        rows, buckets = self.boxes.shape
        upto = np.zeros((rows, buckets + 1))
        np.cumsum(weights, axis=1, out=upto[:, 1:])
        phi = np.zeros(self.columns)
        _attribute(patterns, upto.ravel(), *self._lookup, phi)
        return phi

    def margins(self, x: Floats) -> Floats:
        """Return the margins of many projects: (n, columns) -> (n, rows, K)."""
        rows, buckets = self.boxes.shape
        steps = np.zeros((len(x), rows * (buckets + 1)))
        bins = _bins_of_rows(np.ascontiguousarray(x), self.boxes.thresholds, self.boxes.offset)
        boxes = self.boxes
        _margins(bins, *_conditions(boxes), boxes.value, boxes.begin, boxes.end, steps)
        ages = np.cumsum(steps.reshape(len(x), rows, -1), axis=2)[:, :, :-1]
        return np.asarray(ages + boxes.baseline)

    @cached_property
    def _pass(self) -> tuple[NDArray[np.generic], ...]:
        b = self.boxes
        return (b.thresholds, b.offset, *_conditions(b), b.value, b.begin, b.end)

    @cached_property
    def _lookup(self) -> tuple[NDArray[np.generic], ...]:
        b = self.boxes
        return (b.start, b.column, b.begin, b.end, self.offset, self.cells)


def _conditions(b: Boxes) -> tuple[NDArray[np.generic], ...]:
    return (b.start, b.column, b.first, b.last, b.missing)


def _over_ages(boxes: Boxes, amount: Floats) -> Floats:
    """Add each leaf's amount to the ages in which it holds: (leaves,) -> (rows, K)."""
    rows, buckets = boxes.shape
    steps = np.zeros(rows * (buckets + 1))
    np.add.at(steps, boxes.begin, amount)
    np.add.at(steps, boxes.end, -amount)
    return np.asarray(np.cumsum(steps.reshape(rows, -1), axis=1)[:, :-1])


@njit(cache=True)
def _bin(value, thresholds, low, high):  # type: ignore[no-untyped-def]  # numba infers
    """Return how many of thresholds[low:high] lie below value, or -1 where it is missing."""
    if math.isnan(value):
        return -1
    first = low
    while low < high:
        middle = (low + high) // 2
        if thresholds[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low - first


@njit(cache=True)
def _bins_of_rows(x, thresholds, offset):  # type: ignore[no-untyped-def]  # numba infers
    bins = np.empty(x.shape, np.int32)
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            bins[r, c] = _bin(x[r, c], thresholds, offset[c], offset[c + 1])
    return bins


@njit(cache=True, inline="always")
def _pattern(leaf, bins, start, column, first, last, missing):  # type: ignore[no-untyped-def]
    """Return the bits of the leaf's conditions that hold."""
    pattern = 0
    bit = 1
    for i in range(start[leaf], start[leaf + 1]):
        b = bins[column[i]]
        if b < 0:
            if missing[i]:
                pattern |= bit
        elif first[i] <= b <= last[i]:
            pattern |= bit
        bit <<= 1
    return pattern


@njit(cache=True)
def _count_patterns(bins, weight, start, column, first, last, missing, at, shares):  # type: ignore[no-untyped-def]
    for leaf in range(len(start) - 1):
        for r in range(len(bins)):
            pattern = _pattern(leaf, bins[r], start, column, first, last, missing)
            shares[at[leaf] + pattern] += weight[r]


@njit(cache=True)
def _fill_tables(start, value, at, shares, factorial, offset, cells):  # type: ignore[no-untyped-def]
    for leaf in range(len(value)):
        d = start[leaf + 1] - start[leaf]
        size = 1 << d
        for b in range(size):
            p = shares[at[leaf] + b] * value[leaf]
            if p == 0.0:
                continue
            for a in range(size):
                if a | b != size - 1 or a == b:
                    continue  # a column where neither holds, or nothing to share
                u = 0
                v = 0
                for i in range(d):
                    u += (a & ~b) >> i & 1
                    v += (b & ~a) >> i & 1
                row = offset[leaf] + a * d
                for i in range(d):
                    if (a & ~b) >> i & 1:
                        cells[row + i] += p * factorial[u - 1] * factorial[v] / factorial[u + v]
                    elif (b & ~a) >> i & 1:
                        cells[row + i] -= p * factorial[u] * factorial[v - 1] / factorial[u + v]


@njit(cache=True)
def _read(x, thresholds, offset, start, column, first, last, missing, value, begin, end, patterns, steps):  # type: ignore[no-untyped-def]  # noqa: E501
    bins = np.empty(len(x), np.int32)
    for c in range(len(x)):
        bins[c] = _bin(x[c], thresholds, offset[c], offset[c + 1])
    holds = np.empty(len(column), np.int32)
    for i in range(len(column)):  # no branch: the compiler checks many conditions at once
        b = bins[column[i]]
        holds[i] = ((first[i] <= b) & (b <= last[i])) | (missing[i] & (b < 0))
    for leaf in range(len(value)):
        pattern = 0
        d = start[leaf + 1] - start[leaf]
        for i in range(d):
            pattern |= holds[start[leaf] + i] << i
        patterns[leaf] = pattern
        if pattern == (1 << d) - 1:
            steps[begin[leaf]] += value[leaf]
            steps[end[leaf]] -= value[leaf]


@njit(cache=True)
def _attribute(patterns, upto, start, column, begin, end, offset, cells, phi):  # type: ignore[no-untyped-def]
    share = np.empty(len(column))
    for leaf in range(len(patterns)):  # fetch first, add later: the fetches overlap
        first = start[leaf]
        d = start[leaf + 1] - first
        weight = upto[end[leaf]] - upto[begin[leaf]]
        row = offset[leaf] + patterns[leaf] * d
        for i in range(d):
            share[first + i] = weight * cells[row + i]
    lanes = np.zeros((4, len(phi)))  # four sums side by side: none waits for the last one
    for i in range(len(column)):
        lanes[i & 3, column[i]] += share[i]
    phi += lanes.sum(axis=0)


@njit(cache=True)
def _margins(bins, start, column, first, last, missing, value, begin, end, steps):  # type: ignore[no-untyped-def]
    for r in range(len(bins)):
        for leaf in range(len(value)):
            holds = True
            for i in range(start[leaf], start[leaf + 1]):
                b = bins[r, column[i]]
                if b < 0:
                    holds = missing[i]
                else:
                    holds = first[i] <= b <= last[i]
                if not holds:
                    break
            if holds:
                steps[r, begin[leaf]] += value[leaf]
                steps[r, end[leaf]] -= value[leaf]
