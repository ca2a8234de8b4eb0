"""Exact interventional Shapley values of all leaves, looked up in tables.

A leaf with d columns is a product game: with a_i = 1 where the request satisfies the leaf's
condition on column i, and b_i the same for a row of the background,

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

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.leaves import Boxes, Floats

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

FACTORIALS = np.array([math.factorial(n) for n in range(20)], np.float64)


@dataclass(frozen=True)
class Reading:
    """One project seen by the trees: its margins, and what its columns contribute to them."""

    tables: Tables
    shift: Longs  # (leaves,) from the number of a condition to its value in the tables
    margins: Floats  # (rows, K)

    def contributions(self, weights: Floats) -> Floats:
        """Return the Shapley value of every column for sum(weights * margins).

        Args:
            weights: (rows, K), finite.

        Returns:
            (columns,); their sum is sum(weights * (margins - base)).
        """
        return self.tables.contributions(self.shift, weights)


@dataclass(frozen=True)
class Tables:
    """The leaves of a model with their Shapley tables against one weighted background."""

    boxes: Boxes
    columns: int
    base: Floats  # (rows, K) mean margins of the background
    cells: Floats  # all tables, one leaf after the other
    row_of: Longs  # (leaves + 1,) where each leaf's table begins

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
        bins = _bins(np.ascontiguousarray(background), boxes)
        _count_patterns(bins, weight / weight.sum(), boxes, at, shares)
        row_of = np.concatenate([[0], np.cumsum(2**depth * depth)]).astype(np.int64)
        cells = np.zeros(int(row_of[-1]))
        _fill(boxes, at, shares, FACTORIALS, row_of, cells)
        full = shares[at[1:] - 1] * boxes.value  # (leaves,) a leaf's mean over the background
        return cls(boxes, columns, boxes.baseline + _over_ages(boxes, full), cells, row_of)

    def read(self, x: Floats) -> Reading:
        """See one project: its row in every leaf's table, and the margins at all ages.

        Args:
            x: (columns,) encoded, NaN where missing.
        """
        rows, buckets = self.boxes.shape
        shift = np.empty(len(self.boxes.value), np.int64)
        steps = np.zeros(rows * (buckets + 1))
        _read(x, self.boxes, self.row_of, shift, steps)
        margins = np.cumsum(steps.reshape(rows, -1), axis=1)[:, :-1] + self.boxes.baseline
        return Reading(self, shift, margins)

    def contributions(self, shift: Longs, weights: Floats) -> Floats:
        """Return the columns' Shapley values of sum(weights * margins); see `Reading`."""
        rows, buckets = self.boxes.shape
        upto = np.zeros((rows, buckets + 1))
        np.cumsum(weights, axis=1, out=upto[:, 1:])
        phi = np.zeros(self.columns)
        _attribute(shift, upto.ravel(), self.boxes, self.cells, phi)
        return phi

    def margins(self, x: Floats) -> Floats:
        """Return the margins of many projects: (n, columns) -> (n, rows, K)."""
        rows, buckets = self.boxes.shape
        steps = np.zeros((len(x), rows * (buckets + 1)))
        _margins(_bins(np.ascontiguousarray(x), self.boxes), self.boxes, steps)
        ages = np.cumsum(steps.reshape(len(x), rows, -1), axis=2)[:, :, :-1]
        return np.asarray(ages + self.boxes.baseline)


def _over_ages(boxes: Boxes, amount: Floats) -> Floats:
    """Add each leaf's amount to the ages in which it holds: (leaves,) -> (rows, K)."""
    rows, buckets = boxes.shape
    steps = np.zeros(rows * (buckets + 1))
    np.add.at(steps, boxes.begin, amount)
    np.add.at(steps, boxes.end, -amount)
    return np.asarray(np.cumsum(steps.reshape(rows, -1), axis=1)[:, :-1])


@njit(cache=True)
def _bin(value: float, thresholds: Floats, low: int, high: int) -> int:
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
def _bins(x: Floats, boxes: Boxes) -> Ints:
    """Return the bins of many rows: (n, columns) -> (n, columns)."""
    bins = np.empty(x.shape, np.int32)
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            bins[r, c] = _bin(x[r, c], boxes.thresholds, boxes.offset[c], boxes.offset[c + 1])
    return bins


