"""A model against what happened: metrics by horizon and by vintage, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.book import CENSORED, DEFAULTED, Book
from pricing.survival import incidence
from training import metrics
from training.metrics import Forecast, Interval
from training.periods import Bools, Floats

HORIZONS_MONTHS = (12, 36, 60)
FEW = 30  # defaults, and as many others, below which a vintage says nothing
BRIER_STEP_MONTHS = 6


@dataclass(frozen=True)
class Measure:
    """One figure of one group of projects.

    Attributes:
        metric: a name of `metrics.METRICS`, or "integrated_brier".
        horizon_months: of "defaulted by then".
        vintage: the year of origination; None for all.
        interval: the figure and its 90 % bootstrap interval.
        projects: in the group, each followed for at least the horizon.
        defaults: of them by the horizon, unweighted.
    """

    metric: str
    horizon_months: int
    vintage: int | None
    interval: Interval
    projects: int
    defaults: int

    @property
    def key(self) -> str:
        """Return the name under which a run records it, for example "auc_36m_2004"."""
        name = f"{self.metric}_{self.horizon_months}m"
        return name if self.vintage is None else f"{name}_{self.vintage}"


def evaluate(
    margins: Floats,
    book: Book,
    *,
    horizons_months: Sequence[int] = HORIZONS_MONTHS,
    resamples: int = 200,
    seed: int = 0,
) -> tuple[Measure, ...]:
    """Return every metric at every horizon, for all projects and for each vintage.

    Horizon h is judged on the projects watched for at least h months, whatever became of them: with
    their fate known, no reweighting for censoring is needed. A loan cannot default after its agreed
    end. Horizons that lie beyond the last age bucket or have no followed project are left out.

    Args:
        margins: (n, 3, K) with the overlay.
        book: the same projects with all known outcomes.
        horizons_months: ascending.
        resamples: of the bootstrap over projects.
        seed: of the bootstrap.
    """
    foretold = Foretold.of(margins, book)
    out: list[Measure] = []
    for horizon in horizons_months:
        for vintage, group in _groups(foretold, horizon):
            out += _measures(foretold, group, horizon, vintage, resamples=resamples, seed=seed)
    return (*out, *_integrated(foretold, horizons_months))


def compare(
    ours: Floats,
    theirs: Floats,
    book: Book,
    *,
    horizons_months: Sequence[int] = HORIZONS_MONTHS,
    resamples: int = 200,
    seed: int = 0,
) -> tuple[Measure, ...]:
    """Return the differences of AUC, log loss and Brier score, ours less theirs, by project."""
    a, b = Foretold.of(ours, book), Foretold.of(theirs, book)
    out = []
    for horizon in horizons_months:
        followed = a.followed(horizon)
        if not followed.any():
            continue
        first, second = a.forecast(horizon, followed), b.forecast(horizon, followed)
        for name in ("auc", "log_loss", "brier"):
            metric = metrics.METRICS[name]
            gap = metrics.paired(metric, first, second, resamples=resamples, seed=seed)
            defaults = int(first.y.sum())
            out.append(Measure(name, horizon, None, gap, int(followed.sum()), defaults))
    return tuple(out)


def flat(measures: Sequence[Measure]) -> dict[str, float]:
    """Return the figures by key with their intervals, finite ones only, as a run records them."""
    named = {}
    for measure in measures:
        named[measure.key] = measure.interval.value
        named[f"{measure.key}_low"] = measure.interval.low
        named[f"{measure.key}_high"] = measure.interval.high
    return {key: value for key, value in named.items() if np.isfinite(value)}


@dataclass(frozen=True)
class Foretold:
    """A book, and the default probabilities foretold for it.

    Attributes:
        pd: (n, months + 1) by month of age.
        book: the same projects.
        term_months: (n,) agreed length of each loan, after which nothing can default; the last
            month foretold where the column set knows no term.
    """

    pd: Floats
    book: Book
    term_months: Floats

    @classmethod
    def of(cls, margins: Floats, book: Book) -> Foretold:
        """Return the probabilities of margins, (n, 3, K), up to the last age bucket."""
        edges = book.column_set.age_edges_months
        pd = incidence(margins, edges, edges[-1])
        return cls(pd, book, _terms(book))

    def followed(self, horizon_months: int) -> Bools:
        """Return whose fate at the horizon is known, whatever it was.

        None beyond the last age bucket.
        """
        return followed(self.book, horizon_months)

    def forecast(self, horizon_months: int, projects: Bools) -> Forecast:
        """Return the forecast of "defaulted by the horizon" for some of the projects."""
        book = self.book
        months = np.minimum(horizon_months, self.term_months).astype(np.int64)
        pd = self.pd[np.arange(len(months)), months]
        fell = defaulted(book, horizon_months)[projects].astype(np.float64)
        return Forecast.of(pd[projects], fell, book.weight[projects])

    @property
    def vintage(self) -> NDArray[np.int64]:
        """Return the year of origination, (n,)."""
        return np.asarray(1970 + self.book.originated // 12, np.int64)


def followed(book: Book, horizon_months: int) -> Bools:
    """Return whose fate at the horizon is known, (n,), none beyond the last age bucket.

    Those the book has watched for so long, and of them not the ones lost from sight before: neither
    ended by an event, nor seen to the horizon or the agreed end.
    """
    if horizon_months > book.column_set.age_edges_months[-1]:
        return np.zeros(len(book), np.bool_)
    due = np.minimum(horizon_months, _terms(book) - 1)  # the last month is seldom a whole one
    seen = (book.event != CENSORED) | (book.age_months >= due)
    last = int((book.originated + book.age_months).max())
    return np.asarray(seen & (last - book.originated >= horizon_months), np.bool_)


def defaulted(book: Book, horizon_months: int) -> Bools:
    """Return who had defaulted by the horizon, (n,)."""
    return np.asarray((book.event == DEFAULTED) & (book.age_months <= horizon_months), np.bool_)


def _terms(book: Book) -> Floats:
    longest = float(book.column_set.age_edges_months[-1])
    for column in book.column_set.columns:
        if column.terms == "term_months":
            terms = book.frame[column.name].cast(pl.Float64).fill_null(longest).to_numpy()
            return np.asarray(np.minimum(terms, longest), np.float64)
    return np.full(len(book), longest)


def _groups(foretold: Foretold, horizon: int) -> Iterator[tuple[int | None, Bools]]:
    followed = foretold.followed(horizon)
    if not followed.any():
        return
    yield None, followed
    for year in np.unique(foretold.vintage[followed]):
        yield int(year), followed & (foretold.vintage == year)


def _measures(
    foretold: Foretold,
    group: Bools,
    horizon: int,
    vintage: int | None,
    *,
    resamples: int,
    seed: int,
) -> list[Measure]:
    forecast = foretold.forecast(horizon, group)
    projects, defaults = len(forecast.y), int(forecast.y.sum())
    if vintage is not None and min(defaults, projects - defaults) < FEW:
        return []
    out = []
    for name, metric in metrics.METRICS.items():
        figure = metrics.interval(metric, forecast, resamples=resamples, seed=seed)
        out.append(Measure(name, horizon, vintage, figure, projects, defaults))
    return out


def _integrated(foretold: Foretold, horizons: Sequence[int]) -> list[Measure]:
    """Return the Brier score averaged every six months to the longest horizon that was followed."""
    reached = [h for h in horizons if foretold.followed(h).any()]
    if not reached:
        return []
    ages = range(BRIER_STEP_MONTHS, reached[-1] + 1, BRIER_STEP_MONTHS)
    by_age = {h: foretold.forecast(h, foretold.followed(h)) for h in ages}
    value = metrics.integrated_brier(by_age)
    last = by_age[max(by_age)]
    figure = Interval(value, float("nan"), float("nan"))
    return [Measure("integrated_brier", reached[-1], None, figure, len(last.y), int(last.y.sum()))]
