"""Many projects seen by the trees side by side: each leaf is fetched once for all of them.

These loops do what those of `tables.py` and `members.py` do for one project, to the last bit: for
every project the same numbers are added in the same order. Projects are the last axis, so that the
compiler makes vectors of the inner loops, and a leaf's table stays in the cache while all look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.leaves import Floats
from models.members import Members
from models.tables import Longs, Reading, Rows, Sieve, Tables

LANES = 32  # projects side by side: more would not fit into a core's cache with their leaves


@dataclass(frozen=True, eq=False)
class Readings:
    """At most `LANES` projects seen by the trees."""

    tables: Tables
    rows: Rows  # (leaves, n) where each leaf's row begins in the tables, by project
    margins: Floats  # (n, rows, K)

    @classmethod
    def of(cls, tables: Tables, x: Floats) -> Readings:
        """See projects (n, columns), encoded, NaN where missing."""
        boxes, (causes, buckets) = tables.boxes, tables.boxes.shape
        bins = np.ascontiguousarray(tables.bins(x).T.astype(np.int16))  # (columns, n)
        rows = np.empty((len(boxes.value), len(x)), np.uint32)
        steps = np.zeros((causes * (buckets + 1), len(x)))
        _read(bins, boxes.value, tables.sieve, rows, steps)
        ages = np.cumsum(steps.reshape(causes, buckets + 1, -1), axis=1)[:, :-1]
        margins = np.ascontiguousarray(np.moveaxis(ages, -1, 0)) + boxes.baseline
        return cls(tables, rows, margins)

    def __iter__(self) -> Iterator[Reading]:
        """Yield each project's own reading."""
        for row, margins in zip(self.rows.T, self.margins, strict=True):
            yield Reading(self.tables, row, margins)

    def contributions(self, weights: Floats) -> Floats:
        """Return (n, columns) each project's Shapley values, see `Reading.contributions`.

        Args:
            weights: (n, rows, K), finite.
        """
        sieve, n = self.tables.sieve, len(weights)
        lanes = np.zeros((sieve.slot.shape[1], self.tables.columns + 1, n))
        _attribute(self.rows, _upto(weights), sieve, self.tables.cells, lanes)
        phi = np.zeros((self.tables.columns, n))
        for lane in lanes:
            phi += lane[:-1]
        return np.ascontiguousarray(phi.T)

    def scores(self, members: Members, weights: Floats) -> Floats:
        """Return (n, members) the sums of each project's members, see `Members.scores`.

        Args:
            members: of the same tables.
            weights: (n, K) of the ages.
        """
        scores = np.zeros((len(members), len(weights)))
        upto = _upto(weights[:, None])
        own = (members.first, members.holds, members.value, members.begin, members.end)
        _scores(self.rows, upto, *own, scores)
        return scores.T


def _upto(weights: Floats) -> Floats:
    """Return (rows * (K + 1), n) the sums of weights (n, rows, K) before each age."""
    n, rows, buckets = weights.shape
    upto = np.zeros((rows, buckets + 1, n))
    np.cumsum(np.moveaxis(weights, 0, -1), axis=1, out=upto[:, 1:])
    return upto.reshape(-1, n)


@njit(cache=True)
def _holds(bins: NDArray[np.int16], sieve: Sieve, holds: NDArray[np.uint8]) -> None:
    """Check all conditions for all projects."""
    for c in range(len(bins)):
        of = bins[c]
        for i in range(sieve.run[c], sieve.run[c + 1]):
            first, last, missing = sieve.first[i], sieve.last[i], sieve.missing[i]
            for r in range(len(of)):
                b = of[r]
                holds[i, r] = ((first <= b) & (b <= last)) | (missing & (b < 0))
    holds[-1] = 1


@njit(cache=True)
def _read(bins: NDArray[np.int16], value: Floats, sieve: Sieve, rows: Rows, steps: Floats) -> None:
    """Note every leaf's table rows, and add the leaves that hold to the ages they hold in."""
    n, slot = rows.shape[1], sieve.slot
    holds = np.empty((len(sieve.first) + 1, n), np.uint8)
    _holds(bins, sieve, holds)
    everything = np.uint32((1 << slot.shape[1]) - 1)
    for leaf in range(len(rows)):
        row = rows[leaf]
        row[:] = 0
        for i in range(slot.shape[1]):
            held = holds[slot[leaf, i]]
            for r in range(n):
                row[r] |= np.uint32(held[r]) << np.uint32(i)
        begin, end = steps[sieve.begin[leaf]], steps[sieve.end[leaf]]
        depth, table = np.uint32(sieve.depth[leaf]), sieve.table[leaf]
        own = np.uint32((1 << depth) - 1)
        for r in range(n):
            amount = value[leaf] if row[r] == everything else 0.0
            begin[r] += amount
            end[r] -= amount
        for r in range(n):
            row[r] = table + (row[r] & own) * depth


@njit(cache=True)
def _attribute(rows: Rows, upto: Floats, sieve: Sieve, cells: Floats, lanes: Floats) -> None:
    """Add up the table rows, each weighted by the ages in which its leaf holds, by slot."""
    n, column = rows.shape[1], sieve.column
    weight = np.empty(n)
    for leaf in range(len(rows)):
        row, end, begin = rows[leaf], upto[sieve.end[leaf]], upto[sieve.begin[leaf]]
        for r in range(n):
            weight[r] = end[r] - begin[r]
        for i in range(len(lanes)):
            lane = lanes[i, column[leaf, i]]
            for r in range(n):
                lane[r] += weight[r] * cells[row[r] + np.uint32(i)]


@njit(cache=True)
def _scores(
    rows: Rows,
    upto: Floats,
    first: Longs,
    holds: Rows,
    value: Floats,
    begin: NDArray[np.uint16],
    end: NDArray[np.uint16],
    scores: Floats,
) -> None:
    """Add up the leaves that hold, each weighted by the ages in which it does, by member."""
    for member in range(len(scores)):
        score = scores[member]
        for leaf in range(first[member], first[member + 1]):
            row, upper, lower = rows[leaf], upto[end[leaf]], upto[begin[leaf]]
            for r in range(len(score)):
                weight = value[leaf] * (upper[r] - lower[r])
                score[r] += weight if row[r] == holds[leaf] else 0.0
