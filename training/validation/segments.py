"""Whether the version is right in every part of the book: by level of each category and flag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import binom

from features.book import Book
from features.column import Column, Kind
from training import observed
from training.evaluate import FEW
from training.metrics import Forecast, Interval, effective
from training.periods import Bools
from training.validation.delong import auc_interval
from training.validation.evidence import Evidence
from training.validation.section import Light, Section, Table, counted, ranged

MOST = 10  # levels of a column that are shown, the largest
UNKNOWN = "(missing)"


@dataclass(frozen=True)
class Segment:
    """One level of one column, out of time; `ratio` is observed over expected defaults."""

    column: str
    level: str
    projects: int
    defaults: int
    auc: Interval
    ratio: Interval

    def strays(self, level: float) -> bool:
        """Return whether the ratio is surely another than the whole book's.

        Args:
            level: observed over expected defaults of the whole book, a ratio.
        """
        return not self.ratio.low <= level <= self.ratio.high


def segment(column: str, level: str, forecast: Forecast) -> Segment:
    """Return the figures of some projects; the ratio's interval is Wilson's of the share."""
    rate = float(np.average(forecast.y, weights=forecast.w))
    foretold = float(np.average(forecast.p, weights=forecast.w))
    size = effective(forecast.w)
    low, high = (float(end[0]) for end in observed.wilson(np.array([rate]), np.array([size])))
    ratio = Interval(rate / foretold, low / foretold, high / foretold)
    auc = auc_interval(forecast)
    return Segment(column, level, len(forecast.y), int(forecast.y.sum()), auc, ratio)


def levels(book: Book, column: Column) -> Iterator[tuple[str, Bools]]:
    """Yield each level of a column and who has it, the largest first: missing is a level too.

    A number is cut into thirds.
    """
    values = book.frame[column.name]
    if column.numeric:
        known = values.drop_nulls().to_numpy()
        cuts = np.unique(np.quantile(known, [1 / 3, 2 / 3])) if len(known) else known
        third = np.searchsorted(cuts, values.fill_null(np.nan).to_numpy(), side="left")
        named = [
            UNKNOWN if missing else f"third {at + 1}"
            for at, missing in zip(third, values.is_null(), strict=True)
        ]
    else:
        named = [UNKNOWN if value is None else str(value).lower() for value in values]
    names, counts = np.unique(named, return_counts=True)
    for at in np.argsort(-counts, kind="stable")[:MOST]:
        yield str(names[at]), np.asarray([name == names[at] for name in named], np.bool_)


def section(evidence: Evidence) -> Section:
    """Return every segment with enough defaults at the main horizon."""
    months = evidence.main_months
    followed = evidence.foretold.followed(months)
    found = []
    for column in evidence.column_set.columns:
        if column.kind in (Kind.CATEGORY, Kind.FLAG):
            for level, inside in levels(evidence.test, column):
                forecast = evidence.foretold.forecast(months, followed & inside)
                fell = forecast.y.sum() if len(forecast.y) else 0
                if min(fell, len(forecast.y) - fell) >= FEW:
                    found.append(segment(column.name, level, forecast))
    off = [one for one in found if one.strays(evidence.level)]
    allowed = _by_chance(len(found))
    said = f"{counted(len(off), 'segment')} of {len(found)} default otherwise than the whole book"
    return Section(
        name="segments",
        title="Segments",
        light=Light.GREY if not found else Light.AMBER if len(off) > allowed else Light.GREEN,
        verdict=f"{said}, against their forecasts; chance alone allows {allowed}."
        if found
        else "No segment has enough defaults to be judged.",
        figures={
            "months": months,
            "level": evidence.level,
            "segments": [asdict(one) | {"strays": one.strays(evidence.level)} for one in found],
        },
        tables=[_table(found, months)] if found else [],
        notes=[
            f"Levels with at least {FEW} defaults and as many others, the {MOST} largest of each "
            "column. A segment strays where the 90 % interval of its ratio lies off that of the "
            f"whole book, {evidence.level:.2f}: a level that is off for all is judged under "
            "calibration.",
        ],
    )


def _by_chance(many: int) -> int:
    """Return how many 90 % intervals of so many miss by chance, in 19 cases of 20 at most."""
    return int(binom.ppf(0.95, many, 0.10)) if many else 0


def _table(found: list[Segment], months: int) -> Table:
    rows = [
        (
            f"{one.column}: {one.level}",
            f"{one.defaults:,} of {one.projects:,}",
            ranged(one.auc),
            ranged(one.ratio, 2),
        )
        for one in found
    ]
    head = ("segment", "defaults of projects", "AUC [90 %]", "observed / expected [90 %]")
    return Table(f"Default by month {months}", head, rows)
