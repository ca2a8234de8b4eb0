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
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.breath import breathe
from models.groups import Dividends
from models.leaves import Boxes, Floats
from pricing.errors import ModelError

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Rows = NDArray[np.uint32]

AT_ONCE = 256  # rows of the background, between two breaths: some milliseconds
FACTORIALS = np.array([math.factorial(n) for n in range(20)], np.float64)


class Sieve(NamedTuple):
    """The leaves once more, as one look at a project needs them: conditions by column, and narrow.

    A condition that many leaves have stands here once. Every leaf has a slot for as many as the
    deepest has. What it lacks always holds, and counts for a column past the last. Numbers are as
    narrow as they can be, for all of it should fit beside the rest of a quote into a core's cache;
    places are unsigned, so that a compiled loop need not ask whether they count from the end.
    """

    run: Longs  # (columns + 1,) where each column's conditions begin
    first: NDArray[np.int16]  # (conditions,) lowest bin that passes, by column
    last: NDArray[np.int16]  # (conditions,) highest bin that passes
    missing: NDArray[np.bool_]  # (conditions,) whether a missing value passes
    slot: NDArray[np.uint32]  # (leaves, deepest) where a leaf's conditions stand
    column: NDArray[np.uint16]  # (leaves, deepest) whose they are
    depth: NDArray[np.uint8]  # (leaves,) how many there are
    table: NDArray[np.uint32]  # (leaves,) where the leaf's table begins
    begin: NDArray[np.uint16]  # (leaves,) of `Boxes`
    end: NDArray[np.uint16]  # (leaves,) of `Boxes`

    @classmethod
    def of(cls, boxes: Boxes, columns: int, row_of: Longs) -> Sieve:
        """Lay out all leaves.

        Raises:
            ModelError: a column has more thresholds than a narrow number counts.
        """
        most = int(boxes.last.max(initial=0))
        if most > np.iinfo(np.int16).max or row_of[-1] > np.iinfo(np.uint32).max:
            raise ModelError(f"a column must have at most 32767 bins, however: {most + 1}")
        ways = 1 + max(most, int(boxes.first.max(initial=0)))  # for a condition to begin or to end
        asked = (boxes.column.astype(np.int64) * ways + boxes.first) * ways + boxes.last
        _, one, place = np.unique(
            2 * asked + boxes.missing, return_index=True, return_inverse=True
        )  # of numbers, not of rows: that would hold Python's lock for long
        depth = np.diff(boxes.start)
        leaf = np.repeat(np.arange(len(depth)), depth)
        at = np.arange(len(leaf)) - boxes.start[:-1][leaf]
        shape = (len(depth), int(depth.max(initial=0)))
        slot = np.full(shape, len(one), np.uint32)
        column = np.full(shape, columns, np.uint16)
        slot[leaf, at], column[leaf, at] = place, boxes.column
        return cls(
            np.searchsorted(boxes.column[one], np.arange(columns + 1)).astype(np.int64),
            boxes.first[one].astype(np.int16),
            boxes.last[one].astype(np.int16),
            boxes.missing[one],
            slot,
            column,
            depth.astype(np.uint8),
            row_of[:-1].astype(np.uint32),
            boxes.begin.astype(np.uint16),
            boxes.end.astype(np.uint16),
        )


@dataclass(frozen=True)
class Reading:
    """One project seen by the trees: its margins, and what its columns contribute to them."""

    tables: Tables
    row: Rows  # (leaves,) where each leaf's row begins in the tables
    margins: Floats  # (rows, K)

    def contributions(self, weights: Floats) -> Floats:
        """Return the Shapley value of every column for sum(weights * margins).

        Args:
            weights: (rows, K), finite.

        Returns:
            (columns,); their sum is sum(weights * (margins - base)).
        """
        return self.tables.contributions(self.row, weights)


