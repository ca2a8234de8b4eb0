"""How far the defaults of coming projects stray from what was foretold: tau, and its proof.

A cohort is a tenth of the score in a quarter of origination, out of time. Of its n projects k
defaulted by the horizon, where the model foretold a share p. More than chance may lie between: the
bag would be another on another sample (its members differ by s on the cohort's logit), and the
world is not that of the training projects. With a shift b of all logits of the cohort,

    k ~ Binomial(n, p(b)),    p(b) = mean over projects of expit(logit p_i + b),
    b ~ Normal(0, s^2 + tau^2)

and tau is what makes the cohorts most likely. It is centred on what was foretold and not on what
happened on average: a quote is, too. Weighted projects count as n = (sum w)^2 / sum w^2 (Kish).

Source: the logistic-normal random-effects model, Williams (1982), Applied Statistics 31, 144-148.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betainc, expit, logit, logsumexp, ndtr, xlog1py, xlogy

from features.book import DEFAULTED, Book
from models.interval import HORIZON_MONTHS, LEVEL
from pricing.survival import DEFAULT, incidence
from training.evaluate import Foretold
from training.fit import Fitted
from training.metrics import LEAST, effective
from training.periods import Bools, Floats

Ints = NDArray[np.int64]

TENTHS = 10
ENOUGH_COHORTS = 40  # a year of quarters; half of them give tau where coverage is tried
ENOUGH_DEFAULTS = 100
WIDEST = 2.0  # no tau is larger
LEAST_CHANCE = 1e-300  # of a shift that is out of reach
SHIFTS = np.linspace(-6.0, 6.0, 601)  # (shifts,) of a cohort's logit


@dataclass(frozen=True)
class OutOfTime:
    """What the card says of the interval.

    Attributes:
        tau: standard deviation on the logit of PD, beyond chance and the bag; None: too few.
        horizon_months: of that PD.
        cohorts: from which tau is.
        level: of the interval whose coverage was tried.
        coverage: share of the later half of the quarters whose defaults lay in the interval with
            the tau of the earlier half; None without tau.
        coverage_by_chance: likewise, had the interval contained chance alone.
        held_out: cohorts of the later half.
    """

    tau: float | None
    horizon_months: int
    cohorts: int
    level: float = LEVEL
    coverage: float | None = None
    coverage_by_chance: float | None = None
    held_out: int = 0

    @property
    def card(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)


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
        cls, pd: Floats, kinds: Sequence[Floats], fell: Bools, weight: Floats, month: Ints
    ) -> Cohorts:
        """Gather projects of which is known whether they defaulted.

        Args:
            pd: (n,) foretold.
            kinds: of members, trees or networks, each (members, n) foretold by each alone.
            fell: (n,) whether they did.
            weight: (n,), >= 0.
            month: (n,) of origination.
        """
        z, *each = (logit(np.clip(p, LEAST, 1 - LEAST)) for p in (pd, *kinds))
        groups = _groups(pd, weight, month)
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

    @property
    def enough(self) -> bool:
        """Return whether tau can be told: cohorts, quarters and defaults enough."""
        quarters = len(np.unique(self.quarter))
        return len(self) >= ENOUGH_COHORTS and quarters >= 2 and self.k.sum() >= ENOUGH_DEFAULTS


def tau_of(cohorts: Cohorts) -> float:
    """Return the standard deviation that makes the cohorts most likely; 0 if chance is enough."""
    found = minimize_scalar(
        lambda sd: -_log_likelihood(cohorts, sd), bounds=(0.0, WIDEST), method="bounded"
    )
    best = float(found.x)
    return best if _log_likelihood(cohorts, best) > _log_likelihood(cohorts, 0.0) else 0.0


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


def measure(cohorts: Cohorts, *, horizon_months: int = HORIZON_MONTHS) -> OutOfTime:
    """Return tau of all cohorts, and the coverage of the later half with tau of the earlier."""
    if not cohorts.enough:
        return OutOfTime(None, horizon_months, len(cohorts))
    earlier, later = cohorts.halves()
    return OutOfTime(
        tau_of(cohorts),
        horizon_months,
        len(cohorts),
        coverage=coverage(later, tau=tau_of(earlier)),
        coverage_by_chance=coverage(later, tau=0.0, chance_alone=True),
        held_out=len(later),
    )


def judge(fitted: Fitted, margins: Floats, *, threads: int = 1) -> OutOfTime:
    """Measure how far the cohorts of a fit strayed in its test window.

    Args:
        fitted: with its split and its members.
        margins: (n, 3, K) of the test projects, with the overlay.
        threads: of LightGBM.
    """
    test = fitted.split.test
    kinds = fitted.causes.members(fitted.encoder.matrix(test.frame), threads=threads)
    return measure(gather(margins, kinds, test))


def gather(
    margins: Floats, kinds: Sequence[Floats], book: Book, *, horizon_months: int = HORIZON_MONTHS
) -> Cohorts:
    """Return the cohorts of a book: its projects whose fate at the horizon is known.

    Args:
        margins: (n, 3, K) with the overlay.
        kinds: of members, each (members, n, K) log-hazards of default, without it.
        book: the same projects, with all outcomes known.
        horizon_months: by which they defaulted.
    """
    foretold = Foretold.of(margins, book)
    seen = foretold.followed(horizon_months)
    until = np.minimum(horizon_months, foretold.term_months).astype(np.int64)[seen]
    edges = book.column_set.age_edges_months
    last = min(horizon_months, edges[-1])

    def alone(member: Floats, level: Floats) -> Floats:
        moved = margins[seen].copy()
        moved[:, DEFAULT] = (member + level)[seen]
        return _by(incidence(moved, edges, last), until)

    by_kind = []
    for members in kinds:
        level = margins[:, DEFAULT] - members.mean(axis=0)  # (n, K) the overlay
        by_kind.append(np.array([alone(member, level) for member in members]))
    fell = (book.event == DEFAULTED) & (book.age_months <= horizon_months)
    return Cohorts.of(
        _by(foretold.pd[seen], until),
        by_kind,
        fell[seen],
        book.weight[seen],
        book.originated[seen],
    )


def _by(pd: Floats, months: Ints) -> Floats:
    return np.asarray(pd[np.arange(len(months)), months], np.float64)


def _groups(pd: Floats, weight: Floats, month: Ints) -> list[Ints]:
    """Return who is in each tenth of the score of each quarter, equal in weight over all."""
    order = np.argsort(pd, kind="stable")
    share = np.empty(len(pd))
    share[order] = np.cumsum(weight[order]) / max(weight.sum(), LEAST)
    tenth = np.clip((share * TENTHS - 1e-9).astype(np.int64), 0, TENTHS - 1)
    cohort = month // 3 * TENTHS + tenth
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
    """Return (cohorts, shifts) how likely each shift is: the normal's mass around it."""
    sd = np.maximum(np.hypot(sd_bag, tau), 1e-9)[:, None]
    step = SHIFTS[1] - SHIFTS[0]
    mass = ndtr((SHIFTS + step / 2) / sd) - ndtr((SHIFTS - step / 2) / sd)
    return np.asarray(mass / mass.sum(axis=1, keepdims=True), np.float64)


def _log_likelihood(cohorts: Cohorts, tau: float) -> float:
    n, k, share = cohorts.n[:, None], cohorts.k[:, None], cohorts.share
    given_shift = xlogy(k, share) + xlog1py(n - k, -share)  # (cohorts, shifts)
    chances = np.log(np.maximum(_chances(cohorts.sd_bag, tau), LEAST_CHANCE))
    return float(logsumexp(given_shift + chances, axis=1).sum())
