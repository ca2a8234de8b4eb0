"""The figures of a run, as a risk team looks at them: is it right, does it rank, has it drifted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from features.book import Book
from pricing.survival import DEFAULT, EXIT
from training import observed
from training.evaluate import HORIZONS_MONTHS, Foretold, Measure
from training.observed import Counts
from training.paper import GREY, INK, OTHER, OURS, SAFE_TO_RISKY, Paper, percent, styled
from training.periods import Floats
from training.study import Study

QUINTILES = 5
RANK_MONTHS = 36  # quintiles are of the default probability by then
LEAST_EXPECTED = 3.0  # defaults, below which a ratio says nothing


def draw(study: Study, before: Book, margins_before: Floats, paper: Paper) -> None:
    """Draw every figure that needs no price.

    Args:
        study: of the test window.
        before: projects originated before it, with all that is known of them by now.
        margins_before: (n, 3, K) theirs, with the overlay.
        paper: where to.
    """
    with styled():
        calibration(study, paper)
        roc(study, paper)
        cumulative_default(study, paper)
        hazard_by_age(study, paper)
        vintages(study, before, margins_before, paper)


def calibration(study: Study, paper: Paper) -> None:
    """Draw observed against foretold default rates in tenths of the projects, a panel a horizon."""
    ours, linear = (Foretold.of(m, study.test) for m in (study.ours, study.linear))
    horizons = _followed(ours)
    figure, panels = paper.panels(
        columns=len(horizons), title="Calibration: foretold against observed default rates"
    )
    for axes, horizon in zip(panels, horizons, strict=True):
        projects = ours.followed(horizon)
        bins = observed.calibration(ours.forecast(horizon, projects))
        other = observed.calibration(linear.forecast(horizon, projects))
        top = 1.06 * max(bins.high.max(), bins.expected.max(), other.observed.max())
        axes.plot([0, top], [0, top], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(
            other.expected, other.observed, "D-", color=OTHER, alpha=0.75, markersize=4, linewidth=1
        )
        spread = np.clip([bins.observed - bins.low, bins.high - bins.observed], 0, None)
        axes.errorbar(
            bins.expected, bins.observed, spread, fmt="o-", color=OURS, markersize=5, capsize=2
        )
        axes.set(xlim=(0, top), ylim=(0, top), aspect="equal")
        axes.set_title(f"by month {horizon}", pad=34)
        axes.set_xlabel("foretold, mean of a tenth")
        ratio = _overall(study.measures, "observed_over_expected", horizon)
        slope = _overall(study.measures, "calibration_slope", horizon)
        told = f"observed / expected {_ranged(ratio)}\nslope {_ranged(slope)}"
        axes.text(0, 1.03, told, transform=axes.transAxes, va="bottom", fontsize=8.5)
        percent(axes, x=True, y=True, decimals=None)
    panels[0].set_ylabel("observed, with 90 % interval")
    panels[-1].plot([], [], "o-", color=OURS, label="this model")
    panels[-1].plot([], [], "D-", color=OTHER, markersize=4, label="linear benchmark")
    panels[-1].legend(loc="lower right")
    paper.save(figure, "calibration")


def roc(study: Study, paper: Paper) -> None:
    """Draw the trade-off of caught defaults against turned-away good projects, by horizon."""
    ours, linear = (Foretold.of(m, study.test) for m in (study.ours, study.linear))
    horizons = _followed(ours)
    figure, panels = paper.panels(
        columns=len(horizons), title="Ranking: defaults against the others"
    )
    for axes, horizon in zip(panels, horizons, strict=True):
        projects = ours.followed(horizon)
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        false, true = observed.roc(linear.forecast(horizon, projects))
        theirs = _overall(study.benchmark, "auc", horizon)
        axes.plot(false, true, color=OTHER, linewidth=1.3, label=f"linear  {_ranged(theirs, 3)}")
        false, true = observed.roc(ours.forecast(horizon, projects))
        mine = _overall(study.measures, "auc", horizon)
        axes.plot(false, true, color=OURS, linewidth=2, label=f"this model  {_ranged(mine, 3)}")
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        gain = _overall(study.gains, "auc", horizon)
        axes.set_title(f"default by month {horizon}")
        axes.set_xlabel("share of the others flagged")
        axes.text(0.97, 0.30, f"gain {_signed(gain)}", ha="right", fontsize=8.5)
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(
            handles[::-1], labels[::-1], loc="lower right", title="AUC [90 %]", alignment="right"
        )
        percent(axes, x=True, y=True)
    panels[0].set_ylabel("share of defaults flagged")
    paper.save(figure, "roc")


def cumulative_default(study: Study, paper: Paper) -> None:
    """Draw what share of each risk fifth defaulted by age, beside what was foretold for it."""
    foretold = Foretold.of(study.ours, study.test)
    last = foretold.pd.shape[1] - 1
    months = min(last, int(study.test.age_months.max()))
    fifth = _fifths(foretold.pd[:, min(RANK_MONTHS, last)], study.test.weight)
    figure, (axes,) = paper.panels(
        columns=1, width=7.6, height=4.9, title="Defaults by age, in fifths of the foretold risk"
    )
    ages = np.arange(months + 1)
    for number, colour in enumerate(SAFE_TO_RISKY):
        inside = fifth == number
        if not inside.any():
            continue
        happened = observed.cumulative_default(study.test.take(inside), months)
        expected = np.average(foretold.pd[inside], axis=0, weights=study.test.weight[inside])
        axes.step(ages, happened, where="post", color=colour, linewidth=2)
        axes.plot(ages, expected[: months + 1], color=colour, linewidth=1.4, linestyle=(0, (4, 2)))
        end = happened[np.isfinite(happened)][-1]
        axes.text(months + 0.8, end, _FIFTHS[number], color=colour, va="center", fontsize=8.5)
    axes.plot([], [], color=INK, linewidth=2, label="observed (Aalen-Johansen)")
    axes.plot([], [], color=INK, linewidth=1.4, linestyle=(0, (4, 2)), label="foretold")
    axes.set(xlim=(0, months * 1.13), ylim=(0, None), xlabel="months since origination")
    axes.set_xticks(range(0, months + 1, 12))
    axes.set_ylabel("share of projects that defaulted")
    axes.legend(loc="upper left")
    percent(axes, y=True)
    paper.save(figure, "cumulative_default")


def hazard_by_age(study: Study, paper: Paper) -> None:
    """Draw monthly hazards by age, observed and foretold, of default and of early exit."""
    causes = [("default", DEFAULT), ("exit", EXIT)]
    drawn = [pair for pair in causes if np.isfinite(study.ours[:, pair[1]]).all()]
    figure, panels = paper.panels(
        columns=len(drawn), width=4.9 * len(drawn), title="Hazards by age: when things happen"
    )
    edges = np.array(study.test.column_set.age_edges_months, np.float64)
    for axes, (cause, row) in zip(panels, drawn, strict=True):
        counts = observed.by_age(study.test, study.ours[:, row], cause=cause)
        _hazard(axes, edges, counts, float(study.test.weight.mean()))
        axes.set_title({"default": "default", "exit": "early repayment or exit"}[cause])
        axes.set_xlabel("months since origination")
    panels[0].set_ylabel("hazard, % a month")
    panels[0].legend(loc="upper right")
    paper.save(figure, "hazard_by_age")


def _hazard(axes: Axes, edges: Floats, counts: Counts, weight: float) -> None:
    seen = counts.expected >= LEAST_EXPECTED * weight
    with np.errstate(invalid="ignore", divide="ignore"):
        happened, expected = counts.observed / counts.months, counts.expected / counts.months
        error = observed.Z_90 * counts.error / counts.months
    last = int(np.flatnonzero(seen)[-1]) + 1
    axes.stairs(
        expected[:last], edges[: last + 1], color=OURS, linewidth=2, baseline=None, label="foretold"
    )
    middle = (edges[:-1] + edges[1:]) / 2
    axes.errorbar(
        middle[seen],
        happened[seen],
        np.stack([np.minimum(error, happened), error])[:, seen],
        fmt="o",
        color=INK,
        markersize=4.5,
        capsize=2,
        label="observed, 90 % interval",
    )
    axes.set(xlim=(0, edges[last]), ylim=(0, None))
    axes.set_xticks(edges[: last + 1], [f"{edge:.0f}" for edge in edges[: last + 1]])
    percent(axes, y=True, decimals=1)


def vintages(study: Study, before: Book, margins_before: Floats, paper: Paper) -> None:
    """Draw observed over expected defaults by quarter of origination, before and in the test."""
    figure, (axes,) = paper.panels(
        columns=1, width=9.2, height=4.3, title="Vintages: defaults observed over expected to date"
    )
    sides = [
        ("before the split", before, margins_before, GREY),
        ("out of time", study.test, study.ours, OURS),
    ]
    for label, book, margins, colour in sides:
        quarters, counts = observed.by_quarter(book, margins[:, DEFAULT])
        enough = counts.expected >= LEAST_EXPECTED * np.mean(book.weight)
        ratio = counts.observed[enough] / counts.expected[enough]
        error = observed.Z_90 * counts.error[enough] / counts.expected[enough]
        axes.errorbar(
            quarters[enough] + 0.125,
            ratio,
            np.stack([np.minimum(error, ratio), error]),
            fmt="o",
            color=colour,
            markersize=4,
            capsize=1.5,
            linewidth=1,
            label=label,
        )
    axes.axhline(1, color=INK, linewidth=1)
    axes.axvline(1970 + study.test.originated.min() / 12, color=OTHER, linewidth=1.2)
    axes.set_xlabel("quarter of origination")
    axes.set_ylabel("observed / expected, 90 % interval")
    axes.set_ylim(0, min(axes.get_ylim()[1], 3.0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left", ncols=2)
    paper.save(figure, "vintages")


_FIFTHS = ("safest fifth", "second", "third", "fourth", "riskiest fifth")


def _fifths(pd: Floats, weight: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return each project's fifth, 0 to 4, equal in weight."""
    order = np.argsort(pd, kind="stable")
    share = np.empty(len(pd))
    share[order] = np.cumsum(weight[order]) / weight.sum()
    return np.minimum((share * QUINTILES - 1e-9).astype(np.int64), QUINTILES - 1)


def _followed(foretold: Foretold) -> list[int]:
    """Return the horizons at which somebody's fate is known."""
    return [horizon for horizon in HORIZONS_MONTHS if foretold.followed(horizon).any()]


def _overall(measures: Sequence[Measure], metric: str, horizon: int) -> Measure:
    return next(_matching(measures, metric, horizon))


def _matching(measures: Sequence[Measure], metric: str, horizon: int) -> Iterator[Measure]:
    for measure in measures:
        if (measure.metric, measure.horizon_months, measure.vintage) == (metric, horizon, None):
            yield measure


def _ranged(measure: Measure, digits: int = 2) -> str:
    it = measure.interval
    return f"{it.value:.{digits}f} [{it.low:.{digits}f}, {it.high:.{digits}f}]"


def _signed(measure: Measure) -> str:
    it = measure.interval
    return f"{it.value:+.3f} [{it.low:+.3f}, {it.high:+.3f}]"
