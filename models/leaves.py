"""Every leaf of a bag of LightGBM hazard trees, as a box in the columns over a range of ages.

A hazard booster sees the columns and, last, the index of the age bucket. Age is the contract's
time axis: always known, never a reason. So each leaf's splits on age are dropped and kept as the
range of buckets they allow, and what remains on every real column is one interval and whether a
missing value passes. One look at all boxes then gives the margins at every age.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import lightgbm
import numpy as np
from numpy.typing import NDArray

from pricing.errors import ModelError

Floats = NDArray[np.float64]

MAX_COLUMNS_PER_LEAF = 8  # tables hold 2^d rows a leaf


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


@dataclass
class Condition:
    """What a leaf asks of one column: low < value <= high, and whether missing passes."""

    low: float = -math.inf
    high: float = math.inf
    missing: bool = True

    def narrow(self, node: Mapping[str, Any], *, left: bool) -> None:
        """Follow one split to its left or right child, as LightGBM decides it."""
        threshold = float(node["threshold"])
        if node["missing_type"] == "NaN":
            missing_left = bool(node["default_left"])
        else:  # "None": the column never was missing in training, LightGBM reads NaN as 0.0
            missing_left = threshold >= 0.0
        self.missing &= missing_left == left
        if left:
            self.high = min(self.high, threshold)
        else:
            self.low = max(self.low, threshold)


@dataclass(frozen=True)
class Leaf:
    """A value that holds in a box of columns, over age buckets [age_from, age_to)."""

    value: float
    conditions: dict[int, Condition]
    age_from: int
    age_to: int


def leaves_of(text: str, *, columns: int, buckets: int) -> Iterator[Leaf]:
    """Yield the leaves of a booster, sliced by age; boxes that no row can reach are left out.

    Args:
        text: LightGBM's model text; must have been verified before (its parser trusts its input).
        columns: p, the number of real columns; column index p is the age bucket.
        buckets: K, the number of age buckets.

    Raises:
        ModelError: a split is not of the form "<=", or treats zero as missing.
    """
    dump = lightgbm.Booster(model_str=text).dump_model()
    for tree in dump["tree_info"]:
        yield from _descend(tree["tree_structure"], [], columns, buckets)


def _descend(
    node: Mapping[str, Any], path: list[tuple[Mapping[str, Any], bool]], columns: int, buckets: int
) -> Iterator[Leaf]:
    if "split_feature" not in node:
        leaf = _box(float(node["leaf_value"]), path, columns, buckets)
        if leaf is not None:
            yield leaf
        return
    if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
        kind = f"{node['decision_type']}, missing_type {node['missing_type']}"
        raise ModelError(f"splits must be '<=' with missing_type None or NaN, however: {kind}")
    yield from _descend(node["left_child"], [*path, (node, True)], columns, buckets)
    yield from _descend(node["right_child"], [*path, (node, False)], columns, buckets)


def _box(
    value: float, path: Sequence[tuple[Mapping[str, Any], bool]], columns: int, buckets: int
) -> Leaf | None:
    conditions: dict[int, Condition] = {}
    age_from, age_to = 0, buckets
    for node, left in path:
        column = int(node["split_feature"])
        if column == columns:
            cut = math.floor(float(node["threshold"])) + 1  # buckets 0 .. cut-1 go left
            age_from, age_to = (
                (age_from, min(age_to, cut)) if left else (max(age_from, cut), age_to)
            )
        else:
            conditions.setdefault(column, Condition()).narrow(node, left=left)
    if age_from >= age_to:
        return None
    if len(conditions) > MAX_COLUMNS_PER_LEAF:
        raise ModelError(
            f"a leaf must use at most {MAX_COLUMNS_PER_LEAF} columns, however: {len(conditions)}"
        )
    return Leaf(value, conditions, age_from, age_to)


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
    placed: list[tuple[Leaf, float, int]] = []  # leaf, value, row
    for row, bag in enumerate(bags):
        for text in bag.boosters if bag else ():
            share = bag.share / len(bag.boosters) if bag else 0.0
            for leaf in leaves_of(text, columns=columns, buckets=buckets):
                placed.append((leaf, leaf.value * share, row))
    cuts = [_cuts(placed, column) for column in range(columns)]
    conditions = [
        (column, condition)
        for leaf, _, _ in placed
        for column, condition in sorted(leaf.conditions.items())
    ]
    width = buckets + 1
    depth = np.array([len(leaf.conditions) for leaf, _, _ in placed], np.int64)
    return Boxes(
        start=np.concatenate([[0], np.cumsum(depth)]),
        column=np.array([column for column, _ in conditions], np.int32),
        first=np.array([_bin(cuts[c], at.low) for c, at in conditions], np.int32),
        last=np.array([_bin(cuts[c], at.high) - 1 for c, at in conditions], np.int32),
        missing=np.array([at.missing for _, at in conditions], np.bool_),
        value=np.array([value for _, value, _ in placed], np.float64),
        begin=np.array([row * width + leaf.age_from for leaf, _, row in placed], np.int64),
        end=np.array([row * width + leaf.age_to for leaf, _, row in placed], np.int64),
        thresholds=np.concatenate([np.empty(0), *cuts]),
        offset=np.cumsum([0, *(len(cut) for cut in cuts)], dtype=np.int64),
        baseline=np.array(
            [
                np.full(buckets, constant) if bag is None else bag.share * bag.baseline
                for bag, constant in zip(bags, absent, strict=True)
            ]
        ),
    )


def _cuts(placed: Sequence[tuple[Leaf, float, int]], column: int) -> Floats:
    ends = (
        end
        for leaf, _, _ in placed
        if column in leaf.conditions
        for end in (leaf.conditions[column].low, leaf.conditions[column].high)
    )
    return np.array(sorted({end for end in ends if math.isfinite(end)}), np.float64)


def _bin(cuts: Floats, end: float) -> int:
    """Return the bin just above `end`: values in (end, next cut] fall into it.

    For a low end that is the first bin that passes; for a high end, one past the last.
    """
    if end == -math.inf:
        return 0
    return len(cuts) + 1 if end == math.inf else int(np.searchsorted(cuts, end, side="left")) + 1
