"""How far the defaults of coming projects stray from what was foretold: tau, and its proof.

A cohort is a tenth of the score in a quarter of origination, out of time. Of its n projects k
defaulted by the horizon, where the model foretold a share p. More than chance may lie between: the
bag would be another on another sample (its members differ by s on the cohort's logit), the economy
moves all projects of a quarter together, and groups change in ways that no column tells. With a
shift b of all logits of the cohort,

    k ~ Binomial(n, p(b)),    p(b) = mean over projects of expit(logit p_i + b),
    b ~ Normal(0, s^2 + tau^2),    tau^2 = tau_quarter^2 + tau_group^2

and tau is what makes the cohorts most likely. It is centred on what was foretold and not on what
happened on average: a quote is, too. So a quarter that is off as a whole counts in full, by each of
its cohorts; how much of tau moves whole quarters is then what makes the quarters most likely.
Weighted projects count as n = (sum w)^2 / sum w^2 (Kish).

Source: the logistic-normal random-effects model, Williams (1982), Applied Statistics 31, 144-148.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betainc, expit, logit, logsumexp, ndtr, xlog1py, xlogy

from models.interval import LEVEL
from training.metrics import LEAST, effective
from training.periods import Bools, Floats

Ints = NDArray[np.int64]

TENTHS = 10
ENOUGH_COHORTS = 40  # a year of quarters; half of them give tau where coverage is tried
ENOUGH_DEFAULTS = 100
LEVELS = 30  # of a category, above which its cohorts would be tiny
NODES, PARTS = 9, 11  # of the integral over a quarter's shift; parts of tau that are tried
CLOSE = 1e-3  # of tau
WIDEST = 2.0  # no tau is larger
LEAST_CHANCE = 1e-300  # of a shift that is out of reach
SHIFTS = np.linspace(-6.0, 6.0, 401)  # (shifts,) of a cohort's logit


@dataclass(frozen=True, eq=False)
class Cohorts:
    """Groups of projects, what was foretold for each and what came.

    Attributes:
        quarter: (cohorts,) of origination, counted from any one.
        n: (cohorts,) effective number of projects.
        k: (cohorts,) effective number that defaulted.
        share: (cohorts, shifts) foretold, were every logit moved by `SHIFTS`.
        sd_bag: (cohorts,) standard deviation over the bag's members of the cohort's logit.
    """

    quarter: Ints
    n: Floats
    k: Floats
    share: Floats
    sd_bag: Floats

    @classmethod
    def of(
        cls,
        pd: Floats,
        kinds: Sequence[Floats],
        fell: Bools,
        weight: Floats,
        month: Ints,
        segment: Ints | None = None,
    ) -> Cohorts:
        """Gather projects of which is known whether they defaulted.

        Args:
            pd: (n,) foretold.
            kinds: of members, trees or networks, each (members, n) foretold by each alone.
            fell: (n,) whether they did.
            weight: (n,), >= 0.
            month: (n,) of origination.
            segment: (n,) that is gathered within a quarter; by default the tenth of the score.
        """
        z, *each = (logit(np.clip(p, LEAST, 1 - LEAST)) for p in (pd, *kinds))
        segment = _tenth(pd, weight) if segment is None else segment
        groups = _groups(segment, weight, month)
        return cls(
            np.array([month[at[0]] // 3 for at in groups], np.int64),
            np.array([effective(weight[at]) for at in groups]),
            np.array([effective(weight[at]) * _mean(fell[at], weight[at]) for at in groups]),
            np.array([_moved(z[at], weight[at]) for at in groups]).reshape(-1, len(SHIFTS)),
            np.array([_apart(z[at], [p[:, at] for p in each], weight[at]) for at in groups]),
        )

    def __len__(self) -> int:
        """Return the number of cohorts."""
        return len(self.n)

    def take(self, chosen: Bools) -> Cohorts:
        """Return some of the cohorts."""
        return Cohorts(
            self.quarter[chosen],
            self.n[chosen],
            self.k[chosen],
            self.share[chosen],
            self.sd_bag[chosen],
        )

    def halves(self) -> tuple[Cohorts, Cohorts]:
        """Return the cohorts of the earlier and of the later half of the quarters."""
        quarters = np.unique(self.quarter)
        later = self.quarter >= quarters[len(quarters) // 2]
        return self.take(~later), self.take(later)

    @classmethod
    def joined(cls, parts: Sequence[Cohorts]) -> Cohorts:
        """Return the cohorts of several origins as one."""
        names = (field.name for field in fields(cls))
        return cls(*(np.concatenate([getattr(one, name) for one in parts]) for name in names))

    @property
    def enough(self) -> bool:
        """Return whether tau can be told: cohorts, quarters and defaults enough."""
        quarters = len(np.unique(self.quarter))
        return len(self) >= ENOUGH_COHORTS and quarters >= 2 and self.k.sum() >= ENOUGH_DEFAULTS


def tau_of(cohorts: Cohorts) -> float:
    """Return the standard deviation that makes the cohorts most likely; 0 if chance is enough."""
    given_shift = _given_shift(cohorts)

    def log_likelihood(tau: float) -> float:
        chances = np.log(np.maximum(_chances(cohorts.sd_bag, tau), LEAST_CHANCE))
        return float(logsumexp(given_shift + chances, axis=1).sum())

    found = minimize_scalar(
        lambda sd: -log_likelihood(sd),
        bounds=(0.0, WIDEST),
        method="bounded",
        options={"xatol": CLOSE},
    )
    best = float(found.x)
    return best if log_likelihood(best) > log_likelihood(0.0) else 0.0


def ranks(cohorts: Cohorts, *, tau: float, chance_alone: bool = False) -> Floats:
    """Return where each cohort's defaults stand in the distribution foretold for them, in (0, 1).

    Ranks of a right model are uniform. Of k defaults the rank is P(less) + P(as many) / 2, for
    which stands I_{1-p}(n - k + 1/2, k + 1/2), that holds for weighted numbers too.

    Args:
        cohorts: (cohorts,).
        tau: of the shift.
        chance_alone: whether the shift is nought, the bag's share of it included.

    Source: Brown, Cai & DasGupta (2001), Statistical Science 16, 101-133, on mid-P and Jeffreys.
    """
    n, k = cohorts.n[:, None], cohorts.k[:, None]
    given_shift = betainc(n - k + 0.5, k + 0.5, 1 - cohorts.share)  # (cohorts, shifts)
    sd_bag = np.zeros(len(cohorts)) if chance_alone else cohorts.sd_bag
    return np.asarray((_chances(sd_bag, tau) * given_shift).sum(axis=1), np.float64)


def coverage(
    cohorts: Cohorts, *, tau: float, level: float = LEVEL, chance_alone: bool = False
) -> float:
    """Return the share of cohorts whose defaults lay inside the interval of this level and tau."""
    rank = ranks(cohorts, tau=tau, chance_alone=chance_alone)
    return float(np.mean(np.abs(rank - 0.5) <= level / 2))


def common_of(cohorts: Cohorts, *, tau: float) -> float:
    """Return the part of tau that moves all cohorts of a quarter together.

    With u ~ Normal(0, tau_quarter^2) of the quarter and v ~ Normal(0, tau^2 - tau_quarter^2) of
    each of its cohorts, the likelihood of a quarter is

        integral over u of  product over cohorts of  integral over v of  P(k | u + v)

    the outer one by Gauss-Hermite's nodes, the inner one on `SHIFTS`.

    Args:
        cohorts: of several quarters.
        tau: of all of them.
    """
    if tau == 0.0:
        return 0.0
    given_shift = _given_shift(cohorts)
    most = given_shift.max(axis=1, keepdims=True)  # (cohorts, 1)
    chance = np.exp(given_shift - most)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = np.log(weights / weights.sum())

    def log_likelihood(common: float) -> float:
        own = np.hypot(cohorts.sd_bag, math.sqrt(max(tau**2 - common**2, 0.0)))
        inner = np.stack(
            [  # (nodes, cohorts)
                np.log(np.maximum((_around(common * node, own) * chance).sum(axis=1), LEAST_CHANCE))
                for node in nodes
            ]
        )
        by_quarter = np.stack(
            [  # (quarters, nodes)
                inner[:, cohorts.quarter == one].sum(axis=1) for one in np.unique(cohorts.quarter)
            ]
        )
        return float(logsumexp(by_quarter + weights, axis=1).sum())

    tried = tau * np.sqrt(np.linspace(0.0, 1.0, PARTS))
    return float(max(tried, key=log_likelihood))


def _tenth(pd: Floats, weight: Floats) -> Ints:
    """Return each project's tenth of the score, (n,), equal in weight over all quarters."""
    order = np.argsort(pd, kind="stable")
    share = np.empty(len(pd))
    share[order] = np.cumsum(weight[order]) / max(weight.sum(), LEAST)
    return np.clip((share * TENTHS - 1e-9).astype(np.int64), 0, TENTHS - 1)


