"""Two prices side by side: what differs, part by part, and the parts sum to the difference exactly.

Both are replies, recorded or not. A part that only one of them has counts as 0 in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from features.column import Column, ColumnSet
from models.grades import band
from models.reasons import said
from serving.console import charts
from serving.console.charts import Bar
from serving.console.portrait import Step
from serving.console.words import Words
from serving.terminal import FIGURES

Parts = Mapping[str, int]  # in 0.01 bp, by name


@dataclass(frozen=True)
class Row:
    """One part of both prices, in bp."""

    label: str
    before: float
    after: float
    bar: Bar  # of the change
    value_before: str = ""
    value_after: str = ""
    same_value: bool = True

    @property
    def change(self) -> float:
        """Return what it adds to the difference, in bp."""
        return round(self.after - self.before, 2)


@dataclass(frozen=True)
class Difference:
    """From one reply to another."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    words: Words
    column_set: ColumnSet | None = None  # labels columns and groups, where it is known

    @property
    def figure(self) -> str:
        """Return the name of what the later reply quotes."""
        return figure_of(self.after)

    @property
    def comparable(self) -> bool:
        """Say whether both quote the same figure."""
        return figure_of(self.before) == self.figure

    @property
    def costs(self) -> bool:
        """Say whether the client pays the figure, so that less is better."""
        return FIGURES[self.figure].costs

    @property
    def bps(self) -> tuple[float, float]:
        """Return both figures."""
        return bps_of(self.before), bps_of(self.after)

    @property
    def change(self) -> float:
        """Return the difference of the figures in bp."""
        return (
            hundredths(self.after[figure_of(self.after)])
            - hundredths(self.before[figure_of(self.before)])
        ) / 100

    @property
    def grades(self) -> tuple[tuple[int, str], tuple[int, str]]:
        """Return both grades and their PDs."""
        told = [(one["grade"], band(one["grade"])) for one in (self.before, self.after)]
        return told[0], told[1]

    @property
    def waterfalls(self) -> tuple[list[Step], list[Step]]:
        """Return both waterfalls on one scale."""
        told = [
            [(line["name"], float(line["bps"])) for line in one["waterfall"]]
            for one in (self.before, self.after)
        ]
        totals = [sum(part for _, part in lines) for lines in told]
        spans = [
            [*charts.running(part for _, part in lines), (0.0, total)]
            for lines, total in zip(told, totals, strict=True)
        ]
        drawn = charts.bars([*spans[0], *spans[1]])
        split = len(spans[0])
        pairs = zip(
            (self.before, self.after), told, totals, (drawn[:split], drawn[split:]), strict=True
        )
        made = [
            [
                *(
                    Step(self.words.name("line", name), part, bar)
                    for (name, part), bar in zip(lines, bars, strict=False)
                ),
                Step(self.words.name("whole", figure_of(reply)), total, bars[-1], whole=True),
            ]
            for reply, lines, total, bars in pairs
        ]
        return made[0], made[1]

    @property
    def groups(self) -> list[Row]:
        """Return the difference by group and by what is no group's; it sums to `change`."""
        parts = [
            {**_named(one, "groups", "group", "group:"), **_beside(one)}
            for one in (self.before, self.after)
        ]
        return self._rows(parts[0], parts[1])

    @property
    def columns(self) -> list[Row]:
        """Return the difference by column and by what is no column's; it sums to `change`."""
        parts = [
            {**_named(one, "items", "column", "column:"), **_beside(one)}
            for one in (self.before, self.after)
        ]
        return self._rows(parts[0], parts[1])

    def most_moved(self, count: int) -> list[Row]:
        """Return the columns whose part moved most, and the others as one row; it sums too."""
        rows = self.columns
        first, others = rows[:count], rows[count:]
        if others:
            sums = (sum(row.before for row in others), sum(row.after for row in others))
            named = self.words("beside.others", count=len(others))
            first.append(Row(named, round(sums[0], 2), round(sums[1], 2), rows[0].bar))
        drawn = charts.bars([(0.0, row.change) for row in first])
        return [replace(row, bar=bar) for row, bar in zip(first, drawn, strict=True)]

    def _rows(self, before: Parts, after: Parts) -> list[Row]:
        names = sorted(
            {*before, *after},
            key=lambda name: (-abs(after.get(name, 0) - before.get(name, 0)), name),
        )
        changes = [(after.get(name, 0) - before.get(name, 0)) / 100 for name in names]
        drawn = charts.bars([(0.0, change) for change in changes])
        return [
            self._row(name, before.get(name, 0), after.get(name, 0), bar)
            for name, bar in zip(names, drawn, strict=True)
        ]

    def _row(self, name: str, before: int, after: int, bar: Bar) -> Row:
        family, _, own = name.partition(":")
        label, values, same = self._label(family, own), ("", ""), True
        if family == "column":
            given = [_value(reply, own) for reply in (self.before, self.after)]
            same = given[0] == given[1]
            values = self._said(own, given[0]), self._said(own, given[1])
        return Row(label, before / 100, after / 100, bar, *values, same)

    def _label(self, family: str, name: str) -> str:
        chinese = self.words.language == "zh"
        if family == "column":
            column = self._column(name)
            return name if column is None else column.label_zh if chinese else column.label
        if family == "group":
            groups = self.column_set.groups if self.column_set else {}
            return groups.get(name, (name.replace("_", " "),) * 2)[chinese]
        return self.words("quote.base") if family == "base" else self.words.name("line", name)

    def _column(self, name: str) -> Column | None:
        columns = self.column_set.columns if self.column_set else ()
        return next((column for column in columns if column.name == name), None)

    def _said(self, name: str, value: object) -> str:
        column = self._column(name)
        if column is None or self.column_set is None:
            return "–" if value is None else str(value)
        return said(column, value, self.words.language, self.column_set.currency)


def figure_of(reply: Mapping[str, Any]) -> str:
    """Return the name of what a reply quotes."""
    return next(name for name in FIGURES if name in reply)


def bps_of(reply: Mapping[str, Any]) -> float:
    """Return what a reply quotes, in bp."""
    return float(reply[figure_of(reply)])


def hundredths(text: str) -> int:
    """Return basis points in 0.01 bp, exactly.

    >>> hundredths("-12.30")
    -1230
    """
    return int(Decimal(text) * 100)


def _named(reply: Mapping[str, Any], of: str, key: str, before: str) -> dict[str, int]:
    return {before + one[key]: hundredths(one["bps"]) for one in reply["explanation"][of]}


def _beside(reply: Mapping[str, Any]) -> dict[str, int]:
    """Return what no column explains: the reference company's price, and the lines apart."""
    told = reply["explanation"]
    lines = {f"line:{line['name']}": hundredths(line["bps"]) for line in told["lines"]}
    return {
        "base:": hundredths(told["base_bps"]),
        **{name: part for name, part in lines.items() if part},
    }


def _value(reply: Mapping[str, Any], column: str) -> object:
    items: Iterable[Mapping[str, Any]] = reply["explanation"]["items"]
    return next((one["value"] for one in items if one["column"] == column), None)
