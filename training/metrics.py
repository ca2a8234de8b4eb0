"""How well probabilities rank and are levelled: weighted, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import kendalltau

from training.logistic import logistic
from training.periods import Floats

LEAST = 1e-6  # a probability of 0 or 1 would make a log loss infinite


@dataclass(frozen=True)
class Forecast:
    """Probabilities of an event and what happened, sorted by probability.

    Attributes:
        p: (n,) forecast probability, ascending.
        y: (n,) whether it happened, 0.0 or 1.0.
        w: (n,) weight.
        tie: (n,) number of the group of equal probabilities, ascending from 0.
        order: (n,) which project stands where.
    """

    p: Floats
    y: Floats
    w: Floats
    tie: NDArray[np.int64]
    order: NDArray[np.int64]

    @classmethod
    def of(cls, p: Floats, y: Floats, w: Floats) -> Forecast:
        """Return the forecast of n projects."""
        order = np.argsort(p, kind="stable")
        _, tie = np.unique(p[order], return_inverse=True)
        return cls(p[order], np.asarray(y, np.float64)[order], w[order], tie, order)

    def reweighted(self, times: Floats) -> Forecast:
        """Return the same projects, each counted so many times: (n,) in the order they came in."""
        return replace(self, w=self.w * times[self.order])


def effective(weight: Floats) -> float:
    """Return how many equal projects say as much: (sum w)^2 / sum w^2.

    Source: Kish, Survey Sampling (1965), section 11.7.
    """
    return float(weight.sum() ** 2 / (weight**2).sum())


Metric = Callable[[Forecast], float]


def auc(f: Forecast) -> float:
    """Return the chance that an event was given a higher probability than a non-event.

    sum over pairs of  w_i w_j ( [p_i > p_j] + [p_i = p_j] / 2 ) / (sum w_i  sum w_j),
    i events, j non-events; NaN if either is lacking.
    """
    events = np.bincount(f.tie, f.w * f.y)  # (ties,)
    others = np.bincount(f.tie, f.w * (1 - f.y))
    below = np.cumsum(others) - others / 2
    pairs = events.sum() * others.sum()
    return float(events @ below / pairs) if pairs > 0 else float("nan")


def log_loss(f: Forecast) -> float:
    """Return  - sum w ( y log p + (1 - y) log(1 - p) ) / sum w."""
    p = np.clip(f.p, LEAST, 1 - LEAST)
    return float(-np.average(np.where(f.y > 0, np.log(p), np.log1p(-p)), weights=f.w))


def brier(f: Forecast) -> float:
    """Return  sum w (y - p)^2 / sum w."""
    return float(np.average((f.y - f.p) ** 2, weights=f.w))


def observed_over_expected(f: Forecast) -> float:
    """Return  sum w y / sum w p: above one, more happened than was foretold."""
    return float((f.w @ f.y) / (f.w @ f.p))


def calibration_slope(f: Forecast) -> float:
    """Return the slope of a weighted logistic regression of the event on logit p; one is right.

    Below one, the forecasts are too far apart. Source: Cox (1958), Biometrika 45, 562-565.
    NaN where there is nothing to regress.
    """
    z = logit(np.clip(f.p, LEAST, 1 - LEAST))
    if not 0 < f.w @ f.y < f.w.sum() or z[-1] - z[0] < LEAST:
        return float("nan")
    design = np.column_stack([np.ones_like(z), z])
    beta = logistic(design, f.y, f.w, start=np.array([0.0, 1.0]), ridge=np.zeros(2))
    return float(beta[1])


METRICS: Mapping[str, Metric] = {
    "auc": auc,
    "log_loss": log_loss,
    "brier": brier,
    "observed_over_expected": observed_over_expected,
    "calibration_slope": calibration_slope,
}


def integrated_brier(forecasts: Mapping[int, Forecast]) -> float:
    """Return the mean Brier score over evenly spaced horizons."""
    return float(np.mean([brier(forecast) for forecast in forecasts.values()]))


def concordance(p: Floats, truth: Floats) -> float:
    """Return how often two projects stand in the true order: (1 + Kendall's tau) / 2."""
    return float((1 + kendalltau(p, truth).statistic) / 2)


@dataclass(frozen=True)
class Interval:
    """A figure with the 5th and 95th percentile of its bootstrap."""

    value: float
    low: float
    high: float


def interval(metric: Metric, f: Forecast, *, resamples: int, seed: int) -> Interval:
    """Return a metric with its 90 % bootstrap interval over projects."""
    drawn = [metric(f.reweighted(times)) for times in draws(len(f.p), resamples, seed)]
    return _between(metric(f), drawn)


def paired(metric: Metric, a: Forecast, b: Forecast, *, resamples: int, seed: int) -> Interval:
    """Return the difference of a metric, a less b, on the same resampled projects.

    Both must be forecasts of the same projects, given in the same order.
    """
    drawn = [
        metric(a.reweighted(times)) - metric(b.reweighted(times))
        for times in draws(len(a.p), resamples, seed)
    ]
    return _between(metric(a) - metric(b), drawn)


def draws(n: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield how often each of n projects is drawn, with replacement, resample by resample."""
    dice = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(dice.integers(0, n, n), minlength=n).astype(np.float64)


def _between(value: float, drawn: list[float]) -> Interval:
    sound = np.asarray(drawn)[np.isfinite(drawn)]
    if not len(sound):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(sound, [0.05, 0.95])
    return Interval(value, float(low), float(high))