def _groups(segment: Ints, weight: Floats, month: Ints) -> list[Ints]:
    """Return who is in each segment of each quarter."""
    cohort = month // 3 * (segment.max(initial=0) + 1) + segment
    counted = [np.flatnonzero((cohort == one) & (weight > 0)) for one in np.unique(cohort)]
    return [at for at in counted if len(at)]


def _mean(of: Floats | Bools, weight: Floats) -> float:
    return float(np.average(of, weights=weight))


def _moved(z: Floats, weight: Floats) -> Floats:
    """Return (shifts,) the mean probability of logits (n,), were all of them moved."""
    return np.asarray(weight @ expit(z[:, None] + SHIFTS) / weight.sum(), np.float64)


def _apart(z: Floats, kinds: Sequence[Floats], weight: Floats) -> float:
    """Return the members' standard deviation on the logit of a cohort: (n,), each (members, n)."""
    moves = weight * expit(z) * expit(-z)  # how much of the cohort's share a project's logit moves
    apart = [np.std((p - z) @ moves / moves.sum(), ddof=1) for p in kinds if len(p) > 1]
    return math.hypot(*apart)


def _chances(sd_bag: Floats, tau: float) -> Floats:
    """Return (cohorts, shifts) how likely each shift is around none."""
    return _around(0.0, np.hypot(sd_bag, tau))


def _around(middle: float, sd: Floats) -> Floats:
    """Return (cohorts, shifts) the normal's mass at each shift."""
    sd = np.maximum(sd, 1e-9)[:, None]
    step = SHIFTS[1] - SHIFTS[0]
    mass = ndtr((SHIFTS - middle + step / 2) / sd) - ndtr((SHIFTS - middle - step / 2) / sd)
    return np.asarray(mass / mass.sum(axis=1, keepdims=True), np.float64)


def _given_shift(cohorts: Cohorts) -> Floats:
    """Return (cohorts, shifts) the log-likelihood of the defaults at each shift."""
    n, k, share = cohorts.n[:, None], cohorts.k[:, None], cohorts.share
    return np.asarray(xlogy(k, share) + xlog1py(n - k, -share), np.float64)
