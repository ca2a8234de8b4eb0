"""Every leaf of a bag of LightGBM hazard trees, as a box in the columns over a range of ages.

A hazard booster sees the columns and, last, the index of the age bucket. Age is the contract's
time axis: always known, never a reason. So each leaf's splits on age are dropped and kept as the
range of buckets they allow, and what remains on every real column is one interval and whether a
missing value passes. One look at all boxes then gives the margins at every age.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.booster import Trees, trees
from models.breath import breathe
from pricing.errors import ModelError

Floats = NDArray[np.float64]
Longs = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAX_COLUMNS_PER_LEAF = 8  # tables hold 2^d rows a leaf
TOO_MANY, BROKEN = -1, -2  # why a booster has no leaves


@dataclass(frozen=True)
class Bag:
    """The members of one cause's model.

    Attributes:
        boosters: LightGBM's own text, one a member; the last column is the age bucket's index.
        baseline: (K,) added to every margin; LightGBM does not add `init_score` back by itself.
        share: of the margin that the trees speak for, in (0, 1]; a network speaks for the rest.
    """

    boosters: tuple[str, ...]
    baseline: Floats
    share: float = 1.0


class Leaves(NamedTuple):
    """The leaves of a booster, each a value in a box of columns, over a range of age buckets.

    A leaf asks of a column low < value <= high, or that it be missing where `missing` is set.
    """

    value: Floats  # (leaves,)
    age_from: Longs  # (leaves,) first age bucket
    age_to: Longs  # (leaves,) one past the last
    depth: Longs  # (leaves,) how many conditions
    column: NDArray[np.int32]  # (conditions,) ascending within a leaf
    low: Floats  # (conditions,)
    high: Floats  # (conditions,)
    missing: Bools  # (conditions,)


NOTHING = Leaves(
    value=np.empty(0),
    age_from=np.empty(0, np.int64),
    age_to=np.empty(0, np.int64),
    depth=np.empty(0, np.int64),
    column=np.empty(0, np.int32),
    low=np.empty(0),
    high=np.empty(0),
    missing=np.empty(0, np.bool_),
)


def leaves_of(text: str, *, columns: int, buckets: int) -> Leaves:
    """Return the leaves of a booster, sliced by age; boxes that no row can reach are left out.

    Args:
        text: LightGBM's model text.
        columns: p, the number of real columns; column index p is the age bucket.
        buckets: K, the number of age buckets.

    Raises:
        ModelError: it is no booster of such columns, or a leaf asks for too many of them.
    """
    found = trees(text)
    if ((found.feature < 0) | (found.feature > columns)).any():
        raise ModelError(f"a booster must ask for {columns} columns and the age, however: others")
    most, slots = len(found.value), len(found.value) * MAX_COLUMNS_PER_LEAF
    value, ages, depth = np.empty(most), np.empty((2, most), np.int64), np.empty(most, np.int64)
    column, ends = np.empty(slots, np.int32), np.empty((2, slots))
    missing = np.empty(slots, np.bool_)
    count = _descend(found, columns, buckets, value, ages, depth, column, ends, missing)
    if count == BROKEN:
        raise ModelError("a tree must be one, however: its nodes do not hang together")
    if count == TOO_MANY:
        said = f"a leaf must use at most {MAX_COLUMNS_PER_LEAF} columns"
        raise ModelError(f"{said}, however: one uses more")
    n = int(depth[:count].sum())
    (age_from, age_to), (low, high) = ages[:, :count], ends[:, :n]
    return Leaves(
        value[:count], age_from, age_to, depth[:count], column[:n], low, high, missing[:n]
    )


class Boxes(NamedTuple):
    """All leaves of all causes as flat arrays, the form the compiled loops read.

    Leaf l owns conditions start[l] .. start[l+1]. Values are compared by bin: the bin of x in a
    column is the number of that column's thresholds below x, and -1 where x is missing.
    """

    start: NDArray[np.int64]  # (leaves + 1,)
    column: NDArray[np.int32]  # (conditions,)
    first: NDArray[np.int32]  # (conditions,) lowest bin that passes
    last: NDArray[np.int32]  # (conditions,) highest bin that passes
    missing: NDArray[np.bool_]  # (conditions,) whether a missing value passes
    value: Floats  # (leaves,)
    begin: NDArray[np.int64]  # (leaves,) row * (K + 1) + first age bucket
    end: NDArray[np.int64]  # (leaves,) row * (K + 1) + last age bucket + 1
    thresholds: Floats  # all columns' sorted thresholds, one after the other
    offset: NDArray[np.int64]  # (columns + 1,) where each column's thresholds begin
    baseline: Floats  # (rows, K)
    booster: NDArray[np.int64]  # (boosters + 1,) where each booster's leaves begin

    @property
    def shape(self) -> tuple[int, int]:
        """Return (rows, K), the shape of the margins."""
        rows, buckets = self.baseline.shape
        return int(rows), int(buckets)


def boxes(
    bags: Sequence[Bag | None], *, columns: int, buckets: int, absent: Sequence[float]
) -> Boxes:
    """Lay out the leaves of one bag a margin row; a bag's members are averaged.

    Args:
        bags: one a row of the margins; None where the data has no such cause.
        columns: p, the number of real columns.
        buckets: K, the number of age buckets.
        absent: the constant margin of each row that has no bag.
    """
    rows, shares, found = [0], [0.0], [NOTHING]
    for row, bag in enumerate(bags):
        for text in bag.boosters if bag else ():
            rows.append(row)
            shares.append(bag.share / len(bag.boosters) if bag else 0.0)
            found.append(leaves_of(text, columns=columns, buckets=buckets))
            breathe()
    laid = Leaves(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    counts = [len(leaves.value) for leaves in found]
    before = np.repeat(np.array(rows, np.int64) * (buckets + 1), counts)
    cuts = [_cuts(laid, column) for column in range(columns)]
    first, last = _bins(laid, cuts)
    return Boxes(
        start=np.concatenate([[0], np.cumsum(laid.depth)]),
        column=laid.column,
        first=first,
        last=last,
        missing=laid.missing,
        value=laid.value * np.repeat(shares, counts),
        begin=before + laid.age_from,
        end=before + laid.age_to,
        thresholds=np.concatenate([np.empty(0), *cuts]),
        offset=np.cumsum([0, *(len(cut) for cut in cuts)], dtype=np.int64),
        baseline=np.array(
            [
                np.full(buckets, constant) if bag is None else bag.share * bag.baseline
                for bag, constant in zip(bags, absent, strict=True)
            ]
        ),
        booster=np.cumsum(counts, dtype=np.int64),
    )


def _cuts(laid: Leaves, column: int) -> Floats:
    """Return the thresholds of a column, ascending."""
    own = laid.column == column
    ends = np.unique(np.concatenate([laid.low[own], laid.high[own]]))
    return np.asarray(ends[np.isfinite(ends)])


def _bins(laid: Leaves, cuts: Sequence[Floats]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the lowest and the highest bin that passes each condition.

    Values in (end, next cut] fall into the bin just above `end`.
    """
    first = np.zeros(len(laid.column), np.int32)
    last = np.zeros(len(laid.column), np.int32)
    for column, own in enumerate(cuts):
        at = laid.column == column
        low, high = laid.low[at], laid.high[at]
        first[at] = np.where(low == -math.inf, 0, np.searchsorted(own, low) + 1)
        last[at] = np.searchsorted(own, high)
    return first, last


