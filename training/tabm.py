"""TabM as torch learns it: members that share all but a scale of each column and their answers.

    e_c = s_c + W_c ple(x_c)                    a column as a few numbers; v_c where it is missing
    log h(x) = a_m + O_m relu( H relu( L [r_mc e_c]_c + b ) + d )       of member m

Every member learns by its own loss; what serves is their mean. No column has a direction here and
no trees teach: this is what the columns say to a network that nothing binds.

Source: TabM, Gorishniy, Kotelnikov & Babenko (2024), its form "mini"; piecewise-linear encodings,
Gorishniy, Rubachev & Babenko (2022).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from models.additive import hats, knots_of
from models.tabm import Tabm
from training import boost, stopping
from training.blanks import Blanks
from training.network import HELD_EVENTS, Lesson, Pupil, paced, too_small
from training.periods import Floats, Periods
from training.shape import Ensemble


class Net(nn.Module):
    """All members at once."""

    def __init__(self, knots: Floats, baseline: Floats, shape: Ensemble) -> None:
        """Start with answers that are the baseline.

        Args:
            knots: (columns, nodes) of the encodings.
            baseline: (K,) log hazards to start from.
            shape: size.
        """
        super().__init__()
        columns, nodes = knots.shape
        self.knots = knots
        self.steps = nn.Parameter(torch.randn(columns, nodes - 1, shape.depth) / nodes**0.5)
        self.start = nn.Parameter(torch.zeros(columns, 1, shape.depth))
        self.missing = nn.Parameter(0.1 * torch.randn(columns, 1, shape.depth))
        self.scale = nn.Parameter(torch.randn(shape.members, columns, 1))
        self.first = nn.Linear(columns * shape.depth, shape.width)
        self.hidden = nn.Linear(shape.width, shape.width)
        self.drop = nn.Dropout(shape.dropout)
        self.heads = nn.Parameter(torch.zeros(shape.members, shape.width, len(baseline)))
        start = torch.tensor(baseline, dtype=torch.float32)
        self.baseline = nn.Parameter(start.repeat(shape.members, 1))

    def nodes(self) -> Tensor:
        """Return what each column becomes at its knots: (columns, nodes + 1, depth)."""
        known = torch.cat([self.start, self.start + self.steps.cumsum(1)], 1)
        return torch.cat([known, self.missing], 1)

    def forward(self, x: Floats) -> Tensor:
        """Return log hazards: (n, columns) encoded -> (n, K), in training (members, n, K)."""
        fine = torch.tensor(hats(x, self.knots), dtype=torch.float32)
        seen = torch.einsum("ncb,cbd->ncd", fine, self.nodes()) * self.scale[:, None]
        deep = self.drop(self.first(seen.flatten(2)).relu())  # (members, n, width)
        deep = self.drop(self.hidden(deep).relu())
        each = torch.baddbmm(self.baseline[:, None], deep, self.heads)
        return each if self.training else each.mean(0)

    def gathered(self) -> Tabm:
        """Return the members as they serve."""
        with torch.no_grad():
            columns, _, depth = self.steps.shape
            look = self.first.weight.T.reshape(columns, depth, -1)
            first = torch.einsum("cnd,mc,cdh->cnmh", self.nodes(), self.scale[..., 0], look)
            return Tabm(
                knots=self.knots,
                first=_plain(first),
                bias=_plain(self.first.bias),
                hidden=_plain(self.hidden.weight.T),
                turn=_plain(self.hidden.bias),
                heads=_plain(self.heads),
                baseline=_plain(self.baseline),
            )


def fit_tabm(
    periods: Periods,
    *,
    shape: Ensemble,
    blanks: Blanks,
    seed: int,
    told: Callable[[str], None] = lambda step: None,
) -> tuple[Tabm, Lesson]:
    """Return the members and how they were taught: at the pace that foretells later vintages best.

    Args:
        periods: of the projects to learn from.
        shape: size and pace.
        blanks: the cells that go missing.
        seed: of the start, the order of projects and the missing cells.
        told: of each step when it is done.
    """
    torch.set_num_threads(1)
    knots = knots_of(periods.x, shape.nodes)
    held = stopping.latest(periods, events=HELD_EVENTS)
    if held is None:
        lesson = too_small(shape.rate, shape.epochs)
    else:
        early = _pupil(periods.take(~held), knots, shape, blanks, seed)
        lesson = paced(early, periods.take(held), rate=shape.rate, epochs=shape.epochs)
    told("TabM: pace found")
    pupil = _pupil(periods, knots, shape, blanks, seed)
    for rate in lesson.rates:
        pupil.epoch(rate)
    told("TabM: taught")
    return pupil.net.gathered(), lesson


def _pupil(
    periods: Periods, knots: Floats, shape: Ensemble, blanks: Blanks, seed: int
) -> Pupil[Net]:
    """Return members that have learnt nothing yet."""
    torch.manual_seed(boost.member_seed(seed, 0))
    net = Net(knots, periods.baseline, shape)
    free = {"params": [net.baseline], "weight_decay": 0.0}
    bent = [each for each in net.parameters() if each is not net.baseline]
    solver = torch.optim.AdamW([{"params": bent, "weight_decay": shape.decay}, free])
    dice = np.random.default_rng([seed, 0, 1])
    return Pupil(net, periods, shape.batch, blanks, dice, solver)


def _plain(weights: Tensor) -> Floats:
    return weights.numpy().astype(np.float64)
