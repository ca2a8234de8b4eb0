"""What happened, counted as curves show it: by risk, by age, by calendar; censoring honoured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.book import CENSORED, DEFAULTED, EXITED, Book
from training.metrics import Forecast
from training.periods import Floats

Z_90 = 1.6448536269514722  # the normal's 95 % quantile: intervals hold 90 %


@dataclass(frozen=True)
class Bins:
    """Foretold against happened in groups of equal weight, from the safest to the riskiest.

    Attributes:
        expected: (bins,) mean probability.
        observed: (bins,) share that defaulted.
        low: (bins,) of the observed share's 90 % interval.
        high: (bins,) likewise.
    """

    expected: Floats
    observed: Floats
    low: Floats
    high: Floats


def calibration(forecast: Forecast, bins: int = 10) -> Bins:
    """Return the forecast in bins, with Wilson's intervals on the effective number of projects.

    n_eff = (sum w)^2 / sum w^2.  Source: Wilson (1927), JASA 22, 209-212; Kish (1965).
    """
    share = np.cumsum(forecast.w) / forecast.w.sum()
    group = np.minimum((share * bins - 1e-9).astype(np.int64), bins - 1)
    sums = [np.bincount(group, values, minlength=bins) for values in _moments(forecast)]
    weight, squares, foretold, happened = (part[sums[0] > 0] for part in sums)
    observed = happened / weight
    low, high = wilson(observed, weight**2 / squares)
    return Bins(foretold / weight, observed, low, high)


def _moments(f: Forecast) -> tuple[Floats, Floats, Floats, Floats]:
    return f.w, f.w**2, f.w * f.p, f.w * f.y


def wilson(share: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Return the ends of Wilson's 90 % interval of a share of n.

    >>> low, high = wilson(np.array([0.5]), np.array([100.0]))
    >>> float(low[0].round(4)), float(high[0].round(4))
    (0.4188, 0.5812)
    """
    middle = (share + Z_90**2 / (2 * n)) / (1 + Z_90**2 / n)
    half = Z_90 * np.sqrt(share * (1 - share) / n + Z_90**2 / (4 * n**2)) / (1 + Z_90**2 / n)
    return middle - half, middle + half


def roc(forecast: Forecast) -> tuple[Floats, Floats]:
    """Return false and true positive rates as the cut-off falls, both from 0 to 1."""
    events = np.bincount(forecast.tie, forecast.w * forecast.y)[::-1]
    others = np.bincount(forecast.tie, forecast.w * (1 - forecast.y))[::-1]
    curves = (np.concatenate([[0.0], np.cumsum(part)]) / part.sum() for part in (others, events))
    false, true = curves
    return false, true


def cumulative_default(book: Book, months: int) -> Floats:
    """Return the share that has defaulted by each month of age, (months + 1,), weighted.

        F(t) = sum_{s <= t} S(s - 1) d_s / n_s,    S(t) = prod_{s <= t} (1 - (d_s + x_s) / n_s)

    with n_s at risk at age s, d_s defaults and x_s exits then.  NaN from where nobody is at risk.
    Source: Aalen & Johansen (1978), Scandinavian Journal of Statistics 5, 141-150.
    """
    age = np.minimum(book.age_months, months + 1)
    left, fell, gone = (
        np.bincount(age, book.weight * (book.event == kind), minlength=months + 2)[: months + 1]
        for kind in (CENSORED, DEFAULTED, EXITED)
    )
    later = float(book.weight[age > months].sum())
    at_risk = np.cumsum((left + fell + gone)[::-1])[::-1] + later  # (months + 1,)
    with np.errstate(invalid="ignore", divide="ignore"):
        alive = np.cumprod(1 - (fell + gone) / at_risk)
        before = np.concatenate([[1.0], alive[:-1]])
        return np.asarray(np.cumsum(before * fell / at_risk), np.float64)


@dataclass(frozen=True)
class Counts:
    """Events that happened against those foretold for the months at risk, in some groups.

    Attributes:
        observed: (groups,) weighted events.
        expected: (groups,) weighted events foretold.
        months: (groups,) weighted months at risk.
        error: (groups,) standard deviation of `observed`, were its events Poisson.
    """

    observed: Floats
    expected: Floats
    months: Floats
    error: Floats

    @classmethod
    def of(cls, events: Floats, months: Floats, hazard: Floats, weight: Floats) -> Counts:
        """Add up columns: every argument is (n, groups), but for the weight, (n,)."""
        return cls(
            weight @ events,
            weight @ (months * hazard),
            weight @ months,
            np.sqrt(weight**2 @ events),
        )


def by_age(book: Book, log_hazard: Floats, *, cause: str) -> Counts:
    """Return the counts of a cause, "default" or "exit", in every age bucket; (n, K) hazards."""
    months, defaults, exits = book.exposure(book.column_set.age_edges_months)
    events = {"default": defaults, "exit": exits}[cause]
    return Counts.of(events, months, np.exp(log_hazard), book.weight)


def by_quarter(book: Book, log_hazard: Floats) -> tuple[Floats, Counts]:
    """Return the quarters of origination, as years (2020.25), and the counts of default in each."""
    months, defaults, _ = book.exposure(book.column_set.age_edges_months)
    quarters, which = np.unique(book.originated // 3, return_inverse=True)
    member = np.zeros((len(book), len(quarters)))
    member[np.arange(len(book)), which] = 1.0
    expected = (months * np.exp(log_hazard)).sum(axis=1, keepdims=True)
    fell = defaults.sum(axis=1, keepdims=True)
    counts = Counts(
        book.weight @ (member * fell),
        book.weight @ (member * expected),
        book.weight @ (member * months.sum(axis=1, keepdims=True)),
        np.sqrt(book.weight**2 @ (member * fell)),
    )
    return 1970 + quarters / 4, counts