@dataclass(frozen=True)
class Tables:
    """The leaves of a model with their Shapley tables against one weighted background."""

    boxes: Boxes
    sieve: Sieve
    columns: int
    base: Floats  # (rows, K) mean margins of the background
    cells: Floats  # all tables, one leaf after the other, and a row of nothing
    row_of: Longs  # (leaves + 1,) where each leaf's table begins
    dividends: Dividends | None  # of groups of columns, where there are few enough

    @classmethod
    def build(
        cls, boxes: Boxes, background: Floats, weight: Floats, group: Longs | None = None
    ) -> Tables:
        """Count the background's patterns in every leaf and compute all tables.

        Args:
            boxes: the leaves.
            background: (rows, columns), encoded; NaN is missing.
            weight: (rows,), >= 0; doubling a weight equals repeating its row.
            group: (columns,) which group each is of, counted from 0; without it, none is told.
        """
        columns = background.shape[1]
        depth = np.diff(boxes.start)
        at = np.concatenate([[0], np.cumsum(2**depth)]).astype(np.int64)
        shares = np.zeros(int(at[-1]))
        row_of = np.concatenate([[0], np.cumsum(2**depth * depth)]).astype(np.int64)
        sieve = Sieve.of(boxes, columns, row_of)
        bins = _bins(np.ascontiguousarray(background), boxes)
        share = weight / weight.sum()
        for begin in range(0, len(bins), AT_ONCE):
            some = slice(begin, begin + AT_ONCE)
            _count_patterns(bins[some], share[some], sieve, at, shares)
            breathe()
        cells = np.zeros(int(row_of[-1]) + sieve.slot.shape[1])
        _fill(boxes, at, shares, FACTORIALS, row_of, cells)
        full = shares[at[1:] - 1] * boxes.value  # (leaves,) a leaf's mean over the background
        base = boxes.baseline + _over_ages(boxes, full)
        dividends = None if group is None else Dividends.build(boxes, group, at, shares)
        return cls(boxes, sieve, columns, base, cells, row_of, dividends)

    def read(self, x: Floats) -> Reading:
        """See one project: its row in every leaf's table, and the margins at all ages.

        Args:
            x: (columns,) encoded, NaN where missing.
        """
        rows, buckets = self.boxes.shape
        row = np.empty(len(self.boxes.value), np.uint32)
        steps = np.zeros(rows * (buckets + 1))
        boxes = self.boxes
        _read(x, boxes.thresholds, boxes.offset, boxes.value, self.sieve, row, steps)
        margins = np.cumsum(steps.reshape(rows, -1), axis=1)[:, :-1] + self.boxes.baseline
        return Reading(self, row, margins)

    def contributions(self, row: Rows, weights: Floats) -> Floats:
        """Return the columns' Shapley values of sum(weights * margins); see `Reading`."""
        rows, buckets = self.boxes.shape
        upto = np.zeros((rows, buckets + 1))
        np.cumsum(weights, axis=1, out=upto[:, 1:])
        phi = np.zeros(self.columns)
        _attribute(np.ascontiguousarray(row), upto.ravel(), self.sieve, self.cells, phi)
        return phi

    def group_dividends(self, row: Rows) -> Floats:
        """Return the dividends of all coalitions of groups, (2^G, rows, K); see `groups.py`.

        Args:
            row: of a `Reading`.
        """
        assert self.dividends is not None, "the model must have been built with few groups"
        sieve = self.sieve
        patterns = (row - sieve.table) // np.maximum(sieve.depth, 1)
        return self.dividends.of(patterns, sieve.begin, sieve.end, self.boxes.baseline)

    def bins(self, x: Floats) -> Ints:
        """Return the bins of many projects, -1 where missing: (n, columns) -> (n, columns)."""
        return _bins(np.ascontiguousarray(x), self.boxes)

    def margins(self, x: Floats) -> Floats:
        """Return the margins of many projects: (n, columns) -> (n, rows, K)."""
        rows, buckets = self.boxes.shape
        steps = np.zeros((len(x), rows * (buckets + 1)))
        _margins(self.bins(x), self.boxes, steps)
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


