"""How many trees, and how deep: asked of the latest training vintages, never of the test window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm
import numpy as np

from training import boost
from training.blanks import Blanks
from training.periods import Bools, Floats, Periods, Rows
from training.trees import Trees

HELD_SHARE = 0.15  # of the projects, the latest ones
HELD_SHARE_MOST = 0.35  # of them, before the question is given up
HELD_EVENTS = 300  # below this the answer would be noise
JUDGED_MEMBERS = 2  # a bag bears more rounds than a single member does
STEP = 20  # rounds between two looks
PATIENCE = 40  # rounds without a better score
SMALL_DEPTH = 3  # what a small book gets instead
SMALL_PATH = (6.0, 12.0)  # rounds times learning rate, at least and at most
PATH_AN_EVENT = 0.03  # in between


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

    For each depth a small bag grows on the earlier vintages until the held-out score stops falling.
    The bag proper is grown afterwards on all vintages. A book whose latest third holds too few
    events gets few and shallow trees instead.
    """
    held = latest(periods)
    if held is None:
        how = f"fixed: fewer than {HELD_EVENTS} events in the latest {HELD_SHARE_MOST:.0%}"
        path = np.clip(PATH_AN_EVENT * periods.events.sum(), *SMALL_PATH)
        rounds = round(path / trees.learning_rate)
        return Stopping(min(rounds, trees.rounds), min(SMALL_DEPTH, trees.depth), how)
    early, late = periods.take(~held), periods.take(held)
    found = {}
    for depth in depths:
        sized = trees.of_size(depth=depth, rounds=trees.rounds)
        members = [
            lightgbm.Booster(parameters, boost.dataset(rows, parameters))
            for parameters, rows in boost.members(
                early,
                signs=signs,
                trees=sized,
                blanks=blanks,
                seed=seed,
                threads=threads,
                count=min(JUDGED_MEMBERS, trees.members),
            )
        ]
        found[depth] = _until_worse(members, Rows.of(late, early.baseline), trees.rounds)
    best = min(found, key=lambda depth: found[depth][1])
    scores = {depth: score for depth, (_, score) in found.items()}
    return Stopping(found[best][0], best, "later vintages", int(held.sum()), scores)


def latest(periods: Periods, *, events: int = HELD_EVENTS) -> Bools | None:
    """Return the latest whole months with enough projects to judge by and so many events, or None.

    Args:
        periods: of all projects.
        events: that must lie in those months.
    """
    months, counts = np.unique(periods.originated, return_counts=True)
    happened = periods.events.sum(axis=1)
    share = np.cumsum(counts[::-1])[::-1] / len(periods.originated)  # from each month on
    for month in months[share >= HELD_SHARE][::-1]:
        held = np.asarray(periods.originated >= month)
        if held.mean() > HELD_SHARE_MOST:
            return None
        if happened[held].sum() >= events:
            return held
    return None


def _until_worse(members: Sequence[lightgbm.Booster], held: Rows, most: int) -> tuple[int, float]:
    """Grow members side by side; return the rounds of their best mean, and its score."""
    margin = held.offset.copy()  # (r,)
    best, best_score = 0, np.inf
    for rounds in range(STEP, max(most, STEP) + 1, STEP):
        for member in members:
            for _ in range(STEP):
                member.update()
            grown = member.predict(held.x, start_iteration=rounds - STEP, raw_score=True)
            margin += np.asarray(grown) / len(members)
        score = deviance_apart_from_level(np.exp(margin), events=held.target, weight=held.weight)
        if score < best_score:
            best, best_score = rounds, score
        elif rounds - best >= PATIENCE:
            break
    return min(best, most), best_score


def deviance_apart_from_level(expected: Floats, *, events: Floats, weight: Floats) -> float:
    """Return the mean negative Poisson log-likelihood an event, at the level that suits it best.

    Later vintages default more or less than earlier ones, which no column of a project foretells.
    With a free factor c on the expected events mu, its best value is sum w d / sum w mu, and what
    is left, up to a constant of the data, is

        log( sum w mu ) - (sum w d log mu) / (sum w d).

    Args:
        expected: mu, (r,), expected events of each row, > 0.
        events: d, (r,).
        weight: w, (r,).
    """
    total = (weight * events).sum()
    spread = (weight * events * np.log(expected)).sum() / total
    return float(np.log((weight * expected).sum()) - spread)
