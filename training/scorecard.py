"""The benchmark that a bank has today: a points table, by logistic regression on binned columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from features.book import Book
from training import metrics
from training.evaluate import FEW, Foretold, Measure, defaulted, followed
from training.logistic import logistic
from training.metrics import Forecast
from training.periods import Bools, Floats

HORIZON_MONTHS = 36
BINS = 6  # of the known values of a column; what is missing has a bin of its own
PRIOR = 5.0  # projects of average risk that every bin is given
RIDGE = 5.0  # on the slopes, in projects
COMPARED = ("auc", "log_loss", "brier")
POINTS_DOUBLE, POINTS_AT, ODDS_AT = 20.0, 600.0, 50.0  # 20 points double the odds; 600 are 50 : 1


@dataclass(frozen=True)
class Binned:
    """A column in bins, each with its weight of evidence.

        woe_b = log( odds of default in b / odds of default of all )

    so that more is riskier: the sign is the opposite of the books' good over bad.

    Attributes:
        cuts: (bins - 1,) a value at a cut belongs to the bin below.
        woe: (bins + 1,) the last one is of what is missing.

    Source: Siddiqi, Credit Risk Scorecards (2006), chapter 6.
    """

    cuts: Floats
    woe: Floats

    @classmethod
    def of(cls, column: Floats, fell: Floats, weight: Floats, *, bins: int = BINS) -> Binned:
        """Learn the bins of a column: (n,) each, with `fell` 1.0 for a default."""
        cuts = cuts_of(column, bins)
        which = bin_of(column, cuts)
        rate = float(np.average(fell, weights=weight))
        size = np.bincount(which, weight, minlength=len(cuts) + 2)
        bad = np.bincount(which, weight * fell, minlength=len(cuts) + 2)
        return cls(cuts, logit((bad + PRIOR * rate) / (size + PRIOR)) - logit(rate))

    def read(self, column: Floats) -> Floats:
        """Return the weight of evidence of each value, (n,)."""
        return np.asarray(self.woe[bin_of(column, self.cuts)], np.float64)


@dataclass(frozen=True)
class Scorecard:
    """logit PD = a + sum of b woe over the columns.

    Attributes:
        columns: binned.
        intercept: a, a logit.
        slopes: (columns,) b.
    """

    columns: tuple[Binned, ...]
    intercept: float
    slopes: Floats

    def pd(self, x: Floats) -> Floats:
        """Return the probability of default by the horizon: (n, columns) -> (n,)."""
        return np.asarray(expit(self.intercept + _design(self.columns, x) @ self.slopes))


@dataclass(frozen=True)
class Challenge:
    """The scorecard out of time, and the model beside it.

    Attributes:
        pd: (n,) of every test project, by the horizon.
        measures: of the scorecard.
        gains: the model's figures less the scorecard's, paired by project.
    """

    pd: Floats
    measures: tuple[Measure, ...] = ()
    gains: tuple[Measure, ...] = ()


def fit_scorecard(x: Floats, fell: Floats, weight: Floats) -> Scorecard:
    """Fit a scorecard by penalised maximum likelihood.

    Args:
        x: (n, columns) encoded; NaN is missing.
        fell: (n,) 1.0 for a default by the horizon.
        weight: (n,) of mean one.
    """
    columns = tuple(Binned.of(column, fell, weight) for column in x.T)
    design = np.column_stack([np.ones(len(x)), _design(columns, x)])
    start = np.append(logit(np.average(fell, weights=weight)), np.zeros(len(columns)))
    ridge = np.append(0.0, np.full(len(columns), RIDGE))
    beta = logistic(design, fell, weight, start=start, ridge=ridge)
    return Scorecard(columns, float(beta[0]), beta[1:])


def points(pd: Floats) -> Floats:
    """Return scores: 600 points at odds of 50 : 1 against default, and 20 more double them.

        points = offset + factor log odds
        factor = 20 / log 2,    offset = 600 - factor log 50

    Source: Siddiqi, Credit Risk Scorecards (2006), chapter 6, "Scorecard scaling".

    >>> points(np.array([1 / 51, 1 / 101])).round(6).tolist()
    [600.0, 620.0]
    """
    factor = POINTS_DOUBLE / np.log(2)
    offset = POINTS_AT - factor * np.log(ODDS_AT)
    return np.asarray(offset - factor * logit(np.clip(pd, metrics.LEAST, 1 - metrics.LEAST)))


def challenge(
    train: Book, seen: Floats, test: Book, x: Floats, ours: Floats, *, resamples: int, seed: int = 0
) -> Challenge:
    """Fit a scorecard on the training projects whose fate at the horizon is known; judge it.

    Where too few are known on either side there is no scorecard, and nothing is measured.

    Args:
        train: the projects to learn from, with weights of mean one.
        seen: (n, columns) they, encoded out of fold.
        test: the projects to judge on.
        x: (m, columns) they.
        ours: (m, 3, K) the model's margins of them, with the overlay.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    known, judged = followed(train, HORIZON_MONTHS), followed(test, HORIZON_MONTHS)
    if not (_enough(train, known) and _enough(test, judged)):
        return Challenge(np.full(len(test), np.nan))
    fell = defaulted(train, HORIZON_MONTHS)[known].astype(np.float64)
    weight = train.weight[known] / train.weight[known].mean()
    pd = fit_scorecard(seen[known], fell, weight).pd(x)
    theirs = forecast(pd, test, judged)
    mine = Foretold.of(ours, test).forecast(HORIZON_MONTHS, judged)
    drawn = {"resamples": resamples, "seed": seed}
    measures = {n: metrics.interval(m, theirs, **drawn) for n, m in metrics.METRICS.items()}
    gains = {n: metrics.paired(metrics.METRICS[n], mine, theirs, **drawn) for n in COMPARED}
    return Challenge(pd, _measures(measures, theirs), _measures(gains, theirs))


def forecast(pd: Floats, book: Book, projects: Bools) -> Forecast:
    """Return the forecast of "defaulted by the horizon" for some projects of a book."""
    fell = defaulted(book, HORIZON_MONTHS)[projects].astype(np.float64)
    return Forecast.of(pd[projects], fell, book.weight[projects])


def cuts_of(column: Floats, bins: int) -> Floats:
    """Return the values, at most bins - 1, that cut what is known of a column into equal parts."""
    known = column[~np.isnan(column)]
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    return np.unique(np.quantile(known, inner)) if len(known) else known


def bin_of(column: Floats, cuts: Floats) -> NDArray[np.int64]:
    """Return the bin of each value, (n,); what is missing is in the one after the last."""
    bins = np.searchsorted(cuts, column, side="left")
    return np.where(np.isnan(column), len(cuts) + 1, bins).astype(np.int64)


def _design(columns: Sequence[Binned], x: Floats) -> Floats:
    return np.column_stack([binned.read(x[:, at]) for at, binned in enumerate(columns)])


def _enough(book: Book, known: Bools) -> bool:
    fell = int(defaulted(book, HORIZON_MONTHS)[known].sum())
    return min(fell, int(known.sum()) - fell) >= FEW


def _measures(found: dict[str, metrics.Interval], of: Forecast) -> tuple[Measure, ...]:
    projects, defaults = len(of.y), int(of.y.sum())
    return tuple(
        Measure(name, HORIZON_MONTHS, None, figure, projects, defaults)
        for name, figure in found.items()
    )
