"""What nobody can beat: the true probabilities of default, from the hazards that made the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from features.world.calendar import LONG_MONTHS, SHORT_MONTHS, strain
from features.world.dice import Floats, Ints
from features.world.hazard import FRAILTY, MONTHS, STRAIN_DEFAULT, STRAIN_EXIT, Effects

HORIZONS_MONTHS = (12, 36, 60)
BLOCK = 8192  # projects at a time: 8192 x 84 hazards stay in cache and memory small
NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class Oracle:
    """True probabilities of default within 12, 36 and 60 months, (projects, 3), capped at the term.

    `everything` knows frailty and the path of the economy: nothing can beat it but luck. `columns`
    knows the generating function of the columns *before any of them is hidden*, with frailty
    integrated out and strain averaged over its cycles: a lender with perfect data and endless
    experience. A model sees hidden columns as missing and knows less than `columns`, so that coming
    close to it is harder than it has to be.
    """

    everything: Floats
    columns: Floats


def blocks(projects: int) -> Iterator[slice]:
    """Return the slices that cover all projects, `BLOCK` at a time."""
    return (slice(start, min(start + BLOCK, projects)) for start in range(0, projects, BLOCK))


def incidence(default: Floats, exits: Floats, term_months: Floats) -> Floats:
    """Return the probability of default within each horizon: (projects, 3).

        S(t) = S(t-1) exp(-(λd + λe)),    p(t) = S(t-1) (1 - exp(-(λd + λe))) λd / (λd + λe)

    summed over t to the horizon or the term, whichever comes first.

    Args:
        default: λd, monthly hazards of default, (projects, MONTHS).
        exits: λe, monthly hazards of all early exits together, (projects, MONTHS).
        term_months: agreed end of each loan, (projects,).
    """
    total = default + exits
    after = np.exp(-np.cumsum(total, axis=1))
    before = np.hstack([np.ones((len(total), 1)), after[:, :-1]])
    p = (before - after) * default / total
    p[np.arange(1, MONTHS + 1) > term_months[:, None]] = 0.0
    ends: Floats = np.cumsum(p, axis=1)[:, np.array(HORIZONS_MONTHS) - 1]
    return ends


def everything(effects: Effects, month: Ints, frailty: Floats) -> tuple[Floats, Floats]:
    """Return the hazards of default and of each exit that the loans live under.

    Returns:
        default (projects, MONTHS) and exits (2, projects, MONTHS), both per month.
    """
    path = strain(month[:, None] + np.arange(1, MONTHS + 1))
    default = np.exp(effects.default() + STRAIN_DEFAULT * path + frailty[:, None])
    return default, np.exp(effects.exits() + STRAIN_EXIT * path)


def known_columns(effects: Effects) -> Floats:
    """Return the probabilities of default given the columns, frailty integrated out."""
    default = np.exp(effects.default()) * _mean_over_cycles(STRAIN_DEFAULT)
    exits = np.exp(effects.exits()).sum(axis=0) * _mean_over_cycles(STRAIN_EXIT)
    mean = np.zeros((len(default), len(HORIZONS_MONTHS)))
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        mean += weight * incidence(default * np.exp(FRAILTY * node), exits, effects.term_months)
    return mean


def _mean_over_cycles(effect: float) -> float:
    """Return the mean of exp(effect · strain) over all phases of the cycles."""
    path = strain(np.arange(LONG_MONTHS * SHORT_MONTHS, dtype=np.int64))
    return float(np.exp(effect * path).mean())
