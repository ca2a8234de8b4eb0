"""Whether as many default as was foretold: intercept, slope, and the distance of the curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from training import metrics, observed
from training.metrics import LEAST, Forecast
from training.paper import GREY, INK, OURS, Paper, percent, styled
from training.periods import Floats
from training.validation.evidence import Evidence
from training.validation.section import Drawing, Light, Section, Table, number, ranged
from training.validation.section import percent as share

KNOTS = (0.05, 0.35, 0.65, 0.95)  # quantiles: Harrell, Regression Modeling Strategies, table 2.3
RIDGE = 1e-3  # on standardised columns, in projects
STEPS = 50


@dataclass(frozen=True)
class Calibration:
    """How the foretold and the observed agree at one horizon.

    Attributes:
        intercept: shift of all logits that makes as many default as did; nought is right.
        slope: of the event on the logit; one is right.
        ici: mean distance of the calibration curve from the forecast, a probability.
        e50: its median.
        e90: its 90th percentile.
    """

    intercept: float
    slope: float
    ici: float
    e50: float
    e90: float


def calibration(forecast: Forecast) -> Calibration:
    """Return the figures of a forecast.

    The curve is a logistic regression on a restricted cubic spline of the logit with four knots.

    Source: Austin & Steyerberg (2019), Statistics in Medicine 38, 4051-4065, for ICI, E50 and E90;
    Austin, Harrell & van Klaveren (2020), Statistics in Medicine 39, 2714-2742, for the spline.
    """
    if not 0 < forecast.y.sum() < len(forecast.y):
        return Calibration(*[float("nan")] * 5)
    gap = np.abs(curve(forecast) - forecast.p)
    order = np.argsort(gap, kind="stable")
    reached = np.cumsum(forecast.w[order]) / forecast.w.sum()
    at = np.minimum(np.searchsorted(reached, [0.5, 0.9]), len(gap) - 1)
    e50, e90 = gap[order][at].tolist()
    return Calibration(
        intercept(forecast),
        metrics.calibration_slope(forecast),
        float(np.average(gap, weights=forecast.w)),
        e50,
        e90,
    )


def intercept(forecast: Forecast) -> float:
    """Return a of  logit P(event) = a + logit p: "calibration in the large" on the logit.

    Source: Van Calster et al. (2016), Journal of Clinical Epidemiology 74, 167-176.
    """
    z = _logits(forecast)
    shift = 0.0
    for _ in range(STEPS):
        p = expit(z + shift)
        step = float(forecast.w @ (forecast.y - p) / (forecast.w @ (p * (1 - p))))
        shift += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-10:
            break
    return shift


def curve(forecast: Forecast) -> Floats:
    """Return the observed probability as a smooth function of the foretold one, (n,)."""
    basis = _spline(_logits(forecast), forecast.w)
    basis[:, 1:] -= basis[:, 1:].mean(axis=0)
    basis[:, 1:] /= np.maximum(basis[:, 1:].std(axis=0), LEAST)
    weight = forecast.w / forecast.w.mean()

    def loss(beta: Floats) -> tuple[float, Floats]:
        margin = basis @ beta
        value = weight @ (np.logaddexp(0.0, margin) - forecast.y * margin)
        slope = basis.T @ (weight * (expit(margin) - forecast.y))
        return float(value + RIDGE * beta @ beta), slope + 2 * RIDGE * beta

    found = minimize(loss, np.zeros(basis.shape[1]), jac=True, method="BFGS")
    return np.asarray(expit(basis @ found.x), np.float64)


def _spline(z: Floats, weight: Floats) -> Floats:
    """Return a restricted cubic spline: (n,) -> (n, 4), linear beyond the outer knots."""
    order = np.argsort(z, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    at = np.minimum(np.searchsorted(reached, KNOTS), len(z) - 1)
    knots = np.unique(z[order][at]).tolist()
    columns = [np.ones_like(z), z]
    if len(knots) >= 3:
        *inner, before, last = (float(knot) for knot in knots)
        for knot in inner:
            bent = np.clip(z - knot, 0, None) ** 3
            bent -= np.clip(z - before, 0, None) ** 3 * (last - knot) / (last - before)
            bent += np.clip(z - last, 0, None) ** 3 * (before - knot) / (last - before)
            columns.append(bent / (last - inner[0]) ** 2)
    return np.column_stack(columns)


def _logits(forecast: Forecast) -> Floats:
    return np.asarray(logit(np.clip(forecast.p, LEAST, 1 - LEAST)), np.float64)


def section(evidence: Evidence) -> Section:
    """Return the agreement by horizon, and by tenth at the main one."""
    forecasts = {
        months: evidence.foretold.forecast(months, evidence.foretold.followed(months))
        for months in evidence.horizons
    }
    found = {months: calibration(forecast) for months, forecast in forecasts.items()}
    ratios = {m.horizon_months: m.interval for m in evidence.judged.measures if _overall(m)}
    months = evidence.main_months
    if months not in found:
        return _nothing()
    tenths = observed.calibration(forecasts[months])
    ratio, at = ratios[months], found[months]
    held = ratio.low <= 1 <= ratio.high
    close = 0.8 <= ratio.value <= 1.25 and 0.8 <= at.slope <= 1.25
    return Section(
        name="calibration",
        title="Calibration",
        light=Light.GREEN if held and close else Light.AMBER if close else Light.RED,
        verdict=f"By month {months}, {ranged(ratio, 2)} times as many "
        f"defaulted as was foretold, with a slope of {at.slope:.2f}; the calibration "
        f"curve lies {100 * at.ici:.1f} percentage points away on average.",
        figures={
            "by_horizon": {m: asdict(one) | {"ratio": ratios[m]} for m, one in found.items()},
            "tenths": {"months": months} | asdict(tenths),
        },
        tables=[_table(found, ratios), _tenths(tenths, months)],
        drawings=[_drawn(forecasts[months], tenths, months)],
        notes=[
            "Green: the interval of observed over expected holds one, and ratio and slope lie "
            "within 0.8 and 1.25; red: one of them lies beyond. ICI, E50 and E90 are the mean, the "
            "median and the 90th percentile of the distance between the forecast and a smooth "
            "curve of what was observed. A level that is off for all projects alike is the "
            "cycle's; the model carries it as an overlay, on a line of its own.",
        ],
    )


def _overall(measure: Any) -> bool:
    return measure.metric == "observed_over_expected" and measure.vintage is None


def _nothing() -> Section:
    said = "No project has been followed long enough to say."
    return Section("calibration", "Calibration", Light.GREY, said, {})


def _table(found: Mapping[int, Calibration], ratios: Mapping[int, metrics.Interval]) -> Table:
    rows = [
        (
            f"{months} months",
            ranged(ratios[months]),
            number(one.intercept),
            number(one.slope),
            *(share(value, 2) for value in (one.ici, one.e50, one.e90)),
        )
        for months, one in found.items()
    ]
    head = ("default by", "observed / expected [90 %]", "intercept", "slope", "ICI", "E50", "E90")
    return Table("Agreement by horizon", head, rows)


def _tenths(bins: observed.Bins, months: int) -> Table:
    rows = [
        (str(at), *(share(float(value), 2) for value in line))
        for at, line in enumerate(
            zip(bins.expected, bins.observed, bins.low, bins.high, strict=True), 1
        )
    ]
    head = ("tenth, safest first", "foretold", "observed", "from", "to")
    return Table(f"Tenths of the projects, default by month {months}", head, rows)


def _drawn(forecast: Forecast, bins: observed.Bins, months: int) -> Drawing:
    with styled():
        title = f"Foretold and observed, default by month {months}"
        figure, (axes,) = Paper.panels(columns=1, title=title, width=5.2, height=4.4)
        top = 1.06 * float(max(bins.high.max(), bins.expected.max()))
        axes.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(forecast.p, curve(forecast), color=OURS, linewidth=1.6, label="smooth curve")
        away = np.clip([bins.observed - bins.low, bins.high - bins.observed], 0, None)
        axes.errorbar(
            bins.expected,
            bins.observed,
            away,
            fmt="o",
            color=INK,
            markersize=4,
            capsize=2,
            label="tenths, 90 % interval",
        )
        axes.set(xlim=(0, top), ylim=(0, top), xlabel="foretold", ylabel="observed")
        axes.legend(loc="upper left")
        percent(axes, x=True, y=True, decimals=None)
        return Drawing.of(figure, title)
