"""Whether the levels of a protected column are priced alike, and as rightly."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.column import Column
from pricing.policy import Policy
from training import observed
from training.evaluate import FEW
from training.metrics import Interval
from training.periods import Bools, Floats
from training.validation.evidence import Evidence
from training.validation.section import NONE, Light, Section, Table, number, percent, ranged, worst
from training.validation.segments import levels, segment

FOUR_FIFTHS = 0.8  # of the best level's approval rate: 29 CFR 1607.4 D
LEAST = 20  # priced projects of a level


@dataclass(frozen=True)
class Level:
    """One level of a protected column.

    Attributes:
        name: of the level.
        priced: projects.
        approved: share whose spread is within the policy's cap.
        against_best: that share over the best level's.
        spread_bps: mean.
        apart_bps: mean spread less the mean of the others, with its 90 % interval.
        column_bps: what the column itself adds on average; NaN where too few were explained.
        ratio: observed over expected defaults; None where too few are known.
        strays: whether that is surely another than the whole book's.
    """

    name: str
    priced: int
    approved: float
    against_best: float
    spread_bps: float
    apart_bps: Interval
    column_bps: float
    ratio: Interval | None
    strays: bool

    @property
    def light(self) -> Light:
        """Return red below four fifths of the best level, amber where defaults stray."""
        if self.against_best < FOUR_FIFTHS:
            return Light.RED
        return Light.AMBER if self.strays else Light.GREEN


def section(evidence: Evidence) -> Section:
    """Return approval, price and calibration by level of each protected column."""
    columns = [column for column in evidence.column_set.columns if column.protected]
    if not columns:
        return _nothing()
    found = {column.name: compared(evidence, column) for column in columns}
    lights = [level.light for some in found.values() for level in some]
    light = worst(lights)
    least = min((one.against_best for some in found.values() for one in some), default=1.0)
    told = ", ".join(found)
    verdict = f"By {told}: the level approved least often is approved {percent(least, 0)} as often "
    verdict += "as the best one" + (
        "."
        if light is not Light.AMBER
        else "; some levels default otherwise than the whole book, against their forecasts."
    )
    return Section(
        name="fairness",
        title="Fairness between groups",
        light=light,
        verdict=verdict,
        figures={n: [asdict(one) | {"light": one.light} for one in f] for n, f in found.items()},
        tables=[_table(name, some) for name, some in found.items()],
        notes=[
            f"Approved: a spread within the policy's cap. Red: below {FOUR_FIFTHS:.0%} of the best "
            "level (the four-fifths rule of 29 CFR 1607.4 D, a rule of thumb from employment). "
            "Amber: the 90 % interval of the level's ratio of defaults to their forecast lies off "
            f"the whole book's, {evidence.level:.2f}. A spread that differs between levels is fair "
            "only where defaults differ too: read it beside observed over expected. What the "
            "column itself adds is its share of the explanation; other columns may stand in for "
            "it.",
        ],
    )


def compared(evidence: Evidence, column: Column) -> list[Level]:
    """Return the levels of a column that have enough priced projects."""
    sides = [
        (name, inside)
        for name, inside in levels(evidence.test, column)
        if inside[evidence.chosen].sum() >= LEAST
    ]
    rates = [_approved(evidence, inside) for _, inside in sides]
    best = max(rates, default=1.0) or 1.0
    return [
        _level(evidence, column, name, inside, rate, rate / best)
        for (name, inside), rate in zip(sides, rates, strict=True)
    ]


def within_cap(spreads_bps: Floats, policy: Policy) -> Bools:
    """Return whose spread the policy would quote as it is, or at its floor: (m,)."""
    cap = policy.spread_cap_bps
    return np.asarray(np.isfinite(spreads_bps) & (cap is None or spreads_bps < (cap or 0.0)))


def difference(some: Floats, others: Floats) -> Interval:
    """Return the difference of two means with its 90 % interval (Welch), in their unit."""
    gap = float(some.mean() - others.mean()) if len(others) else float("nan")
    if min(len(some), len(others)) < 2:
        return Interval(gap, float("nan"), float("nan"))
    variance = some.var(ddof=1) / len(some) + others.var(ddof=1) / len(others)
    half = observed.Z_90 * float(np.sqrt(variance))
    return Interval(gap, gap - half, gap + half)


def _approved(evidence: Evidence, inside: Bools) -> float:
    at = inside[evidence.chosen]
    return float(within_cap(evidence.spreads_bps[at], evidence.policy).mean())


def _level(
    evidence: Evidence,
    column: Column,
    name: str,
    inside: Bools,
    approved: float,
    against_best: float,
) -> Level:
    at = inside[evidence.chosen]
    some, others = evidence.spreads_bps[at], evidence.spreads_bps[~at]
    months = evidence.main_months
    forecast = evidence.foretold.forecast(months, evidence.foretold.followed(months) & inside)
    enough = len(forecast.y) > 0 and forecast.y.sum() >= FEW
    found = segment(column.name, name, forecast) if enough else None
    return Level(
        name=name,
        priced=int(at.sum()),
        approved=approved,
        against_best=against_best,
        spread_bps=float(some.mean()),
        apart_bps=difference(some, others),
        column_bps=_adds(evidence, column, inside),
        ratio=found.ratio if found else None,
        strays=found is not None and found.strays(evidence.level),
    )


def _adds(evidence: Evidence, column: Column, inside: Bools) -> float:
    """Return the mean basis points of the column itself, of the projects that were explained."""
    where = evidence.column_set.names.index(column.name)
    encoded = evidence.judged.x[inside, where]
    values = np.unique(encoded[~np.isnan(encoded)])
    explained = evidence.priced.x[:, where]
    at = np.isin(explained, values) if len(values) else np.isnan(explained)
    return float(evidence.priced.columns_bps[at, where].mean()) if at.any() else float("nan")


def _table(name: str, found: list[Level]) -> Table:
    rows = [
        (
            one.name,
            f"{one.priced:,}",
            percent(one.approved),
            percent(one.against_best, 0),
            number(one.spread_bps, 0),
            ranged(one.apart_bps, 0, sign="+"),
            number(one.column_bps, 1),
            NONE if one.ratio is None else ranged(one.ratio, 2),
            one.light.value,
        )
        for one in found
    ]
    head = ("level", "priced", "approved", "of best", "spread, bp", "less the others [90 %]")
    return Table(name, (*head, "column, bp", "obs. / exp. [90 %]", ""), rows)


def _nothing() -> Section:
    said = "No column of this set is marked `protected = true`, so no groups are compared."
    figures: dict[str, Any] = {}
    return Section("fairness", "Fairness between groups", Light.GREY, said, figures)
