"""What the sections look at: a fit, its judgement, its model and its prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.book import Book
from features.column import ColumnSet
from models.hazard import HazardModel
from pricing.instruments.term_loan import TermLoan
from pricing.policy import Policy
from training import sample
from training.evaluate import HORIZONS_MONTHS, Foretold, followed
from training.fit import Fitted
from training.metrics import observed_over_expected
from training.periods import Floats
from training.sample import Asked, Priced
from training.study import Study

PRICED = 1500  # test projects that are priced for groups and for other models


@dataclass(frozen=True, eq=False)
class Evidence:
    """A version before it is sealed.

    Attributes:
        fitted: with its split.
        judged: out of time.
        model: as read from its folder, with its card.
        book: of the whole file.
        priced: a sample of the test projects, priced and explained.
        violations: by column, steps against its direction, of those with any.
        before: a sample of the projects before the test window, with all that is known by now.
        before_margins: (n, 3, K) theirs, with the overlay.
        policy: under which prices are shown.
    """

    fitted: Fitted
    judged: Study
    model: HazardModel
    book: Book
    priced: Priced
    violations: Mapping[str, int]
    before: Book
    before_margins: Floats
    policy: Policy

    @property
    def column_set(self) -> ColumnSet:
        """Return what the model may know."""
        return self.model.column_set

    @property
    def test(self) -> Book:
        """Return the projects that were set aside."""
        return self.judged.test

    @cached_property
    def foretold(self) -> Foretold:
        """Return the default probabilities of the test projects."""
        return Foretold.of(self.judged.ours, self.test)

    @cached_property
    def horizons(self) -> tuple[int, ...]:
        """Return the horizons at which somebody's fate is known, in months."""
        return tuple(h for h in HORIZONS_MONTHS if followed(self.test, h).any())

    @property
    def main_months(self) -> int:
        """Return the horizon of the sections that have one: 36 months, or the last known."""
        return max((h for h in self.horizons if h <= 36), default=36)

    @cached_property
    def level(self) -> float:
        """Return observed over expected defaults at the main horizon; NaN where none is known."""
        projects = self.foretold.followed(self.main_months)
        if not projects.any():
            return float("nan")
        return observed_over_expected(self.foretold.forecast(self.main_months, projects))

    @cached_property
    def chosen(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return the test projects that are priced, by position."""
        many = min(PRICED, len(self.test))
        return np.sort(np.random.default_rng(1).choice(len(self.test), many, replace=False))

    @cached_property
    def asked(self) -> list[Asked]:
        """Return them as callers would send them."""
        return sample.asked(self.test, self.chosen.tolist())

    @cached_property
    def spreads_bps(self) -> Floats:
        """Return (PRICED,) their spreads, before floor and cap."""
        return spreads(self.judged.ours[self.chosen], self.asked, self.policy, self.model.edges)


def spreads(
    margins: Floats, projects: Sequence[Asked], policy: Policy, edges: Sequence[int]
) -> Floats:
    """Return (m,) spreads in basis points before floor and cap, of margins (m, 3, K)."""
    loans = (TermLoan(terms).priced(policy, edges) for _, terms in projects)
    return np.array([loan.figures(m[None])[0] for loan, m in zip(loans, margins, strict=True)])
