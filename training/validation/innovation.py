"""What the innovation columns add to the financial ones, in ranking, in fit and in basis points."""

from __future__ import annotations

import numpy as np

from features.column import ColumnSet
from training.evaluate import Measure, compare, evaluate
from training.metrics import Interval, draws
from training.periods import Floats
from training.validation.evidence import Evidence, spreads
from training.validation.refits import Refits
from training.validation.section import Light, Section, Table, ranged

RESAMPLES = 100
FIGURES = {"auc": "AUC", "log_loss": "log loss", "brier": "Brier score"}


def section(evidence: Evidence, refits: Refits | None) -> Section:
    """Return the refit on all columns beside the one without the groups of innovation."""
    if refits is None or refits.without is None:
        return _nothing(evidence.column_set, few=refits is None)
    test, months = evidence.test, evidence.main_months
    whole, less = (f.margins(f.encoder.matrix(test.frame)) for f in (refits.half, refits.without))
    found = {
        name: {m.metric: m.interval for m in measures}
        for name, measures in {
            "all": _measured(evaluate(whole, test, horizons_months=(months,), resamples=RESAMPLES)),
            "without": _measured(
                evaluate(less, test, horizons_months=(months,), resamples=RESAMPLES)
            ),
            "gain": compare(whole, less, test, horizons_months=(months,), resamples=RESAMPLES),
        }.items()
    }
    found["gain"]["gini"] = _twice(found["gain"]["auc"])
    moved = _moved(evidence, whole, less)
    change = average(np.abs(moved))
    gini, loss = found["gain"]["gini"], found["gain"]["log_loss"]
    sure = gini.low > 0 and loss.high < 0
    declared = evidence.column_set
    names = ", ".join(name for name in declared.groups if name in declared.innovation)
    columns = [c.name for c in declared.columns if c.group in declared.innovation]
    kept = ", ".join(name for name in declared.groups if name not in declared.innovation)
    return Section(
        name="innovation",
        title="What innovation columns add",
        light=Light.GREEN if sure else Light.AMBER,
        verdict=f"With the {len(columns)} columns of {names}, Gini at {months} months changes by "
        f"{ranged(gini, sign='+')}, log loss by {ranged(loss, 4, sign='+')}, and the spread of a "
        f"project by {change.value:.0f} bp [{change.low:.0f}, {change.high:.0f}] on average.",
        figures={
            "months": months,
            "groups": sorted(declared.innovation),
            "columns": columns,
            "projects_refitted": refits.projects,
            "priced": len(moved),
            "spread_change_bps": change,
            "mean_move_bps": average(moved),
        }
        | found,
        tables=[_table(found, change, average(moved))],
        notes=[
            f"Two refits on the same {refits.projects:,} training projects, with the same split, "
            "options and seed: one with all columns, one without those of the groups marked "
            f"`innovation = true` in the column set, so with {kept} alone. Intervals hold 90 %, "
            f"paired by project. Spreads are before floor and cap, of {len(moved):,} projects of "
            "the test window on their own terms.",
        ],
    )


def average(values: Floats) -> Interval:
    """Return the mean of a figure with its 90 % bootstrap interval, in its unit."""
    drawn = [float(times @ values / times.sum()) for times in draws(len(values), 200, 0)]
    low, high = np.quantile(drawn, [0.05, 0.95])
    return Interval(float(values.mean()), float(low), float(high))


def _measured(measures: tuple[Measure, ...]) -> list[Measure]:
    return [m for m in measures if m.vintage is None and m.metric in FIGURES]


def _twice(it: Interval) -> Interval:
    return Interval(2 * it.value, 2 * it.low, 2 * it.high)


def _moved(evidence: Evidence, whole: Floats, less: Floats) -> Floats:
    """Return (m,) what the innovation columns do to each spread, in basis points."""
    first, second = (
        spreads(m[evidence.chosen], evidence.asked, evidence.policy, evidence.model.edges)
        for m in (whole, less)
    )
    return first - second


def _table(found: dict[str, dict[str, Interval]], change: Interval, mean: Interval) -> Table:
    rows = [
        (
            title,
            ranged(found["all"][name]),
            ranged(found["without"][name]),
            ranged(found["gain"][name], 4, sign="+"),
        )
        for name, title in FIGURES.items()
    ]
    rows.append(("Gini", "", "", ranged(found["gain"]["gini"], 4, sign="+")))
    rows.append(("spread, mean size of the change, bp", "", "", ranged(change, 1)))
    rows.append(("spread, mean change, bp", "", "", ranged(mean, 1, sign="+")))
    head = ("figure", "all columns", "without innovation", "difference [90 %]")
    return Table("All columns beside financial ones", head, rows)


def _nothing(column_set: ColumnSet, *, few: bool) -> Section:
    said = "No group of this set is marked `innovation = true`, or all are: nothing to compare."
    if few and column_set.innovation:
        said = "Not measured: half of the training projects hold too few defaults to learn from."
    return Section("innovation", "What innovation columns add", Light.GREY, said, {})
