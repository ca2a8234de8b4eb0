"""What every coalition of business groups makes of the margins, exactly and at once.

The game of a leaf over the k groups of its columns is again a product game: a group holds where all
its conditions do. With A the groups that hold for the request, B those that hold for a row of the
background, p(B) its weighted share and N all k of them, a coalition S is worth v where every group
holds that is in S and A, or in neither. Written as a sum over subsets, by their dividends,

    v(S) = sum_{T in S} d(T),     d(T) = (-1)^|T less A|  v p(N less (T and A))

so 2^k numbers a leaf, made once when the model is loaded, hold the dividends of every request.
Added up over the leaves of all trees, and with those of a network, whose terms have one group or
two, one pass over the subsets (the zeta transform) turns them into the mean margins of all
coalitions.

Source: Harsanyi (1963), A Simplified Bargaining Model for the n-Person Cooperative Game, for the
dividends; Yates (1937) for the pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.leaves import Boxes, Floats

Longs = NDArray[np.int64]
Rows = NDArray[np.uint32]

MOST_GROUPS = 12  # all coalitions are priced: 2^12 of them, and as many again with the overlay
SIGNS = np.array([(-1.0) ** subset.bit_count() for subset in range(256)])


@dataclass(frozen=True)
class Dividends:
    """The dividends of every leaf, for every request; places count from a leaf's own beginning.

    A leaf's groups are numbered as its columns first name them: bit 0 is the first column's.
    """

    players: int  # G, of the whole model
    subset_of: Longs  # (leaves + 1,) where the subsets of each leaf's groups begin
    amount: Floats  # v p(B), by B
    coalition: NDArray[np.uint16]  # the subset, as bits of the model's groups
    pattern_of: Longs  # (leaves + 1,) where the patterns of each leaf's columns begin
    holds: NDArray[np.uint8]  # A, by the pattern of the columns

    @classmethod
    def build(cls, boxes: Boxes, group: Longs, at: Longs, shares: Floats) -> Dividends | None:
        """Add up the background's patterns by group; None for more groups than can be priced.

        Args:
            boxes: the leaves.
            group: (columns,) which group each column is of, counted from 0.
            at: (leaves + 1,) where each leaf's patterns begin.
            shares: of the background, by pattern.
        """
        players = int(group.max(initial=-1)) + 1
        if players > MOST_GROUPS:
            return None
        groups = np.zeros(len(boxes.value), np.int64)
        local = np.zeros(len(boxes.column), np.uint8)
        _number(boxes.start, group[boxes.column], groups, local)
        subset_of = np.concatenate([[0], np.cumsum(2**groups)]).astype(np.int64)
        amount = np.zeros(int(subset_of[-1]))
        coalition = np.zeros(len(amount), np.uint16)
        holds = np.zeros(int(at[-1]), np.uint8)
        _share(boxes.start, group[boxes.column], local, groups, at, subset_of, holds, coalition)
        _add_up(boxes.value, shares, at, holds, subset_of, amount)
        return cls(players, subset_of, amount, coalition, at, holds)

    def of(
        self, patterns: Rows, begin: NDArray[np.uint16], end: NDArray[np.uint16], baseline: Floats
    ) -> Floats:
        """Return the dividends of one request, (2^G, rows, K), those of all leaves added up.

        Args:
            patterns: (leaves,) which conditions hold, as bits.
            begin: of `Boxes`.
            end: of `Boxes`.
            baseline: (rows, K), worth of the coalition of nobody beside the leaves'.
        """
        rows, buckets = baseline.shape
        steps = np.zeros((1 << self.players, rows * (buckets + 1)))
        _scatter(
            patterns,
            begin,
            end,
            self.subset_of,
            self.amount,
            self.coalition,
            self.pattern_of,
            self.holds,
            SIGNS,
            steps,
        )
        dividends = np.empty((1 << self.players, rows, buckets))
        _over_ages(steps.reshape(-1, rows, buckets + 1), dividends)
        dividends[0] += baseline
        return dividends


def coalitions(dividends: Floats) -> Floats:
    """Return what every coalition is worth: (2^G, rows, K) of its subsets' dividends, in place.

    >>> coalitions(np.array([1.0, 10.0, 100.0, 1000.0]).reshape(4, 1, 1)).ravel().tolist()
    [1.0, 11.0, 101.0, 1111.0]
    """
    _zeta(dividends.reshape(len(dividends), -1))
    return dividends


@njit(cache=True, nogil=True)  # while a server quotes
def _number(start: Longs, group: Longs, groups: Longs, local: NDArray[np.uint8]) -> None:
    """Number every leaf's groups in the order of its conditions, and count them."""
    for leaf in range(len(groups)):
        for i in range(start[leaf], start[leaf + 1]):
            local[i] = groups[leaf]
            for j in range(start[leaf], i):
                if group[j] == group[i]:
                    local[i] = local[j]
            groups[leaf] += local[i] == groups[leaf]


