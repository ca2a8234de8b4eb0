"""How far the members of the bag stand apart on one project, from its one look at the leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.leaves import Bag, Floats
from models.tables import Longs, Rows, Tables
from pricing.errors import ModelError


@dataclass(frozen=True, eq=False)
class Members:
    """The leaves of the hazard of default, by member of its bag.

    The leaves of a model lie by cause, default first, then by member: so a member is a stretch of
    leaves, and a reading that has found which leaves hold has read every member.

    Attributes:
        first: (members + 1,) where each member's leaves begin.
        holds: (leaves,) the `Reading.row` of a leaf whose conditions all hold.
        value: (leaves,) what the leaf adds to its own member's log-hazard.
        begin: (leaves,) the first age bucket in which it does.
        end: (leaves,) one past the last.
    """

    first: Longs
    holds: Rows
    value: Floats
    begin: NDArray[np.uint16]
    end: NDArray[np.uint16]

    @classmethod
    def of(cls, tables: Tables, bag: Bag | None) -> Members:
        """Count the leaves of each member of the bag that is the first row of the tables.

        Where the row is a constant there is no bag, and nobody to stand apart.

        Raises:
            ModelError: the tables were not laid out from a bag of as many boosters.
        """
        boxes = tables.boxes
        _, buckets = boxes.shape
        members = len(bag.boosters) if bag else 0
        first = boxes.booster[: members + 1]
        leaves = int(first[-1])
        found = int(np.count_nonzero(boxes.begin <= buckets))
        if leaves != found:
            raise ModelError(f"default must have {leaves} leaves in the tables, however: {found}")
        depth = np.diff(boxes.start[: leaves + 1])
        full = (tables.row_of[:leaves] + (2**depth - 1) * depth).astype(np.uint32)
        value = boxes.value[:leaves] * members
        sieve = tables.sieve
        return cls(first, full, value, sieve.begin[:leaves].copy(), sieve.end[:leaves].copy())

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self.first) - 1

    def scores(self, row: Rows, weights: Floats) -> Floats:
        """Return sum_k weights_k m_jk of every member j, without the baseline: (members,).

        Args:
            row: of a `Reading`.
            weights: (K,) of the ages.
        """
        upto = np.zeros(len(weights) + 1)
        np.cumsum(weights, out=upto[1:])
        scores = np.zeros(len(self))
        _scores(row, upto, self.first, self.holds, self.value, self.begin, self.end, scores)
        return scores

    def spread(self, row: Rows, weights: Floats) -> float:
        """Return the standard deviation over members of sum_k weights_k m_jk; 0 for one member.

        With the derivatives of logit PD by the log-hazards as weights (`interval.slopes`) this is
        the members' standard deviation of logit PD, to first order.

            s^2 = sum_j (y_j - mean y)^2 / (members - 1)
        """
        return deviation(self.scores(row, weights).tolist())


def deviation(scores: Sequence[float]) -> float:
    """Return the standard deviation of the members' scores; 0 for one member."""
    if len(scores) < 2:
        return 0.0
    mean = math.fsum(scores) / len(scores)
    return math.sqrt(sum((score - mean) ** 2 for score in scores) / (len(scores) - 1))


@njit(cache=True)
def _scores(
    row: Rows,
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
        for leaf in range(first[member], first[member + 1]):
            if row[leaf] == holds[leaf]:
                scores[member] += value[leaf] * (upto[end[leaf]] - upto[begin[leaf]])