@njit(cache=True, nogil=True)
def _descend(
    trees: Trees,
    columns: int,
    buckets: int,
    value: Floats,
    ages: Longs,
    depth: Longs,
    column: NDArray[np.int32],
    ends: Floats,
    missing: Bools,
) -> int:
    """Walk all trees, left before right, and note every leaf that a row can reach; count them."""
    leaves, at, most = 0, 0, MAX_COLUMNS_PER_LEAF
    for tree in range(len(trees.node_of) - 1):
        first = trees.node_of[tree]
        nodes = trees.node_of[tree + 1] - first
        waiting = np.empty((2 * nodes + 3, 2), np.int64)  # a node or leaf, steps from the root
        path = np.empty((2 * nodes + 2, 2), np.int64)  # a node, 0 for left of it and 1 for right
        waiting[0, 0], waiting[0, 1] = (0 if nodes else -1), 0
        top, met = 1, 0
        while top:
            top, met = top - 1, met + 1
            here, steps = waiting[top, 0], waiting[top, 1]
            if met > 2 * nodes + 1:
                return BROKEN
            if steps:
                path[steps - 1, 1] += 1  # 0 is left, and is met first
            if here >= 0:
                path[steps, 0], path[steps, 1] = first + here, -1
                waiting[top, 0] = trees.right[first + here]
                waiting[top + 1, 0] = trees.left[first + here]
                waiting[top : top + 2, 1] = steps + 1
                top += 2
                continue
            _ages(trees, path[:steps], columns, buckets, ages[:, leaves])
            if ages[0, leaves] >= ages[1, leaves]:
                continue
            room = slice(at, at + most)
            n = _narrow(trees, path[:steps], columns, column[room], ends[:, room], missing[room])
            if n == TOO_MANY:
                return TOO_MANY
            value[leaves], depth[leaves] = trees.value[trees.leaf_of[tree] - 1 - here], n
            leaves, at = leaves + 1, at + n
        if met != 2 * nodes + 1:
            return BROKEN
    return leaves


@njit(cache=True)
def _ages(trees: Trees, path: Longs, columns: int, buckets: int, ages: Longs) -> None:
    """Follow the splits on age to a leaf."""
    ages[0], ages[1] = 0, buckets
    for step in range(len(path)):
        node, right = path[step, 0], path[step, 1] == 1
        if trees.feature[node] == columns:
            threshold = min(max(trees.threshold[node], -1.0), float(buckets))
            cut = math.floor(threshold) + 1  # buckets 0 .. cut-1 go left
            if right:
                ages[0] = max(ages[0], cut)
            else:
                ages[1] = min(ages[1], cut)


@njit(cache=True)
def _narrow(
    trees: Trees,
    path: Longs,
    columns: int,
    column: NDArray[np.int32],
    ends: Floats,
    missing: Bools,
) -> int:
    """Follow the splits on columns to a leaf; return how many there are."""
    n = 0
    for step in range(len(path)):
        node, right = path[step, 0], path[step, 1] == 1
        of = trees.feature[node]
        if of == columns:
            continue
        slot = 0
        while slot < n and column[slot] < of:
            slot += 1
        if slot == n or column[slot] != of:
            if n == len(column):
                return TOO_MANY
            for i in range(n, slot, -1):
                column[i], missing[i] = column[i - 1], missing[i - 1]
                ends[:, i] = ends[:, i - 1]
            column[slot], missing[slot] = of, True
            ends[0, slot], ends[1, slot] = -math.inf, math.inf
            n += 1
        missing[slot] &= trees.missing_left[node] != right
        if right:
            ends[0, slot] = max(ends[0, slot], trees.threshold[node])
        else:
            ends[1, slot] = min(ends[1, slot], trees.threshold[node])
    return n
