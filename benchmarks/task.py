"""What every peer is given, what it must answer, and the steps that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pricing.survival import incidence
from training.linear import Linear, standardised
from training.periods import Periods, Rows, with_bucket

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
HELD_SHARE = 0.15
MONTHS = 60  # probabilities are asked for at every month up to this


@dataclass(frozen=True)
class Task:
    """The training projects as every peer is given them.

    Attributes:
        x: (n, columns) encoded out of fold, NaN where missing.
        months: (n,) at risk, to default or to the end of the follow-up.
        watched: (n,) months from the origination to the end of the follow-up.
        fell: (n,) whether it ended in default.
        weight: (n,) of mean one.
        originated: (n,) months since January 1970.
        edges: (K + 1,) months, of the age buckets.
    """

    x: Floats
    months: Floats
    watched: Floats
    fell: Bools
    weight: Floats
    originated: NDArray[np.int64]
    edges: NDArray[np.int64]

    def take(self, some: Bools) -> Task:
        """Return the task of some of the projects."""
        names = ("x", "months", "watched", "fell", "weight", "originated")
        return replace(self, **{name: getattr(self, name)[some] for name in names})

    @property
    def periods(self) -> Periods:
        """Return the projects cut by age."""
        start, end = self.edges[:-1], self.edges[1:]
        months = np.clip(self.months[:, None] - start, 0, end - start)
        inside = (self.months[:, None] > start) & (self.months[:, None] <= end)
        events = (self.fell[:, None] & inside).astype(np.float64)
        return Periods(self.x, months, events, self.weight, self.originated)

    @property
    def held(self) -> Bools:
        """Return a random part, by which sizes are chosen.

        The latest vintages would be nearer to the test, but default at another level, and most
        peers' own scores take that for a fault of the last trees.
        """
        return np.asarray(np.random.default_rng(1).random(len(self.x)) < HELD_SHARE)


class Fitted(NamedTuple):
    """A peer that has learnt."""

    pd: Callable[[Floats], Floats]  # (m, columns) -> (m, MONTHS + 1), NaN for what it cannot say
    explain: Callable[[Floats], object] | None  # of one row, (1, columns); None: it offers nothing
    of: str  # what it explains
    note: str  # sizes


class Peer(NamedTuple):
    """How to fit a peer, and what must be installed for it."""

    module: str
    fit: Callable[[Task], Fitted]


def design(task: Task) -> Linear:
    """Return how columns are filled, standardised and flagged, for those that take no gaps."""
    return standardised(task.periods)


def rows_of(task: Task, baseline: Floats) -> tuple[Rows, Floats]:
    """Return the projects by age, and the months of each row."""
    periods = task.periods
    return Rows.of(periods, baseline), periods.months[periods.months > 0]


def every_age(x: Floats, task: Task) -> Floats:
    """Return one row at every age, (K, columns + 1)."""
    buckets = len(task.edges) - 1
    return with_bucket(np.repeat(x, buckets, axis=0), np.arange(buckets))


def by_hazard(margins: Floats, edges: NDArray[np.int64]) -> Floats:
    """Return the probabilities of log hazards (m, K), with one way to end."""
    causes = np.full((len(margins), 3, margins.shape[1]), -np.inf)
    causes[:, 0] = margins
    return incidence(causes, edges, MONTHS)


def breslow(task: Task, score: Floats) -> Floats:
    """Return (MONTHS + 1,) the cumulated baseline hazard of scores (n,).

    Source: Breslow (1972), discussion of Cox, Journal of the Royal Statistical Society B 34.
    """
    risk = task.weight * np.exp(score)
    steps = np.zeros(MONTHS + 1)
    for month in range(1, MONTHS + 1):
        fell = task.fell & (task.months > month - 1) & (task.months <= month)
        steps[month] = task.weight[fell].sum() / max(risk[task.months > month - 1].sum(), 1e-12)
    return np.cumsum(steps)
