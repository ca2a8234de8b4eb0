"""Shapley values of a game whose every coalition has been valued."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.leaves import Floats

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Game:
    """Who plays for which columns, and the coalitions that are asked.

    Attributes:
        owners: (players, columns) whose each column is; one player's at most.
        coalitions: (coalitions, players) who is in.
    """

    owners: Bools
    coalitions: Bools

    @property
    def columns(self) -> Bools:
        """Return (coalitions, columns) which columns are the coalition's."""
        return self.coalitions @ self.owners


@cache
def coalitions(players: int) -> Bools:
    """Return (2^players, players) all coalitions: player i is in that of number S if its bit i is.

    >>> coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(np.bool_)


def shapley(values: Floats) -> Floats:
    """Return the players' shares of a game, (n,), of the values of all its coalitions, (2^n,).

        phi_i = sum over S without i of  |S|! (n - |S| - 1)! / n!  ( v(S + i) - v(S) )

    Their sum is the value of all less that of none.

    Source: Shapley (1953), A value for n-person games.

    >>> shapley(np.array([0.0, 1.0, 2.0, 5.0])).tolist()
    [2.0, 3.0]
    """
    return np.asarray(_weights(len(values).bit_length() - 1) @ values)


@cache
def _weights(players: int) -> Floats:
    """Return (players, 2^players) what the value of each coalition counts for each player."""
    inside = coalitions(players)
    orders = np.array([math.factorial(n) for n in range(players + 1)], np.float64)
    size = inside.sum(axis=1)
    joined = orders[np.maximum(size - 1, 0)] * orders[players - size] / orders[-1]
    apart = orders[size] * orders[np.maximum(players - size - 1, 0)] / orders[-1]
    return np.asarray(np.where(inside.T, joined, -apart), np.float64)
