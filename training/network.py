"""How networks are taught: from what happened, and by trees where little has.

The likelihood is that of the trees (`training/boost.py`): with events d and months e at risk in an
age bucket,  -log L = sum of w ( e exp(m) - d m ).  From a small book the network learns what the
trees say beside what happened: d is mixed with the events e exp(m) that they expect.

Source: distillation, Hinton, Vinyals & Dean (2015), written out for a Poisson likelihood.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from models.additive import Longs, Network, knots_of, peaks
from training import boost, stopping
from training.blanks import Blanks
from training.net import Net, gathered
from training.periods import Floats, Periods
from training.shape import Shape

HELD_EVENTS = 100  # below this the latest vintages are not asked
PATIENCE = 6  # epochs without a better score
LEAST_GAIN = 1e-5  # of the score, that counts as better
SLOWER = 0.3  # of the pace, after two epochs without one
MOST_MARGIN = 1.0  # log monthly hazard: a year is not survived
STEEPEST = 1.0  # norm of a step's gradient
CHUNK = 4096  # projects scored at once

Teacher = Callable[[Floats], Floats]  # log hazards, (n, columns) -> (n, K)


@dataclass(frozen=True)
class Lesson:
    """How networks are taught.

    Attributes:
        rates: of Adam, one an epoch.
        how: "later vintages", or "fixed: ..." for a book too small to ask.
        score: deviance of the held-out vintages apart from its level.
    """

    rates: tuple[float, ...]
    how: str
    score: float | None = None


def fit_network(
    periods: Periods,
    edges: Longs,
    *,
    signs: Sequence[int],
    pairs: Sequence[tuple[int, int]],
    teacher: Teacher,
    shape: Shape,
    blanks: Blanks,
    seed: int,
    told: Callable[[int], None] = lambda member: None,
) -> tuple[Network, Lesson]:
    """Return the members, each on its own sample of projects, and how they were taught.

    The number of epochs and their pace are asked of the latest vintages, as that of the trees is.

    Args:
        periods: of the projects to learn from.
        edges: (K + 1,) months, of the age buckets.
        signs: +1, -1 or 0 a column: the direction in which it moves the hazard at every age.
        pairs: of columns that may act together.
        teacher: the trees.
        shape: size and pace.
        blanks: the cells that go missing.
        seed: of the samples, the starts and the order of projects.
        told: the number of each member when it is ready.
    """
    school = School(_layout(periods, edges, pairs, shape), signs, teacher, shape, blanks, seed)
    torch.set_num_threads(1)
    lesson = school.lesson(periods)
    members = []
    for member in range(shape.members):
        pupil = school.pupil(school.seen(periods, member), member)
        for rate in lesson.rates:
            pupil.epoch(rate)
        members.append(pupil.net)
        told(member)
    return gathered(school.layout, members), lesson


def _layout(
    periods: Periods, edges: Longs, pairs: Sequence[tuple[int, int]], shape: Shape
) -> Network:
    """Return a network without members: its knots, pairs and hats."""
    basis = peaks(edges, shape.peaks_months)
    (hats, buckets), columns = basis.shape, periods.x.shape[1]
    return Network(
        knots=knots_of(periods.x, shape.nodes),
        coarse=knots_of(periods.x, shape.coarse),
        pairs=np.array(pairs, np.int64).reshape(-1, 2),
        basis=basis,
        baseline=np.empty((0, buckets)),
        mains=np.empty((0, columns, shape.nodes + 1, hats)),
        planes=np.empty((0, len(pairs), shape.coarse + 1, shape.coarse + 1, hats)),
    )


@dataclass(frozen=True)
class School:
    """What all members learn by; see `fit_network`."""

    layout: Network
    signs: Sequence[int]
    teacher: Teacher
    shape: Shape
    blanks: Blanks
    seed: int

    def seen(self, periods: Periods, member: int) -> Periods:
        """Return the projects that a member sees."""
        dice = np.random.default_rng([self.seed, member])
        return periods.take(boost.sample(len(periods.x), self.shape.sample_share, dice))

    def pupil(self, periods: Periods, member: int) -> Pupil:
        """Return a member that has learnt nothing yet."""
        torch.manual_seed(boost.member_seed(self.seed, member))
        net = Net(self.layout, self.signs, rank=self.shape.rank, baseline=periods.baseline)
        bent = [each for each in net.parameters() if each is not net.baseline]
        solver = torch.optim.AdamW(
            [
                {"params": bent, "weight_decay": self.shape.decay},
                {"params": [net.baseline], "weight_decay": 0.0},
            ]
        )
        dice = np.random.default_rng([self.seed, member, 1])
        return Pupil(net, self._taught(periods), self.shape.batch, self.blanks, dice, solver)

    def lesson(self, periods: Periods) -> Lesson:
        """Return the pace at which the latest vintages are foretold best."""
        held = stopping.latest(periods, events=HELD_EVENTS)
        if held is None:
            how = f"fixed: fewer than {HELD_EVENTS} events in the latest vintages"
            return Lesson((self.shape.rate,) * (self.shape.epochs // 2), how)
        pupil, late = self.pupil(periods.take(~held), 0), periods.take(held)
        rates: list[float] = []
        rate, best, best_score = self.shape.rate, 0, math.inf
        for epoch in range(1, self.shape.epochs + 1):
            pupil.epoch(rate)
            rates.append(rate)
            score = pupil.score(late)
            if score < best_score - LEAST_GAIN:
                best, best_score = epoch, score
            elif epoch - best == 2:
                rate *= SLOWER
            elif epoch - best >= PATIENCE:
                break
        return Lesson(tuple(rates[:best]), "later vintages", best_score)

    def _taught(self, periods: Periods) -> Periods:
        """Return the periods with events as the trees expect them mixed in, from a small book."""
        share = self.shape.taught_share
        if len(periods.x) >= self.shape.taught_below or not share:
            return periods
        expected = periods.months * np.exp(self.teacher(periods.x))
        return replace(periods, events=(1 - share) * periods.events + share * expected)


@dataclass(frozen=True)
class Pupil:
    """One member at its lessons."""

    net: Net
    periods: Periods
    batch: int
    blanks: Blanks
    dice: np.random.Generator
    solver: torch.optim.Optimizer

    def epoch(self, rate: float) -> None:
        """Look at every project once, each time with other cells missing.

        Args:
            rate: of Adam.
        """
        for group in self.solver.param_groups:
            group["lr"] = rate
        x = self.blanks.put_into(self.periods.x, self.dice)
        order = self.dice.permutation(len(x))
        for begin in range(0, len(order), self.batch):
            at = order[begin : begin + self.batch]
            self._step(x[at], self.periods.months[at], self.periods.events[at], at)

    def score(self, held: Periods) -> float:
        """Return the deviance of other projects, apart from its level."""
        with torch.no_grad():
            parts = [
                self.net(held.x[at : at + CHUNK]).numpy() for at in range(0, len(held.x), CHUNK)
            ]
        expected = held.months * np.exp(np.concatenate(parts).astype(np.float64))
        inside = held.months > 0
        weight = np.broadcast_to(held.weight[:, None], inside.shape)[inside]
        return stopping.deviance_apart_from_level(
            expected[inside], events=held.events[inside], weight=weight
        )

    def _step(self, x: Floats, months: Floats, events: Floats, at: Longs) -> None:
        margin = self.net(x).clamp(max=MOST_MARGIN)
        weight = self.periods.weight[at, None]
        e, d = (torch.tensor(weight * part, dtype=torch.float32) for part in (months, events))
        loss = (e * margin.exp() - d * margin).sum() / len(x)
        self.solver.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), STEEPEST)
        self.solver.step()
