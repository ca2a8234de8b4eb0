"""How the price answers to each column, and the proof that none moves it against its direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from pricing.instruments.term_loan import TermLoan
from training import monotone
from training.paper import OTHER, OURS, Paper, styled
from training.periods import Floats
from training.sample import Asked
from training.validation.evidence import Evidence
from training.validation.section import Drawing, Light, Section, Table, counted, number

MAIN = 10  # columns, those that move prices most
MOVED = 60  # projects
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Answer:
    """What becomes of the mean spread as one column takes its quantiles in every project.

    Attributes:
        name: of the column.
        values: (5,) its quantiles, encoded.
        spread_bps: (5,) the mean spread there, all else as it is.
        weight_bps: mean size of the column's part in an explanation.
    """

    name: str
    values: tuple[float, ...]
    spread_bps: tuple[float, ...]
    weight_bps: float

    @property
    def swing_bps(self) -> float:
        """Return what the spread rises by from the lowest to the highest value."""
        return self.spread_bps[-1] - self.spread_bps[0]


def section(evidence: Evidence) -> Section:
    """Return the answers of the main columns, and the violations of every column."""
    weights = np.abs(evidence.priced.columns_bps).mean(axis=0)  # (columns,)
    found = [
        one
        for at in np.argsort(-weights, kind="stable")[:MAIN]
        if (one := answer(evidence, int(at), float(weights[at]))) is not None
    ]
    signed = [c.name for c in evidence.column_set.columns if c.direction.sign]
    wrong = sum(evidence.violations.values())
    first = max(found, key=lambda one: abs(one.swing_bps), default=None)
    most = ""
    if first is not None:
        most = f"; {first.name} moves the mean spread most, by {first.swing_bps:+,.0f} bp from "
        most += "its 10th to its 90th percentile"
    return Section(
        name="sensitivity",
        title="Sensitivity and direction",
        light=Light.RED if wrong else Light.GREEN,
        verdict=f"Of {counted(len(signed), 'column')} with a direction, {counted(wrong, 'step')} "
        f"went against it{most}.",
        figures={
            "answers": [asdict(one) | {"swing_bps": one.swing_bps} for one in found],
            "violations": {name: evidence.violations.get(name, 0) for name in signed},
            "steps": monotone.STEPS,
        },
        tables=[_table(found), _directions(evidence)],
        drawings=[_drawn(found)] if found else [],
        notes=[
            f"Every column is moved over its quantiles in {MOVED} projects of the test window, on "
            "the terms of their own loans, everything else as it is. That is not what an "
            "explanation says: columns that move together in life are moved alone here. Directions "
            f"are tried project by project over up to {monotone.STEPS} values of each column, on "
            "the margins of default and loss at every age.",
        ],
    )


def answer(evidence: Evidence, at: int, weight_bps: float) -> Answer | None:
    """Return the answer to one column; None where it has one value only.

    Args:
        evidence: of the version.
        at: the column's place.
        weight_bps: mean size of its part in an explanation.
    """
    column = evidence.judged.x[:, at]
    known = column[~np.isnan(column)]
    values = np.quantile(known, QUANTILES) if len(known) else known
    if len(np.unique(values)) < 2:
        return None
    x = evidence.judged.x[evidence.chosen[:MOVED]]
    spreads = _moved(evidence, x, at, values, evidence.asked[:MOVED])
    name = evidence.column_set.names[at]
    return Answer(name, tuple(values.tolist()), tuple(spreads.tolist()), weight_bps)


def _moved(
    evidence: Evidence, x: Floats, at: int, values: Floats, projects: Sequence[Asked]
) -> Floats:
    """Return (values,) mean spreads."""
    moved = np.repeat(x[:, None], len(values), axis=1)  # (projects, values, columns)
    moved[:, :, at] = values
    margins = evidence.model.margins(moved.reshape(-1, x.shape[1]))
    margins = margins.reshape(len(x), len(values), *margins.shape[1:])
    loans = (TermLoan(terms).priced(evidence.policy, evidence.model.edges) for _, terms in projects)
    return np.asarray(
        np.mean([loan.figures(m) for loan, m in zip(loans, margins, strict=True)], axis=0),
        np.float64,
    )


def _table(found: Sequence[Answer]) -> Table:
    rows = [
        (
            one.name,
            number(one.weight_bps, 1),
            *(number(spread, 0) for spread in one.spread_bps),
            f"{one.swing_bps:+,.0f}",
        )
        for one in found
    ]
    head = ("column", "mean part, bp", *(f"{q:.0%}" for q in QUANTILES), "10 % to 90 %")
    return Table("Mean spread in bp as a column takes its quantiles", head, rows)


def _directions(evidence: Evidence) -> Table:
    rows = [
        (column.name, column.direction.value, str(evidence.violations.get(column.name, 0)))
        for column in evidence.column_set.columns
        if column.direction.sign
    ]
    return Table("Steps against a direction", ("column", "more of it", "violations"), rows)


def _drawn(found: Sequence[Answer]) -> Drawing:
    with styled():
        title = "What the main columns do to the mean spread"
        figure, (axes,) = Paper.panels(columns=1, title=title, width=8.2, height=3.9)
        for place, one in enumerate(reversed(found)):
            base = one.spread_bps[len(QUANTILES) // 2]
            low, high = one.spread_bps[0] - base, one.spread_bps[-1] - base
            axes.barh(place, low, color=OTHER, height=0.6, label="at its 10th percentile")
            axes.barh(place, high, color=OURS, height=0.6, label="at its 90th percentile")
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(found)), [one.name for one in reversed(found)])
        axes.set_xlabel("basis points, against its median")
        axes.grid(visible=False, axis="y")
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[:2], labels[:2], loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
        return Drawing.of(figure, title)
