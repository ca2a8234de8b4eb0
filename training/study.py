"""A fitted model out of time: its figures, those of its benchmarks, and their differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.book import Book
from features.column import ColumnSet, Kind
from features.encode import Encoder
from models.hazard import HazardModel
from pricing.survival import DEFAULT
from training import overlay
from training.evaluate import Measure, compare, evaluate
from training.fit import Fitted
from training.linear import fit_linear
from training.periods import Floats, Periods
from training.scorecard import Challenge, challenge
from training.split import Labels


@dataclass(frozen=True)
class Study:
    """What the tables and the curves of a run are drawn from.

    Attributes:
        test: the projects that were set aside, with all that is known of them.
        ours: (n, 3, K) their margins, with the overlay.
        linear: (n, 3, K) likewise of the benchmark: linear proportional hazards of default on the
            same columns, with a level of its own; exit and LGD are ours.
        measures: ours, by horizon and vintage.
        benchmark: the benchmark's.
        gains: ours less the benchmark's, paired by project.
        scorecard: a points table fitted on the same projects, and ours less its.
        x: (n, columns) the test projects, encoded.
        seen: (m, columns) the training projects, encoded out of fold.
    """

    test: Book
    ours: Floats
    linear: Floats
    measures: tuple[Measure, ...]
    benchmark: tuple[Measure, ...]
    gains: tuple[Measure, ...]
    scorecard: Challenge
    x: Floats
    seen: Floats


def study(fitted: Fitted, *, resamples: int, told: Callable[[str], None]) -> Study:
    """Judge a fit on its test window, beside the benchmark fitted on the same training projects.

    Args:
        fitted: with its split.
        resamples: of every bootstrap.
        told: of each step when it is done.
    """
    test = fitted.split.test
    x = fitted.encoder.matrix(test.frame)
    ours = fitted.margins(x)
    linear = ours.copy()
    train, seen = _learnt(fitted)
    linear[:, DEFAULT] = _benchmark(fitted, train, seen, x)
    told("linear benchmark fitted")
    measures = evaluate(ours, test, resamples=resamples)
    told("model judged")
    benchmark = evaluate(linear, test, resamples=resamples)
    told("benchmark judged")
    gains = compare(ours, linear, test, resamples=resamples)
    told("compared")
    rival = challenge(train, seen, test, x, ours, resamples=resamples)
    told("scorecard fitted and judged")
    return Study(test, ours, linear, measures, benchmark, gains, rival, x, seen)


def against(champion: HazardModel, judged: Study, *, resamples: int) -> tuple[Measure, ...]:
    """Return a fit's figures less the champion's, paired by project of the fit's test window.

    There are none where the champion reads other columns, or other ages.

    Args:
        champion: the model that serves now.
        judged: the fit.
        resamples: of the bootstrap.
    """
    ours, theirs = judged.test.column_set, champion.column_set
    if _read(ours) != _read(theirs) or ours.age_edges_months != theirs.age_edges_months:
        return ()
    margins = champion.margins(champion.encoder.matrix(judged.test.frame))
    return compare(judged.ours, margins, judged.test, resamples=resamples)


def _read(columns: ColumnSet) -> list[tuple[str, Kind]]:
    return [(column.name, column.kind) for column in columns.columns]


def _learnt(fitted: Fitted) -> tuple[Book, Floats]:
    """Return the training projects with weights of mean one, and encoded out of fold."""
    train = fitted.split.train.weighed
    seed = fitted.card["parameters"]["seed"]
    return train, Encoder.fit(train, train.column_set.age_edges_months, seed)[1]


def _benchmark(fitted: Fitted, train: Book, seen: Floats, x: Floats) -> Floats:
    """Return the benchmark's log hazards with its level: (n, columns) -> (n, K)."""
    parts, chosen = fitted.split, fitted.card["parameters"]
    linear = fit_linear(Periods.of(seen, train, cause="default"))
    if parts.labels is Labels.MATURE:
        return linear.margins(x)
    level = overlay.fit_level(
        train,
        linear.margins(seen),
        to_month=parts.known_until,
        months=chosen["level_months"],
        prior_events=chosen["level_prior"],
        kept=chosen["level_kept"],
    )
    return np.asarray(linear.margins(x) + level.shift, np.float64)
