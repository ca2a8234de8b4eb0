"""Shapley values of all coalitions, against the definition and the axioms."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from models.shapley import Game, coalitions, shapley


def by_orders(values: np.ndarray, players: int) -> np.ndarray:
    """Return the shares by the definition: what each adds on coming in, over all orders."""
    phi = np.zeros(players)
    orders = list(permutations(range(players)))
    for order in orders:
        inside = 0
        for player in order:
            phi[player] += values[inside | 1 << player] - values[inside]
            inside |= 1 << player
    return phi / len(orders)


@pytest.mark.parametrize("players", [1, 2, 5])
def test_shares_are_means_over_all_orders(players: int) -> None:
    values = np.random.default_rng(players).normal(size=2**players)
    np.testing.assert_allclose(shapley(values), by_orders(values, players), rtol=0, atol=1e-12)


def test_shares_add_up_and_a_dummy_gets_nothing() -> None:
    inside = coalitions(4)
    values = 100 + 7.0 * inside[:, 0] + 5.0 * inside[:, 1] * inside[:, 2]
    np.testing.assert_allclose(shapley(values), [7, 2.5, 2.5, 0], rtol=0, atol=1e-12)


def test_the_airport_game_has_the_published_shares() -> None:
    """Littlechild & Owen (1973): runways that cost 1, 2 and 4, each for all smaller ones too."""
    cost = np.array([1.0, 2.0, 4.0])
    values = np.where(coalitions(3), cost, 0.0).max(axis=1)
    np.testing.assert_allclose(shapley(values), [1 / 3, 5 / 6, 17 / 6], rtol=0, atol=1e-12)


def test_columns_follow_their_players() -> None:
    owners = np.array([[True, False, True], [False, True, False]])
    game = Game(owners, coalitions(2))
    assert game.columns.astype(int).tolist() == [[0, 0, 0], [1, 0, 1], [0, 1, 0], [1, 1, 1]]
