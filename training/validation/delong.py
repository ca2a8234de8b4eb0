"""How sure an AUC is, and how far two score distributions stand apart: DeLong and KS, weighted."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from models.interval import LEVEL
from training.metrics import Forecast, Interval, auc, effective
from training.periods import Floats


def auc_interval(forecast: Forecast, *, level: float = LEVEL) -> Interval:
    """Return the AUC with DeLong's interval.

        V_i = share of non-events that event i outranks,    U_j = share of events that outrank j
        var AUC = s^2(V) / m + s^2(U) / n

    with m events and n non-events; ties count one half. With weights the shares are weighted, and
    s^2(V) / m becomes  sum w^2 (V - AUC)^2 / (sum w)^2  k / (k - 1),  k = (sum w)^2 / sum w^2.

    Args:
        forecast: of an event.
        level: of the interval, in (0, 1).

    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44, 837-845.
    """
    value = auc(forecast)
    if not math.isfinite(value):
        return Interval(value, value, value)
    event = forecast.y > 0
    events, others = (
        np.bincount(forecast.tie, forecast.w * side, minlength=forecast.tie[-1] + 1)
        for side in (event, ~event)
    )
    below = (np.cumsum(others) - others / 2) / others.sum()  # by tie: non-events outranked
    above = 1 - (np.cumsum(events) - events / 2) / events.sum()  # events that outrank
    variance = _of_mean(below[forecast.tie[event]], forecast.w[event], value)
    variance += _of_mean(above[forecast.tie[~event]], forecast.w[~event], value)
    half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance)
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def ks(forecast: Forecast) -> float:
    """Return the greatest distance between the distributions of events and non-events.

    It is the Kolmogorov-Smirnov statistic of the two samples; NaN if either is lacking.
    """
    sides = [
        np.cumsum(np.bincount(forecast.tie, forecast.w * side))
        for side in (forecast.y, 1 - forecast.y)
    ]
    if min(side[-1] for side in sides) <= 0:
        return float("nan")
    return float(np.abs(sides[0] / sides[0][-1] - sides[1] / sides[1][-1]).max())


def _of_mean(values: Floats, weight: Floats, mean: float) -> float:
    """Return the variance of a weighted mean; nought of a single value."""
    size = effective(weight)
    spread = float((weight**2 * (values - mean) ** 2).sum() / weight.sum() ** 2)
    return spread * size / (size - 1) if size > 1 else 0.0
