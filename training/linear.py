"""The benchmark that trees have to beat: linear proportional hazards on the same columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from training.periods import Floats, Periods

CLIP = 4.0  # standard deviations
RIDGE = 20.0  # in events, on standardised columns
STEPS = 200


@dataclass(frozen=True)
class Linear:
    """log h_k(x) = a_k + b z(x), with z the standardised columns and their missing flags.

    Attributes:
        middle: (columns,) medians, put for what is missing.
        centre: (columns,) means after that.
        scale: (columns,) standard deviations after that.
        flagged: indices of the columns that were ever missing.
        slopes: (columns + flags,).
        baseline: (K,).
    """

    middle: Floats
    centre: Floats
    scale: Floats
    flagged: tuple[int, ...]
    slopes: Floats
    baseline: Floats

    def margins(self, x: Floats) -> Floats:
        """Return log monthly hazards: (n, columns) -> (n, K)."""
        return np.asarray((self.design(x) @ self.slopes)[:, None] + self.baseline, np.float64)

    def design(self, x: Floats) -> Floats:
        """Return z: imputed, standardised, clipped, with a flag a column that may be missing."""
        missing = np.isnan(x)
        z = (np.where(missing, self.middle, x) - self.centre) / self.scale
        return np.column_stack([np.clip(z, -CLIP, CLIP), missing[:, list(self.flagged)]])


def fit_linear(periods: Periods) -> Linear:
    """Return the proportional hazards of a cause, by maximum penalised likelihood.

        minimise  sum w ( e exp(a_k + b z) - d (a_k + b z) ) + ridge |b|^2

    Source: piecewise exponential regression, Friedman (1982).
    """
    start = standardised(periods)
    z = torch.tensor(start.design(periods.x))
    months = torch.tensor(periods.months * periods.weight[:, None])
    events = torch.tensor(periods.events * periods.weight[:, None])
    slopes = torch.zeros(z.shape[1], dtype=torch.float64, requires_grad=True)
    baseline = torch.tensor(start.baseline, requires_grad=True)
    solver = torch.optim.LBFGS([slopes, baseline], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        margin = (z @ slopes)[:, None] + baseline
        value = (months * margin.exp() - events * margin).sum() + RIDGE * (slopes**2).sum()
        value = value / len(z)
        value.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]  # nor this
    return Linear(
        start.middle,
        start.centre,
        start.scale,
        start.flagged,
        slopes.detach().numpy(),
        baseline.detach().numpy(),
    )


def standardised(periods: Periods) -> Linear:
    """Return how columns are filled, standardised and flagged, with slopes that say nothing yet."""
    missing = np.isnan(periods.x)
    empty = missing.all(axis=0)
    middle = np.nanmedian(np.where(empty, 0.0, periods.x), axis=0)
    filled = np.where(missing, middle, periods.x)
    scale = filled.std(axis=0)
    flagged = tuple(np.flatnonzero(missing.any(axis=0) & ~empty).tolist())
    none = np.zeros(filled.shape[1] + len(flagged))
    steady = np.where(scale > 0, scale, 1.0)
    return Linear(middle, filled.mean(axis=0), steady, flagged, none, periods.baseline)
