"""Small LightGBM hazard boosters on random projects, for the tests of exactness."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import lightgbm
import numpy as np
from numpy.typing import NDArray

from models.leaves import Bag

Floats = NDArray[np.float64]
BUCKETS = 4


def projects(rows: int, columns: int, *, seed: int = 0) -> Floats:
    """Return random projects, a tenth of the values missing, one column in whole numbers."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, columns))
    x[:, 1] = np.round(2 * x[:, 1])
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


def booster(x: Floats, *, trees: int = 12, depth: int = 4, seed: int = 0) -> lightgbm.Booster:
    """Return a Poisson booster whose last column is the age bucket's index."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, BUCKETS, len(x)).astype(float)
    z = np.nan_to_num(x)
    log_rate = 0.6 * z[:, 0] - 0.5 * z[:, 1] * z[:, 2] + 0.4 * (age > 1) * z[:, 3]
    y = rng.poisson(np.exp(log_rate + 0.5 * np.isnan(x[:, 0])))
    parameters = {
        "objective": "poisson",
        "num_leaves": 2**depth,
        "max_depth": depth,
        "min_data_in_leaf": 5,
        "learning_rate": 0.2,
        "seed": seed,
        "num_threads": 1,
        "verbose": -1,
        "boost_from_average": False,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(np.column_stack([x, age]), y), trees)


def bag(*boosters: lightgbm.Booster) -> Bag:
    """Return a bag of the boosters with a baseline that rises with age."""
    texts = tuple(one.model_to_string() for one in boosters)
    return Bag(texts, np.linspace(-5.0, -4.0, BUCKETS))


def margins_by_lightgbm(of: Bag, x: Floats) -> Floats:
    """Return the margins as LightGBM itself predicts them: (n, columns) -> (n, K)."""
    members = [lightgbm.Booster(model_str=text) for text in of.boosters]
    out = np.tile(of.baseline, (len(x), 1))
    for k in range(BUCKETS):
        at_age = np.column_stack([x, np.full(len(x), float(k))])
        for member in members:
            out[:, k] += np.asarray(member.predict(at_age, raw_score=True)) / len(members)
    return out


def brute_force(of: Bag, x: Floats, background: Floats, weight: Floats, ages: Floats) -> Floats:
    """Return Shapley values of sum_k ages_k margin_k(x) by walking over every coalition.

    Source: the definition; a coalition's value is the weighted mean over the background of the
    margins of the request's columns put into each of its rows.
    """
    p = len(x)
    value = {}
    for size in range(p + 1):
        for coalition in combinations(range(p), size):
            hybrids = background.copy()
            hybrids[:, list(coalition)] = x[list(coalition)]
            mean = np.average(margins_by_lightgbm(of, hybrids), axis=0, weights=weight)
            value[coalition] = float(mean @ ages)
    phi = np.zeros(p)
    for i in range(p):
        for coalition, worth in value.items():
            if i not in coalition:
                joined = tuple(sorted((*coalition, i)))
                s = len(coalition)
                share = factorial(s) * factorial(p - s - 1) / factorial(p)
                phi[i] += share * (value[joined] - worth)
    return phi
