"""Shapley values of a game whose every coalition has been valued, and shares within a player."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
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

    @classmethod
    def of_groups(cls, group: Sequence[int] | NDArray[np.int64]) -> Game:
        """Return the game of groups of columns, all coalitions asked: group i is bit i.

        Args:
            group: (columns,) which group each column is of, counted from 0.

        >>> Game.of_groups([0, 1, 0]).columns.astype(int).tolist()
        [[0, 0, 0], [1, 0, 1], [0, 1, 0], [1, 1, 1]]
        """
        players = np.arange(max(group, default=-1) + 1)
        return cls(players[:, None] == np.asarray(group), coalitions(len(players)))

    @property
    def columns(self) -> Bools:
        """Return (coalitions, columns) which columns are the coalition's."""
        return self.coalitions @ self.owners


def coalitions(players: int) -> Bools:
    """Return (2^players, players) all coalitions: player i is in that of number S if its bit i is.

    >>> coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(np.bool_)


def shapley(worth: Floats) -> Floats:
    """Return the Shapley value of every player, of the worth (2^players,) of all coalitions.

        phi_i = sum_{S without i} |S|! (n - |S| - 1)! / n!  (worth(S and i) - worth(S))

    >>> shapley(np.array([0.0, 1.0, 3.0, 10.0])).tolist()
    [4.0, 6.0]
    """
    n = len(worth).bit_length() - 1
    chance = [math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) for s in range(n)]
    values = np.zeros(n)
    _shapley(worth, np.array(chance), values)
    return values


def split(shares_bps: Floats, total_bps: float) -> Floats:
    """Return shares that add up to total_bps, moved as little as their sizes allow.

        share_i + (total - sum of shares) |share_i| / sum of |shares|

    Shares of one sign are scaled. Where signs differ and the sum is near nil, scaling would
    explode; here no share moves by more than the difference, and one that is nil stays so. Where
    all are nil, all are equal.

    >>> split(np.array([10.0, 30.0]), 60.0).tolist()
    [15.0, 45.0]
    >>> split(np.array([10.0, -10.0, 0.0]), 4.0).tolist()
    [12.0, -8.0, 0.0]
    """
    sizes = np.abs(shares_bps)
    if not sizes.any():
        sizes = np.ones(len(shares_bps))
    moved: Floats = shares_bps + (total_bps - shares_bps.sum()) * (sizes / sizes.sum())
    return moved


@njit(cache=True)
def _shapley(worth: Floats, chance: Floats, values: Floats) -> None:
    """Add up what each player brings to every coalition without it."""
    sizes = np.zeros(len(worth), np.int64)
    for of in range(1, len(worth)):
        sizes[of] = sizes[of >> 1] + (of & 1)
    for i in range(len(values)):
        for of in range(len(worth)):
            if not of >> i & 1:
                values[i] += chance[sizes[of]] * (worth[of | 1 << i] - worth[of])