@njit(cache=True, nogil=True)  # seconds, while a server quotes
def _bins(x: Floats, boxes: Boxes) -> Ints:
    """Return the bins of many rows: (n, columns) -> (n, columns)."""
    bins = np.empty(x.shape, np.int32)
    for r in range(x.shape[0]):
        for c in range(x.shape[1]):
            bins[r, c] = _bin(x[r, c], boxes.thresholds, boxes.offset[c], boxes.offset[c + 1])
    return bins


@njit(cache=True)
def _holds(bins: Ints, sieve: Sieve, holds: NDArray[np.bool_]) -> None:
    """Check all conditions of one row: one value against all that is asked of its column."""
    for c in range(len(bins)):
        low, high = sieve.run[c], sieve.run[c + 1]
        first, last, held = sieve.first[low:high], sieve.last[low:high], holds[low:high]
        b = np.int16(bins[c])
        if b < 0:
            held[:] = sieve.missing[low:high]
        else:
            for i in range(len(held)):
                held[i] = (first[i] <= b) & (b <= last[i])
    holds[-1] = True


@njit(cache=True)
def _patterns(bins: Ints, sieve: Sieve, patterns: Rows) -> None:
    """Note for every leaf the bits of its slots that hold."""
    holds = np.empty(len(sieve.first) + 1, np.bool_)
    _holds(bins, sieve, holds)
    slot = sieve.slot
    for leaf in range(len(slot)):
        pattern = 0
        for i in range(slot.shape[1]):
            pattern |= int(holds[slot[leaf, i]]) << i
        patterns[leaf] = pattern


@njit(cache=True, nogil=True)  # seconds, while a server quotes
def _count_patterns(bins: Ints, weight: Floats, sieve: Sieve, at: Longs, shares: Floats) -> None:
    """Add every background row's weight to its pattern in every leaf."""
    patterns = np.empty(len(sieve.slot), np.uint32)
    for r in range(len(bins)):
        _patterns(bins[r], sieve, patterns)
        for leaf in range(len(patterns)):
            size = at[leaf + 1] - at[leaf]  # 2^d, where slots past d always hold
            shares[at[leaf] + (patterns[leaf] & (size - 1))] += weight[r]


@njit(cache=True, nogil=True)  # seconds, while a server quotes
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
def _read(
    x: Floats,
    thresholds: Floats,
    offset: Longs,
    value: Floats,
    sieve: Sieve,
    row: Rows,
    steps: Floats,
) -> None:
    """Note every leaf's table row, and add the leaves that hold to the ages they hold in."""
    bins = np.empty(len(x), np.int32)
    for c in range(len(x)):
        bins[c] = _bin(x[c], thresholds, offset[c], offset[c + 1])
    _patterns(bins, sieve, row)
    everything = (1 << sieve.slot.shape[1]) - 1
    table, depth, begin, end = sieve.table, sieve.depth, sieve.begin, sieve.end
    for leaf in range(len(row)):
        pattern, d = int(row[leaf]), int(depth[leaf])
        row[leaf] = table[leaf] + (pattern & ((1 << d) - 1)) * d
        if pattern == everything:
            steps[begin[leaf]] += value[leaf]
            steps[end[leaf]] -= value[leaf]


@njit(cache=True)
def _attribute(row: Rows, upto: Floats, sieve: Sieve, cells: Floats, phi: Floats) -> None:
    """Add up the table rows, each weighted by the ages in which its leaf holds."""
    begin, end, column = sieve.begin, sieve.end, sieve.column
    deepest = column.shape[1]
    lanes = np.zeros((deepest, len(phi) + 1))  # a slot each: none waits for another's sum
    for leaf in range(len(row)):
        weight = upto[end[leaf]] - upto[begin[leaf]]
        for i in range(deepest):
            lanes[i, column[leaf, i]] += weight * cells[row[leaf] + np.uint32(i)]
    for i in range(deepest):
        phi += lanes[i, :-1]


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