@njit(cache=True)
def _holds(bins: Ints, boxes: Boxes, holds: Ints) -> None:
    """Check all conditions of one row; without a branch, so that many are checked at once."""
    for i in range(len(boxes.column)):
        b = bins[boxes.column[i]]
        holds[i] = ((boxes.first[i] <= b) & (b <= boxes.last[i])) | (boxes.missing[i] & (b < 0))


@njit(cache=True)
def _pattern(leaf: int, boxes: Boxes, holds: Ints) -> int:
    """Return the bits of the leaf's conditions that hold."""
    pattern = 0
    start = boxes.start[leaf]
    for i in range(boxes.start[leaf + 1] - start):
        pattern |= holds[start + i] << i
    return pattern


@njit(cache=True)
def _count_patterns(bins: Ints, weight: Floats, boxes: Boxes, at: Longs, shares: Floats) -> None:
    """Add every background row's weight to its pattern in every leaf."""
    holds = np.empty(len(boxes.column), np.int32)
    for r in range(len(bins)):
        _holds(bins[r], boxes, holds)
        for leaf in range(len(boxes.value)):
            shares[at[leaf] + _pattern(leaf, boxes, holds)] += weight[r]


@njit(cache=True)
def _fill(
    boxes: Boxes, at: Longs, shares: Floats, orders: Floats, row_of: Longs, cells: Floats
) -> None:
    """Fill each leaf's table: for every pattern a of a request, sum over background patterns b."""
    for leaf in range(len(boxes.value)):
        d = boxes.start[leaf + 1] - boxes.start[leaf]
        size = 1 << d
        for b in range(size):
            p = shares[at[leaf] + b] * boxes.value[leaf]
            if p == 0.0:
                continue
            for a in range(size):
                if a | b != size - 1 or a == b:
                    continue  # a column where neither holds, or nothing to share
                u, v = 0, 0
                for i in range(d):
                    u += (a & ~b) >> i & 1
                    v += (b & ~a) >> i & 1
                row = row_of[leaf] + a * d
                for i in range(d):
                    if (a & ~b) >> i & 1:
                        cells[row + i] += p * orders[u - 1] * orders[v] / orders[u + v]
                    elif (b & ~a) >> i & 1:
                        cells[row + i] -= p * orders[u] * orders[v - 1] / orders[u + v]


@njit(cache=True)
def _read(x: Floats, boxes: Boxes, row_of: Longs, shift: Longs, steps: Floats) -> None:
    """Note every leaf's table row, and add the leaves that hold to the ages they hold in."""
    holds = np.empty(len(boxes.column), np.int32)
    bins = np.empty(len(x), np.int32)
    for c in range(len(x)):
        bins[c] = _bin(x[c], boxes.thresholds, boxes.offset[c], boxes.offset[c + 1])
    _holds(bins, boxes, holds)
    for leaf in range(len(boxes.value)):
        pattern = _pattern(leaf, boxes, holds)
        start = boxes.start[leaf]
        d = boxes.start[leaf + 1] - start
        shift[leaf] = row_of[leaf] + pattern * d - start
        if pattern == (1 << d) - 1:
            steps[boxes.begin[leaf]] += boxes.value[leaf]
            steps[boxes.end[leaf]] -= boxes.value[leaf]


@njit(cache=True)
def _attribute(shift: Longs, upto: Floats, boxes: Boxes, cells: Floats, phi: Floats) -> None:
    """Add up the table rows, each weighted by the ages in which its leaf holds."""
    weight = upto[boxes.end] - upto[boxes.begin]  # (leaves,)
    lanes = np.zeros((4, len(phi)))  # four sums side by side: none waits for the last one
    for i in range(len(boxes.column)):
        leaf = boxes.leaf[i]
        lanes[i & 3, boxes.column[i]] += weight[leaf] * cells[shift[leaf] + i]
    phi += lanes.sum(axis=0)


@njit(cache=True)
def _margins(bins: Ints, boxes: Boxes, steps: Floats) -> None:
    """Add the leaves that hold to the ages they hold in, for many rows."""
    for r in range(len(bins)):
        for leaf in range(len(boxes.value)):
            holds = True
            for i in range(boxes.start[leaf], boxes.start[leaf + 1]):
                b = bins[r, boxes.column[i]]
                holds = boxes.missing[i] if b < 0 else boxes.first[i] <= b <= boxes.last[i]
                if not holds:
                    break
            if holds:
                steps[r, boxes.begin[leaf]] += boxes.value[leaf]
                steps[r, boxes.end[leaf]] -= boxes.value[leaf]
