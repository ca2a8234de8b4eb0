"""The interval around a quote: how far the probability of default and the price may be out.

Two things are not known: what another sample of the same projects would have taught the trees (the
members of the bag differ by `sd_bag`), and how far the defaults of coming projects stray from what
was foretold (out of time, groups of them strayed by `tau` more than chance and the bag explain):

    logit PD  ±  z sqrt(sd_bag^2 + tau^2)

Both are standard deviations of the logit of PD at one horizon, that at which `tau` was measured.
The ends are reached by one shift of all log-hazards of default, up or down; every other figure of
the quote has its interval at the same two sets of margins, the price among them.

The level is one of groups: of a tenth of the score in a quarter of originations, defaults lie
inside so often. `training/drift.py` measures it on rolling origins, each tried with the tau of the
others, so that tau contains what moves a quarter as a whole, the economy, as well as what moves a
group by itself. It speaks of economies like those of the origins, not of a worse one. A single
project's own probability cannot be observed and may lie outside more often, by what its columns do
not tell. Not contained either: a loss given default or early exits that turn out otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from models.leaves import Floats
from models.tables import Longs
from pricing.errors import InputError, ModelError
from pricing.look import Ends
from pricing.survival import as_ages

LEVEL = 0.90
HORIZON_MONTHS = 24
STEPS = 50  # of Newton; three or four are enough
CLOSE = 1e-12  # logit


@dataclass(frozen=True)
class Drift:
    """How far groups of projects strayed out of time from what was foretold.

    Attributes:
        tau: standard deviation on the logit of PD; None where too few groups have been seen.
        horizon_months: of that PD.
    """

    tau: float | None = None
    horizon_months: int = HORIZON_MONTHS

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Drift:
        """Read the drift from a model's card; models that were fitted without one have none.

        >>> Drift.of({"interval": {"tau": 0.2, "horizon_months": 24}})
        Drift(tau=0.2, horizon_months=24)

        Raises:
            ModelError: tau is not a number from 0, or the horizon not a whole number of months.
        """
        given = card.get("interval") or {}
        tau, months = given.get("tau"), given.get("horizon_months", HORIZON_MONTHS)
        if tau is not None and not (isinstance(tau, int | float) and 0 <= tau < math.inf):
            raise ModelError(f"interval.tau must be a number from 0 or null, however: {tau!r}")
        if not (isinstance(months, int) and months >= 1):
            raise ModelError(f"interval.horizon_months must be from 1, however: {months!r}")
        return cls(None if tau is None else float(tau), months)


class Interval(NamedTuple):
    """Two ends of a quote; groups of projects default within theirs with probability `level`.

    Attributes:
        level: in (0, 1).
        pd_low: of default within the term, a fraction; None where no price is viable there.
        pd_high: likewise.
        low_bps: of the figure explained; None likewise.
        high_bps: likewise.
        sd_bag: of the members, on the logit of PD at the drift's horizon.
        tau: of the groups out of time, likewise; None: not known, the interval is the bag's alone.
    """

    level: float
    pd_low: float | None
    pd_high: float | None
    low_bps: float | None
    high_bps: float | None
    sd_bag: float
    tau: float | None

    @classmethod
    def of(cls, ends: Ends, *, sd_bag: float, drift: Drift, level: float = LEVEL) -> Interval:
        """Return the interval of a quote, of which the ends are known.

        Args:
            ends: what it costs at the margins of `ends`.
            sd_bag: as there.
            drift: as there.
            level: as there.

        Raises:
            ModelError: a figure at an end is not finite.
        """
        numbers = [number for pair in ends for number in pair if number is not None]
        if not all(map(math.isfinite, numbers)):
            raise ModelError(f"the ends of an interval must be finite, however: {numbers}")
        low_bps, high_bps = ends.bps
        if low_bps is not None and high_bps is not None and low_bps > high_bps:
            low_bps, high_bps = high_bps, low_bps  # the worth of a stake falls with the risk
        return cls(level, *ends.pd, low_bps, high_bps, sd_bag, drift.tau)

    @property
    def contains(self) -> str:
        """Return what the interval contains: "bag" or "bag_and_cohorts"."""
        return "bag" if self.tau is None else "bag_and_cohorts"


def ends(
    margins: Floats,
    edges: Sequence[int] | Longs,
    *,
    sd_bag: float,
    drift: Drift,
    level: float = LEVEL,
) -> Floats:
    """Return (2, 3, K) the margins at the safer and the riskier end of an interval.

    Args:
        margins: (3, K) of the project, with the overlay.
        edges: (K + 1,) months.
        sd_bag: from `Members.spread` with the weights of `slopes` at the drift's horizon.
        drift: of the model.
        level: in (0, 1).
    """
    half = _quantile(level) * math.hypot(sd_bag, drift.tau or 0.0)
    ages = as_ages(edges)
    return _ends(_own(margins), ages, min(drift.horizon_months, int(ages[-1])), half)


@lru_cache(maxsize=8)
def _quantile(level: float) -> float:
    """Return how many standard deviations around the middle contain the level."""
    if not 0 < level < 1:
        raise InputError.of("level", "above 0 and below 1", level)
    return NormalDist().inv_cdf((1 + level) / 2)


def slopes(margins: Floats, edges: Sequence[int] | Longs, *, months: int) -> Floats:
    """Return (K,) the derivatives of logit PD by the log-hazards of default.

    With hazards h_d, h_x, tot = h_d + h_x and c = h_d / tot over the n months of a bucket, S alive
    at its start and PD' those who default after it,

        PD = sum_k S_k (1 - exp(-n tot)) c,      S_{k+1} = S_k exp(-n tot)
        dPD / d log h_d,k = S_k [n h_d exp(-n tot) c + (1 - exp(-n tot)) c (1 - c)] - n h_d PD'_k

    and logit PD moves by 1 / PD (1 - PD) of that. Their sum is close to one where PD is small: a
    shift of all log-hazards is then as large as that of the logit.

    >>> flat = np.array([[math.log(0.001)] * 2, [-math.inf] * 2, [0.0] * 2])
    >>> slopes(flat, (0, 6, 12), months=12).round(3).tolist()
    [0.503, 0.503]
    """
    ages = as_ages(edges)
    out = np.empty(len(ages) - 1)
    _logit(_own(margins), ages, min(months, int(ages[-1])), 0.0, out)
    return out


def _own(margins: Floats) -> Floats:
    """Return margins as the kernels take them: they compile anew for memory that is strided."""
    own = np.ascontiguousarray(margins, np.float64)
    return own if own.flags.writeable else own.copy()


@njit(cache=True, error_model="numpy")
def _ends(margins: Floats, ages: Longs, months: int, half: float) -> Floats:
    """Return (2, 3, K) margins at which logit PD is lower, and higher, by half."""
    out = np.empty((2, *margins.shape))
    room = np.empty(margins.shape[1])
    middle = _logit(margins, ages, months, 0.0, room)
    for side in range(2):
        target = middle + (half if side else -half)
        by = 0.0
        for _ in range(STEPS):
            miss = target - _logit(margins, ages, months, by, room)
            if not abs(miss) > CLOSE:
                break
            by += miss / room.sum()
        out[side] = margins
        out[side, 0] += by
    return out


@njit(cache=True, error_model="numpy")
def _logit(margins: Floats, ages: Longs, months: int, by: float, slope: Floats) -> float:
    """Return logit PD with all log-hazards of default moved, and note its slopes, (K,)."""
    alive, pd, left = 1.0, 0.0, 0.0
    for k in range(len(slope)):
        n = max(0, min(months, ages[k + 1]) - ages[k])
        h_d, h_x = math.exp(margins[0, k] + by), math.exp(margins[1, k])
        gone, c = -math.expm1(-n * (h_d + h_x)), h_d / (h_d + h_x)
        pd += alive * gone * c
        left += alive * gone * (1 - c)
        # PD' is all of PD less what came before: the first part is known below only
        slope[k] = alive * (n * h_d * (1 - gone) * c + gone * c * (1 - c)) + n * h_d * pd
        alive *= 1 - gone
    others = alive + left
    for k in range(len(slope)):
        n = max(0, min(months, ages[k + 1]) - ages[k])
        slope[k] = (slope[k] - n * math.exp(margins[0, k] + by) * pd) / (pd * others)
    return math.log(pd) - math.log(others)
