"""LightGBM's own text of a booster, read as numbers, without LightGBM.

    tree ... version=v4 ... tree_sizes=1009 1004
    Tree=0
    num_leaves=3
    split_feature=26 18          a node's column
    threshold=0.6 1085479.0      it goes left where value <= threshold
    decision_type=2 8            bit 0: categorical, bit 1: missing goes left, bits 2 and 3: what
                                 is missing, 0 nothing, 1 zero, 2 NaN
    left_child=1 -1              a node, or -1 less the number of a leaf; likewise right_child
    leaf_value=0.1 -0.2 0.3
    ... end of trees

LightGBM's parser trusts its input: a damaged text ends the process, and a large one holds Python's
lock for a second. This one refuses what it does not understand, and takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pricing.errors import ModelError

VERSION = "v4"
CATEGORICAL, DEFAULT_LEFT, MISSING_BITS = 1, 2, 2
ZERO, NAN = 1, 2  # what is missing
FAR = 1e300  # stands for a threshold at infinity, as in what LightGBM dumps


class Trees(NamedTuple):
    """The trees of a booster, one after the other; nodes and leaves count from each tree's own."""

    node_of: NDArray[np.int64]  # (trees + 1,) where each tree's nodes begin
    leaf_of: NDArray[np.int64]  # (trees + 1,) where each tree's leaves begin
    feature: NDArray[np.int64]  # (nodes,)
    threshold: NDArray[np.float64]  # (nodes,)
    missing_left: NDArray[np.bool_]  # (nodes,) whether a missing value goes left
    left: NDArray[np.int64]  # (nodes,) a node, or -1 less a leaf
    right: NDArray[np.int64]  # (nodes,)
    value: NDArray[np.float64]  # (leaves,)


def trees(text: str) -> Trees:
    """Return the trees of a booster's text.

    Raises:
        ModelError: it is cut or altered, or has splits of another kind than "<=".
    """
    head, *parts = text.partition("\nend of trees")[0].split("\nTree=")
    if "\nend of trees" not in text or f"\nversion={VERSION}\n" not in f"{head}\n":
        raise ModelError(
            f"a booster must be a whole text of LightGBM's {VERSION}, however: it is not"
        )
    sizes = _fields(head).get("tree_sizes", "").split()
    if len(sizes) != len(parts):
        raise ModelError(f"a booster must have {len(sizes)} trees, however: {len(parts)}")
    try:
        found = [_tree(_fields(part)) for part in parts]
    except (KeyError, ValueError, OverflowError) as error:
        raise ModelError(f"a booster's text must hold numbers, however: {error!r}") from None
    return _joined(found)


class _Tree(NamedTuple):
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    decision: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    value: NDArray[np.float64]


def _fields(part: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in part.split("\n") if "=" in line)


def _tree(fields: Mapping[str, str]) -> _Tree:
    """Return a tree of its lines.

    Raises:
        ModelError: their lengths are not those of a tree, or it is of another kind.
    """
    if fields["num_cat"] != "0" or fields["is_linear"] != "0":
        raise ModelError("trees must have constant leaves and no categories, however: they do not")
    leaves = int(fields["num_leaves"])
    tree = _Tree(
        _wholes(fields, "split_feature"),
        _numbers(fields, "threshold"),
        _wholes(fields, "decision_type"),
        _wholes(fields, "left_child"),
        _wholes(fields, "right_child"),
        _numbers(fields, "leaf_value"),
    )
    lengths = [len(one) for one in tree]
    if lengths != [leaves - 1] * 5 + [leaves] or not leaves:
        raise ModelError(f"a tree of {leaves} leaves must have its nodes, however: {lengths}")
    return tree


def _numbers(fields: Mapping[str, str], name: str) -> NDArray[np.float64]:
    return np.array([float(number) for number in fields.get(name, "").split()], np.float64)


def _wholes(fields: Mapping[str, str], name: str) -> NDArray[np.int64]:
    return np.array([int(number) for number in fields.get(name, "").split()], np.int64)


def _joined(found: list[_Tree]) -> Trees:
    """Lay trees one after the other.

    Raises:
        ModelError: a number is not finite, a child is none, or zero counts as missing.
    """
    nodes = np.cumsum([0, *(len(tree.feature) for tree in found)], dtype=np.int64)
    leaves = np.cumsum([0, *(len(tree.value) for tree in found)], dtype=np.int64)
    if not found:
        raise ModelError("a booster must have trees, however: none")
    feature, threshold, decision, left, right, value = map(np.concatenate, zip(*found, strict=True))
    if np.isnan(threshold).any() or not np.isfinite(value).all():
        raise ModelError("thresholds and leaves must be numbers, however: some are not")
    own = np.repeat(np.diff(nodes), np.diff(nodes))  # nodes of a node's own tree
    for child in (left, right):
        if ((child < -own - 1) | (child >= own)).any():
            raise ModelError("a child must be a node or a leaf of its tree, however: it is not")
    missing = decision >> MISSING_BITS
    if ((decision & CATEGORICAL != 0) | (missing == ZERO) | (missing > NAN)).any():
        kinds = sorted(set(decision.tolist()))
        raise ModelError(
            f"splits must be '<=' with missing_type None or NaN, however: decision_type {kinds}"
        )
    missing_left = np.where(missing == NAN, decision & DEFAULT_LEFT != 0, threshold >= 0.0)
    return Trees(
        nodes, leaves, feature, threshold.clip(-FAR, FAR), missing_left, left, right, value
    )
