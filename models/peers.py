"""Where a value stands among the projects of the background."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np

from models.leaves import Floats


@dataclass(frozen=True)
class Peers:
    """Every column's known values in the background, sorted, with their cumulated weight shares.

    One value is looked up at a time, for which `bisect` takes half as long as NumPy.
    """

    values: tuple[Floats, ...]  # a column each, ascending
    shares: tuple[Floats, ...]  # a column each, one longer: share of the weight before each value

    @classmethod
    def of(cls, background: Floats, weight: Floats) -> Peers:
        """Sort the background's columns; missing values are nobody's peer.

        Args:
            background: (rows, columns), encoded; NaN is missing.
            weight: (rows,), >= 0.
        """
        values, shares = [], []
        for column in background.T:
            known = ~np.isnan(column)
            order = np.argsort(column[known], kind="stable")
            cumulated = np.concatenate([[0.0], np.cumsum(weight[known][order])])
            values.append(column[known][order])
            shares.append(cumulated / cumulated[-1] if cumulated[-1] > 0 else cumulated)
        return cls(tuple(values), tuple(shares))

    def below(self, column: int, value: float) -> float:
        """Return the share of peers whose value is lower, in [0, 1].

        >>> peers = Peers.of(np.array([[1.0], [2.0], [2.0], [5.0]]), np.ones(4))
        >>> peers.below(0, 2.0), peers.same(0, 2.0), peers.above(0, 2.0)
        (0.25, 0.5, 0.25)
        """
        return self.shares[column].item(bisect_left(self.values[column].data, value))

    def same(self, column: int, value: float) -> float:
        """Return the share of peers who have the very value, in [0, 1]."""
        return 1.0 - self.below(column, value) - self.above(column, value)

    def above(self, column: int, value: float) -> float:
        """Return the share of peers whose value is higher, in [0, 1]."""
        shares = self.shares[column]
        return shares.item(-1) - shares.item(bisect_right(self.values[column].data, value))
