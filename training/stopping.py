"""How many trees, and how deep: asked of the latest training vintages, never of the test window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np

from training.blanks import Blanks
from training.boost import POISSON, dataset
from training.periods import Bools, Floats, Periods, Rows
from training.trees import Trees

HELD_SHARE = 0.15  # of the projects, the latest ones
HELD_SHARE_MOST = 0.35  # of them, before the question is given up
HELD_EVENTS = 100  # below this the answer would be noise
PATIENCE = 25  # rounds without a better score
SMALL_DEPTH = 3  # what a small book gets instead
SMALL_ROUNDS = 40


@dataclass(frozen=True)
class Stopping:
    """The size a bag's trees shall have, and how it was found.

    Attributes:
        rounds: trees a member.
        depth: of a tree.
        how: "later vintages", or "fixed: ..." for a book too small to ask.
        held: projects of the held-out vintages.
        score: their deviance apart from its level, by depth tried.
    """

    rounds: int
    depth: int
    how: str
    held: int = 0
    score: dict[int, float] | None = None


def choose(
    periods: Periods,
    *,
    signs: Sequence[int],
    trees: Trees,
    depths: Sequence[int],
    blanks: Blanks,
    seed: int,
    threads: int,
) -> Stopping:
    """Return the depth and rounds that rank the latest vintages best.

    One member is grown on the earlier vintages for each depth and stopped where the held-out score
    stops falling. The bag is grown afterwards on all vintages. A book whose latest third holds
    fewer than a hundred events gets few and shallow trees instead.
    """
    held = latest(periods)
    if held is None:
        how = f"fixed: fewer than {HELD_EVENTS} events in the latest {HELD_SHARE_MOST:.0%}"
        return Stopping(min(SMALL_ROUNDS, trees.rounds), min(SMALL_DEPTH, trees.depth), how)
    dice = np.random.default_rng(seed)
    early = periods.take(~held)
    early = replace(early, x=blanks.put_into(early.x, dice))
    found = {}
    for depth in depths:
        sized = trees.of_size(depth=depth, rounds=trees.rounds)
        parameters = sized.parameters(signs, seed=seed, threads=threads)
        found[depth] = _grow_until_worse(early, periods.take(held), parameters, trees.rounds)
    best = min(found, key=lambda depth: found[depth][1])
    scores = {depth: score for depth, (_, score) in found.items()}
    return Stopping(found[best][0], best, "later vintages", int(held.sum()), scores)


def latest(periods: Periods) -> Bools | None:
    """Return the latest whole months with enough projects and events to judge by, or None."""
    months, counts = np.unique(periods.originated, return_counts=True)
    events = periods.events.sum(axis=1)
    share = np.cumsum(counts[::-1])[::-1] / len(periods.originated)  # from each month on
    for month in months[::-1][np.isin(months[::-1], months[share >= HELD_SHARE])]:
        held = np.asarray(periods.originated >= month)
        if held.mean() > HELD_SHARE_MOST:
            return None
        if events[held].sum() >= HELD_EVENTS:
            return held
    return None


def _grow_until_worse(
    early: Periods, held: Periods, parameters: dict[str, object], rounds: int
) -> tuple[int, float]:
    baseline = early.baseline
    data = dataset(Rows.of(early, baseline), parameters)
    judge = dataset(Rows.of(held, baseline), parameters, reference=data)
    booster = lightgbm.train(
        parameters | POISSON,
        data,
        rounds,
        valid_sets=[judge],
        valid_names=["held"],
        feval=_deviance_metric,
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    return booster.best_iteration, float(booster.best_score["held"]["deviance"])


def _deviance_metric(expected: Floats, data: lightgbm.Dataset) -> tuple[str, float, bool]:
    events = np.asarray(data.get_label(), np.float64)
    given = data.get_weight()  # None where all weights are one
    weight = np.ones_like(events) if given is None else np.asarray(given, np.float64)
    score = deviance_apart_from_level(expected, events=events, weight=weight)
    return "deviance", score, False


def deviance_apart_from_level(expected: Floats, *, events: Floats, weight: Floats) -> float:
    """Return the mean negative Poisson log-likelihood an event, at the level that suits it best.

    Later vintages default more or less than earlier ones, which no column of a project foretells.
    With a free factor c on the expected events mu, its best value is sum w d / sum w mu, and what
    is left is

        log( sum w mu ) - (sum w d log mu) / (sum w d)      (up to a constant of the data).

    Args:
        expected: mu, (r,), expected events of each row, > 0.
        events: d, (r,).
        weight: w, (r,).
    """
    total = (weight * events).sum()
    return float(
        np.log((weight * expected).sum()) - (weight * events * np.log(expected)).sum() / total
    )
