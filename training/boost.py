"""The hazard of a cause as a bag of LightGBM Poisson trees on projects cut by age.

With e months at risk in bucket k and d events there, a constant hazard exp(m) in the bucket has the
likelihood of a Poisson count,

    -log L = sum over rows of  w ( e exp(m) - d m ),        m = a_k + f(x, k),

so the trees f learn from the offset log e + a_k, and the bag's margin is a_k + mean over members of
f. Source: Friedman (1982), piecewise exponential models; LightGBM's objective "poisson".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np

from models.leaves import Bag
from training.blanks import Blanks
from training.periods import Bools, Floats, Periods, Rows, with_bucket
from training.trees import Trees

POISSON = {"objective": "poisson", "metric": "None", "poisson_max_delta_step": 0.2}


def grow(
    periods: Periods,
    *,
    signs: Sequence[int],
    trees: Trees,
    blanks: Blanks,
    seed: int,
    threads: int,
    grown: Callable[[int], None] = lambda member: None,
) -> Bag:
    """Return the bag of one cause; each member sees its own projects, its own cells missing.

    Args:
        periods: of the projects to learn from.
        signs: +1, -1 or 0 a column: the direction in which it moves the hazard at every age.
        trees: size and pace.
        blanks: the cells that go missing.
        seed: of the samples and of LightGBM.
        threads: of LightGBM.
        grown: told the number of each member when it is ready.
    """
    texts = []
    drawn = members(
        periods,
        signs=signs,
        trees=trees,
        blanks=blanks,
        seed=seed,
        threads=threads,
        count=trees.members,
    )
    for member, (parameters, rows) in enumerate(drawn):
        booster = lightgbm.train(parameters, dataset(rows, parameters), trees.rounds)
        texts.append(booster.model_to_string())
        grown(member)
    return Bag(tuple(texts), periods.baseline)


def members(
    periods: Periods,
    *,
    signs: Sequence[int],
    trees: Trees,
    blanks: Blanks,
    seed: int,
    threads: int,
    count: int,
) -> Iterator[tuple[dict[str, Any], Rows]]:
    """Yield the parameters and the rows of each member: its own projects, its own missing cells."""
    for member in range(count):
        dice = np.random.default_rng([seed, member])
        seen = periods.take(sample(len(periods.x), trees.sample_share, dice))
        seen = replace(seen, x=blanks.put_into(seen.x, dice))
        parameters = trees.parameters(signs, seed=member_seed(seed, member), threads=threads)
        yield parameters | POISSON, Rows.of(seen, periods.baseline)


def blind(x: Floats, signs: Sequence[int]) -> Floats:
    """Return x without what its signed columns say: (n, columns), those cells all missing.

    LightGBM cannot split on a column that has one value only, so no tree grown on this asks a
    signed column. The exit hazard is grown so: more early exits shorten the life of a loan, which
    may raise or lower its price, and a price that must rise in a column must not depend on it
    through exits.
    """
    return np.where(np.asarray(signs) == 0, x, np.nan)


def sample(projects: int, share: float, dice: np.random.Generator) -> Bools:
    """Return which projects a member sees; all of them when the share is one."""
    return np.asarray(dice.random(projects) < share, np.bool_)


def member_seed(seed: int, member: int) -> int:
    """Return LightGBM's seed of a member: another one for every member of every fit."""
    return int(np.random.default_rng([seed, member]).integers(2**31))


def dataset(rows: Rows, parameters: dict[str, Any]) -> lightgbm.Dataset:
    """Return LightGBM's data set of the rows."""
    return lightgbm.Dataset(
        rows.x, rows.target, weight=rows.weight, init_score=rows.offset, params=parameters
    )


def margins(bag: Bag, x: Floats, *, threads: int) -> Floats:
    """Return the margins of encoded projects by LightGBM itself: (n, columns) -> (n, K)."""
    members = [lightgbm.Booster(model_str=text) for text in bag.boosters]
    out = np.tile(bag.baseline, (len(x), 1))  # (n, K)
    for bucket in range(len(bag.baseline)):
        at_bucket = with_bucket(x, bucket)
        for member in members:
            score = member.predict(at_bucket, raw_score=True, num_threads=threads)
            out[:, bucket] += np.asarray(score) / len(members)
    return out