@njit(cache=True, nogil=True)  # while a server quotes
def _share(
    start: Longs,
    group: Longs,
    local: NDArray[np.uint8],
    groups: Longs,
    at: Longs,
    subset_of: Longs,
    holds: NDArray[np.uint8],
    coalition: NDArray[np.uint16],
) -> None:
    """Say which groups hold in every pattern of columns, and which coalition each subset is."""
    for leaf in range(len(groups)):
        whole = (1 << groups[leaf]) - 1
        for pattern in range(at[leaf + 1] - at[leaf]):
            held = whole
            for i in range(start[leaf], start[leaf + 1]):
                if not pattern >> (i - start[leaf]) & 1:
                    held &= ~(1 << local[i])
            holds[at[leaf] + pattern] = held
        for subset in range(whole + 1):
            bits = 0
            for i in range(start[leaf], start[leaf + 1]):
                if subset >> local[i] & 1:
                    bits |= 1 << group[i]
            coalition[subset_of[leaf] + subset] = bits


@njit(cache=True, nogil=True)  # while a server quotes
def _add_up(
    value: Floats,
    shares: Floats,
    at: Longs,
    holds: NDArray[np.uint8],
    subset_of: Longs,
    amount: Floats,
) -> None:
    """Add every pattern's share to that of the groups which hold in it."""
    for leaf in range(len(value)):
        for place in range(at[leaf], at[leaf + 1]):
            amount[subset_of[leaf] + holds[place]] += value[leaf] * shares[place]


@njit(cache=True)
def _scatter(
    patterns: Rows,
    begin: NDArray[np.uint16],
    end: NDArray[np.uint16],
    subset_of: Longs,
    amount: Floats,
    coalition: NDArray[np.uint16],
    pattern_of: Longs,
    holds: NDArray[np.uint8],
    signs: Floats,
    steps: Floats,
) -> None:
    """Add every leaf's dividends to its coalitions, at the ages in which the leaf holds."""
    for leaf in range(len(patterns)):
        first = subset_of[leaf]
        whole = subset_of[leaf + 1] - first - 1
        held = holds[pattern_of[leaf] + patterns[leaf]]
        for subset in range(whole + 1):
            both = subset & held
            dividend = signs[subset ^ both] * amount[first + (whole ^ both)]
            of = coalition[first + subset]
            steps[of, begin[leaf]] += dividend
            steps[of, end[leaf]] -= dividend


@njit(cache=True)
def _over_ages(steps: Floats, out: Floats) -> None:
    """Add up the steps from each age to the next."""
    for of in range(len(out)):
        for row in range(out.shape[1]):
            total = 0.0
            for age in range(out.shape[2]):
                total += steps[of, row, age]
                out[of, row, age] = total


@njit(cache=True)
def _zeta(worth: Floats) -> None:
    """Add to every subset all that lies within it, one player after the other."""
    player = 1
    while player < len(worth):
        for of in range(len(worth)):
            if of & player:
                for i in range(worth.shape[1]):
                    worth[of, i] += worth[of ^ player, i]
        player <<= 1
