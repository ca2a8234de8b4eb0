"""The interval before it is published: tau of all origins, and each origin tried with the others'.

The origins are earlier years, each foretold with what was known then (`training/origins.py`), and
the version's own test window. Whether an interval holds is asked of an origin with the tau that the
other origins give: no cohort is asked that has told the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.book import DEFAULTED, Book
from features.column import Kind
from models.interval import HORIZON_MONTHS, LEVEL
from pricing.survival import DEFAULT, incidence
from training.cohorts import SHIFTS, Cohorts, Ints, common_of, coverage, tau_of
from training.evaluate import Foretold
from training.fit import Fitted
from training.origins import Origin
from training.periods import Floats
from training.split import name_of

LEVELS = 30  # of a category, above which its cohorts would be tiny


@dataclass(frozen=True)
class Tried:
    """The interval on the cohorts of one origin, with the tau of the others.

    Attributes:
        first: quarter of its originations, by its first month, as "2020-07".
        cohorts: their number.
        observed_over_expected: defaults over those foretold.
        coverage: share of the cohorts whose defaults lay in the interval.
    """

    first: str
    cohorts: int
    observed_over_expected: float
    coverage: float


@dataclass(frozen=True)
class OutOfTime:
    """What the card says of the interval.

    Attributes:
        tau: standard deviation on the logit of PD, beyond chance and the bag; None: too few.
        horizon_months: of that PD.
        cohorts: from which tau is.
        tau_quarter: the part of tau that moves whole quarters of originations.
        tau_group: the other part.
        level: of the interval whose coverage was tried.
        coverage: share of the cohorts that lay in the interval, each with the tau of the other
            origins; None without tau.
        coverage_by_chance: likewise, had the interval contained chance alone.
        coverage_of_segments: likewise, of the levels of categories in a quarter.
        origins: each by itself.
    """

    tau: float | None
    horizon_months: int
    cohorts: int
    tau_quarter: float | None = None
    tau_group: float | None = None
    level: float = LEVEL
    coverage: float | None = None
    coverage_by_chance: float | None = None
    coverage_of_segments: float | None = None
    origins: tuple[Tried, ...] = ()

    @property
    def card(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self)


def measure(
    parts: Sequence[Cohorts],
    segments: Sequence[Cohorts] = (),
    *,
    horizon_months: int = HORIZON_MONTHS,
) -> OutOfTime:
    """Return tau of all cohorts, and the coverage of each origin's with the tau of the others.

    One origin alone is taken as two: the earlier and the later half of its quarters.

    Args:
        parts: the cohorts of each origin.
        segments: likewise, gathered by the levels of categories.
        horizon_months: by which projects defaulted.
    """
    whole = Cohorts.joined(parts)
    if not whole.enough:
        return OutOfTime(None, horizon_months, len(whole))
    if len(parts) == 1:
        parts, segments = parts[0].halves(), [half for one in segments for half in one.halves()]
    others = [
        tau_of(Cohorts.joined([one for other, one in enumerate(parts) if other != at]))
        for at in range(len(parts))
    ]
    tried = tuple(_tried(*one) for one in zip(parts, others, strict=True))
    tau = tau_of(whole)
    quarter = common_of(whole, tau=tau)
    return OutOfTime(
        tau,
        horizon_months,
        len(whole),
        tau_quarter=quarter,
        tau_group=math.sqrt(max(tau**2 - quarter**2, 0.0)),
        coverage=_over_all(parts, others),
        coverage_by_chance=coverage(whole, tau=0.0, chance_alone=True),
        coverage_of_segments=_over_all(segments, others) if segments else None,
        origins=tried,
    )


def judge(fitted: Fitted, margins: Floats, before: Sequence[Origin]) -> OutOfTime:
    """Measure how far the cohorts of a fit strayed in its test window, and those of origins before.

    Args:
        fitted: with its split and its members.
        margins: (n, 3, K) of the test projects, with the overlay.
        before: earlier origins.
    """
    test = fitted.split.test
    kinds = fitted.causes.members(fitted.encoder.matrix(test.frame), threads=1)
    shift = float(fitted.overlay[DEFAULT, 0])
    origins = [*before, Origin(fitted.split.test_from, margins, kinds, test, shift)]
    known = [(one, gather(one.margins, one.kinds, one.book)) for one in origins]
    known = [(one, cohorts) for one, cohorts in known if len(cohorts)]
    if not known:
        return OutOfTime(None, HORIZON_MONTHS, 0)
    codes = [_levels(one.book) for one, _ in known]
    by_level = [
        Cohorts.joined([gather(one.margins, one.kinds, one.book, segment=code) for code in found])
        for (one, _), found in zip(known, codes, strict=True)
        if found
    ]
    parts = [cohorts for _, cohorts in known]
    return measure(parts, by_level)


def gather(
    margins: Floats,
    kinds: Sequence[Floats],
    book: Book,
    *,
    segment: Ints | None = None,
    horizon_months: int = HORIZON_MONTHS,
) -> Cohorts:
    """Return the cohorts of a book: its projects whose fate at the horizon is known.

    Args:
        margins: (n, 3, K) with the overlay.
        kinds: of members, each (members, n, K) log-hazards of default, without it.
        book: the same projects, with all outcomes known.
        segment: (n,) gathered within a quarter; by default the tenth of the score.
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
        None if segment is None else segment[seen],
    )


def _levels(book: Book) -> list[Ints]:
    """Return (n,) the levels of each category that has few, as numbers."""
    columns = [c.name for c in book.column_set.columns if c.kind is Kind.CATEGORY]
    found = [
        np.unique(book.frame[name].fill_null("").to_numpy(), return_inverse=True)
        for name in columns
    ]
    return [at.astype(np.int64) for levels, at in found if 1 < len(levels) <= LEVELS]


def _over_all(parts: Sequence[Cohorts], taus: Sequence[float]) -> float:
    covered = [coverage(one, tau=tau) for one, tau in zip(parts, taus, strict=True)]
    return float(np.average(covered, weights=[len(one) for one in parts]))


def _tried(cohorts: Cohorts, tau: float) -> Tried:
    expected = cohorts.n @ cohorts.share[:, len(SHIFTS) // 2]
    ratio = float(cohorts.k.sum() / expected)
    first = name_of(3 * int(cohorts.quarter.min()))
    return Tried(first, len(cohorts), ratio, coverage(cohorts, tau=tau))


def _by(pd: Floats, months: Ints) -> Floats:
    return np.asarray(pd[np.arange(len(months)), months], np.float64)
