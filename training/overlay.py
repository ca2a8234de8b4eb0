"""The level of the cycle: observed over expected defaults of the latest months, its own term.

Trees rank projects; they do not know what the calendar will bring. What the latest months before
the snapshot say about the level is one number, added to every log-hazard of default outside the
trees, so that it can be shown as its own line of a price, and refitted without them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.book import DEFAULTED, Book
from training.periods import Floats


@dataclass(frozen=True)
class Level:
    """Defaults of a calendar window against what the trees expected of it.

    Attributes:
        from_month: first month of the window, since January 1970.
        to_month: the month after its last.
        observed: weighted defaults that fell in it.
        expected: weighted defaults that the margins foretold.
        shift: what is added to the log-hazards.
    """

    from_month: int
    to_month: int
    observed: float
    expected: float
    shift: float

    def overlay(self, buckets: int) -> Floats:
        """Return the shift as margins, (3, K): default's row only."""
        margins = np.zeros((3, buckets))
        margins[0] = self.shift
        return margins


NO_LEVEL = Level(0, 0, 0.0, 0.0, 0.0)


def fit_level(
    book: Book,
    log_hazard: Floats,
    *,
    to_month: int,
    months: int,
    prior_events: float,
    kept: float,
) -> Level:
    """Return the level of the `months` before `to_month`, drawn towards none by its credibility.

    If the true defaults are Poisson with mean c times the expected ones and c has a gamma prior of
    mean one and weight kappa, the posterior mean of c is

        c = (observed + kappa) / (expected + kappa),        shift = kept log c.

    The months are past, and a loan is for years: cycles turn, so that only a part of a level lasts.

    Source: Bühlmann & Gisler, A Course in Credibility Theory (2005), section 2.2 (Poisson-gamma).

    Args:
        book: labels as known at the snapshot.
        log_hazard: (n, K) the margins of default that the trees give the same projects.
        to_month: where the window ends: what happened before it is known.
        months: the window's length.
        prior_events: kappa, in expected weighted defaults.
        kept: how much of the level the coming years are expected to have, from 0 to 1.
    """
    from_month = to_month - months
    edges = np.asarray(book.column_set.age_edges_months, np.float64)
    young = np.clip(from_month - book.originated, 0, None)  # (n,) age at which the window opens
    old = np.minimum(book.age_months, to_month - book.originated)  # and closes
    inside = np.minimum(old[:, None], edges[1:]) - np.maximum(young[:, None], edges[:-1])
    at_risk = np.clip(inside, 0, None)  # (n, K) months in the window and the bucket
    fell = (book.event == DEFAULTED) & (book.age_months > young) & (book.age_months <= old)
    fell &= book.age_months <= edges[-1]
    observed = float(book.weight[fell].sum())
    expected = float(book.weight @ (at_risk * np.exp(log_hazard)).sum(axis=1))
    shift = kept * float(np.log((observed + prior_events) / (expected + prior_events)))
    return Level(from_month, to_month, observed, expected, shift)
