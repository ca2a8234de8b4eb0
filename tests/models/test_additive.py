"""The additive network against brute force: margins, exact shares, directions, files."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from models.additive import Additive, Network, hats, knots_of, peaks
from pricing.errors import ModelError
from training.net import Net, gathered
from training.periods import Floats

COLUMNS, BUCKETS, MEMBERS = 4, 5, 3
EDGES = np.array([0, 6, 12, 24, 36, 60])
PAIRS = np.array([[0, 1], [1, 3], [0, 2]])
DICE = np.random.default_rng(5)


def projects(n: int) -> Floats:
    x = DICE.normal(size=(n, COLUMNS))
    x[DICE.random(x.shape) < 0.2] = np.nan
    return x


BACKGROUND, WEIGHT = projects(60), DICE.random(60)


def network() -> Network:
    knots, coarse, basis = (
        knots_of(BACKGROUND, 6),
        knots_of(BACKGROUND, 4),
        peaks(EDGES, (3.0, 40.0)),
    )
    return Network(
        knots,
        coarse,
        PAIRS,
        basis,
        DICE.normal(size=(MEMBERS, BUCKETS)),
        DICE.normal(size=(MEMBERS, COLUMNS, 7, 2)),
        DICE.normal(size=(MEMBERS, len(PAIRS), 5, 5, 2)),
    )


NETWORK = network()
MODEL = Additive.build(NETWORK, BACKGROUND, WEIGHT)


def plainly(of: Network, x: Floats) -> Floats:
    """Return (n, K) log hazards by the formula, without any expectation."""
    fine, coarse = hats(x, of.knots), hats(x, of.coarse)
    shapes = np.einsum("rcn,cnj->rj", fine, of.mains.mean(axis=0))
    for p, (i, j) in enumerate(of.pairs):
        plane = of.planes.mean(axis=0)[p]
        shapes += np.einsum("ra,rb,abj->rj", coarse[:, i], coarse[:, j], plane)
    return np.asarray(of.baseline.mean(axis=0) + shapes @ of.basis)


def by_brute_force(x: Floats, weights: Floats) -> Floats:
    """Return the Shapley values from all coalitions over the whole background."""

    def worth(coalition: tuple[int, ...]) -> float:
        mixed = BACKGROUND.copy()
        mixed[:, list(coalition)] = x[list(coalition)]
        return float(np.average(plainly(NETWORK, mixed) @ weights, weights=WEIGHT))

    shares = np.zeros(COLUMNS)
    for i in range(COLUMNS):
        others = [c for c in range(COLUMNS) if c != i]
        for size in range(COLUMNS):
            chance = math.factorial(size) * math.factorial(COLUMNS - size - 1)
            for s in combinations(others, size):
                gain = worth(tuple(sorted((*s, i)))) - worth(s)
                shares[i] += chance / math.factorial(COLUMNS) * gain
    return shares


def test_margins_are_those_of_the_formula() -> None:
    x = projects(50)
    np.testing.assert_allclose(MODEL.margins(x), plainly(NETWORK, x), rtol=0, atol=1e-12)
    np.testing.assert_allclose(NETWORK.margins(x), plainly(NETWORK, x), rtol=0, atol=1e-12)
    np.testing.assert_allclose(MODEL.read(x[0]).margins, plainly(NETWORK, x)[0], atol=1e-12)


@pytest.mark.parametrize("row", range(6))
def test_shares_are_those_of_all_coalitions(row: int) -> None:
    x, weights = projects(6)[row], DICE.normal(size=BUCKETS)
    found = MODEL.read(x).contributions(weights)
    np.testing.assert_allclose(found, by_brute_force(x, weights), rtol=0, atol=1e-9)


def test_a_wrong_expectation_would_be_noticed() -> None:
    bent = replace(MODEL, nodes=MODEL.nodes._replace(first=MODEL.nodes.first * 1.001))
    x, weights = projects(1)[0], np.ones(BUCKETS)
    x[:] = 0.3
    gap = bent.read(x).contributions(weights) - by_brute_force(x, weights)
    assert np.abs(gap).max() > 1e-6


def test_a_doubled_weight_is_a_repeated_row() -> None:
    weight = WEIGHT.copy()
    weight[0] *= 2
    rows = np.vstack([BACKGROUND, BACKGROUND[:1]])
    repeated = Additive.build(NETWORK, rows, np.append(WEIGHT, WEIGHT[0]))
    np.testing.assert_allclose(
        Additive.build(NETWORK, BACKGROUND, weight).base, repeated.base, atol=1e-12
    )


def test_members_alone_stand_apart_as_the_reading_says() -> None:
    x, weights = projects(1), DICE.normal(size=BUCKETS)
    each = [float(one.margins(x)[0] @ weights) for one in NETWORK.alone()]
    assert MODEL.read(x[0]).spread(weights) == pytest.approx(np.std(each, ddof=1), abs=1e-12)


def test_a_network_reads_back_what_was_written(tmp_path: Path) -> None:
    NETWORK.write(tmp_path / "network.safetensors")
    again = Network.read(tmp_path / "network.safetensors")
    for name, value in vars(NETWORK).items():
        np.testing.assert_array_equal(getattr(again, name), value)


def test_nodes_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"network\.planes must have shape"):
        replace(NETWORK, planes=NETWORK.planes[:, :2])


@pytest.mark.parametrize("signs", [(1, -1, 0, 1), (-1, -1, 1, 0), (1, 1, -1, -1)])
def test_what_torch_learns_keeps_every_direction_at_every_age(signs: tuple[int, ...]) -> None:
    nets = [Net(NETWORK, signs, rank=4, baseline=np.zeros(BUCKETS)) for _ in range(2)]
    for net in nets:
        for parameter in net.parameters():
            parameter.data.normal_(0, 1)
    learnt = gathered(NETWORK, nets)
    x = projects(40)
    for column, sign in enumerate(signs):
        moved = np.repeat(x[None], 30, axis=0)
        moved[:, :, column] = np.linspace(-4, 4, 30)[:, None]
        margins = learnt.margins(moved.reshape(-1, COLUMNS)).reshape(30, 40, -1)
        assert (sign * np.diff(margins, axis=0) >= -1e-9).all()


def test_torch_and_the_served_form_say_the_same() -> None:
    net = Net(NETWORK, (1, -1, 0, 1), rank=4, baseline=np.zeros(BUCKETS))
    x = projects(30)
    said = net(x).detach().numpy()
    np.testing.assert_allclose(gathered(NETWORK, [net]).margins(x), said, rtol=0, atol=1e-5)
