"""A recorded quote as a page tells it: every figure is the recorded one, in the reader's words.

What the reply does not hold (where a value stands in the cohort, the hazard) comes from the model
that the quote names, if it is still kept; without it, labels and places are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.column import Column
from models.grades import band
from models.hazard import HazardModel
from models.reasons import reason, said
from serving.console import charts
from serving.console.charts import Bar, Chart, Lines
from serving.console.cohort import Cohort, Seen, Standing
from serving.console.figures import bp, percent
from serving.console.words import Words
from serving.terminal import FIGURES, FRACTIONS

SHOWN = 10  # columns; the others are one click away


@dataclass(frozen=True)
class Step:
    """A line of the waterfall."""

    label: str
    bps: float
    bar: Bar
    whole: bool = False


@dataclass(frozen=True)
class Item:
    """What one column, or one group, adds."""

    label: str
    bps: float
    bar: Bar
    meaning: str = ""
    value: str = ""
    source: str = ""
    group: str = ""
    standing: Standing | None = None
    name: str = ""  # as the data dictionary links it


@dataclass(frozen=True)
class Context:
    """What the named model adds to a recorded quote; both None if it is gone."""

    model: HazardModel | None = None
    seen: Seen | None = None
    cohort: Cohort | None = None


@dataclass(frozen=True)
class Portrait:
    """A reply, its request's words, and its context, read on demand by the template."""

    reply: Mapping[str, Any]
    words: Words
    context: Context

    @property
    def figure(self) -> str:
        """Return the name of what is quoted."""
        return next(name for name in FIGURES if name in self.reply)

    @property
    def bps(self) -> float:
        """Return the figure."""
        return float(self.reply[self.figure])

    @property
    def costs(self) -> bool:
        """Say whether the client pays the figure, so that less is better."""
        return FIGURES[self.figure].costs

    @property
    def grade_band(self) -> str:
        """Return the PDs of the grade."""
        return band(self.reply["grade"])

    @property
    def interval(self) -> tuple[str, str]:
        """Return the ends of the figure's interval in bp, or that there is none."""
        ends = self.reply["interval"][self.figure]
        return tuple(  # type: ignore[return-value]  # two of them
            self.words("quote.no_price") if end is None else bp(end) for end in ends
        )

    @property
    def waterfall(self) -> list[Step]:
        """Return the lines of the price, and their sum."""
        lines = [(line["name"], float(line["bps"])) for line in self.reply["waterfall"]]
        total = sum(part for _, part in lines)
        drawn = charts.bars([*charts.running(part for _, part in lines), (0.0, total)])
        steps = [
            Step(self.words.name("line", name), part, bar)
            for (name, part), bar in zip(lines, drawn[:-1], strict=True)
        ]
        whole = self.words.name("whole", self.figure)
        return [*steps, Step(whole, total, drawn[-1], whole=True)]

    @property
    def items(self) -> list[Item]:
        """Return what every column adds, the largest first."""
        told = self.reply["explanation"]["items"]
        drawn = charts.bars([(0.0, float(one["bps"])) for one in told])
        return [self._item(one, bar) for one, bar in zip(told, drawn, strict=True)]

    @property
    def groups(self) -> list[Item]:
        """Return what every group adds, between the reference company's price and the figure."""
        told = self.reply["explanation"]["groups"]
        drawn = charts.bars([(0.0, float(one["bps"])) for one in told])
        return [
            Item(self._group(one["group"]), float(one["bps"]), bar)
            for one, bar in zip(told, drawn, strict=True)
        ]

    @property
    def lines(self) -> list[tuple[str, float]]:
        """Return what is no column's doing, where it is anything."""
        told = [(line["name"], float(line["bps"])) for line in self.reply["explanation"]["lines"]]
        return [(self.words.name("line", name), part) for name, part in told if part]

    @property
    def reasons(self) -> list[str]:
        """Return the reasons, in the reader's language where the model is kept."""
        return [self._reason(one) for one in self.reply["explanation"]["reasons"]]

    @property
    def missing(self) -> list[tuple[str, float]]:
        """Return the sources of which nothing is known, and what that costs."""
        return [
            (self._source(one["source"]), float(one["bps"]))
            for one in self.reply["missing_sources"]
        ]

    @property
    def audit(self) -> list[tuple[str, float, float]]:
        """Return group, published and exact basis points, where the quote was audited."""
        told = self.reply["explanation"]
        if "audit" not in told:
            return []
        exact = {one["group"]: float(one["bps"]) for one in told["audit"]["groups"]}
        return [
            (self._group(one["group"]), float(one["bps"]), exact[one["group"]])
            for one in told["groups"]
        ]

    @property
    def payers(self) -> list[tuple[str, str, float, Bar]]:
        """Return who pays the expected loss: name, role, basis points."""
        support = self.reply["details"].get("support") or {}
        told = support.get("expected_loss_payers", [])
        drawn = charts.bars([(0.0, float(one["bps"])) for one in told])
        return [
            (
                self.words.name("payer", one["payer"]),
                self.words.name("role", one["role"]),
                float(one["bps"]),
                bar,
            )
            for one, bar in zip(told, drawn, strict=True)
        ]

    @property
    def details(self) -> list[tuple[str, str]]:
        """Return what only this instrument has to say."""
        told = {k: v for k, v in self.reply["details"].items() if k != "support"}
        told |= told.pop("ecl", {})
        return [
            (self.words.name("detail", name), _number(name, value)) for name, value in told.items()
        ]

    @property
    def terms(self) -> list[tuple[str, str]]:
        """Return what was understood of the request: every term, with those assumed."""
        asked = self.reply["instrument"].items()
        return [
            (self.words.name("term", name), self._term(name, value))
            for name, value in asked
            if value is not None and name not in ("kind", "amount")
        ]

    @property
    def months(self) -> int:
        """Return the end of the survival curve."""
        return int(self.reply["survival"][-1]["month"])

    @property
    def survival(self) -> Chart:
        """Return survival as recorded, beside the cohort's."""
        own = [(one["month"], float(one["alive"])) for one in self.reply["survival"]]
        cohort = self.context.cohort
        if cohort is None:
            return Lines(own).chart(months=self.months, most=1.0)
        spread, at = cohort.survival(self.months), range(self.months + 1)
        drawn = [
            [*zip(at, values.tolist(), strict=True)]
            for values in (spread.middle, spread.low, spread.high)
        ]
        return Lines(own, *drawn).chart(months=self.months, most=1.0)

    @property
    def hazard(self) -> Chart | None:
        """Return the monthly hazard of default by age, beside the cohort's; None: unknown."""
        model, seen, cohort = self.context.model, self.context.seen, self.context.cohort
        if model is None or seen is None or cohort is None:
            return None
        spread = cohort.hazard()
        drawn = [
            charts.stairs(model.edges, values.tolist(), self.months)
            for values in (seen.hazard, spread.middle, spread.low, spread.high)
        ]
        return Lines(*drawn).chart(months=self.months, least=0.0)

    def curve_rows(self) -> Iterator[tuple[int, str, str]]:
        """Yield month, survival, and the cohort's middle: the picture as a table."""
        cohort = self.context.cohort
        middle = cohort.survival(self.months).middle if cohort else None
        for one in self.reply["survival"]:
            beside = "" if middle is None else percent(middle[one["month"]])
            yield one["month"], percent(one["alive"]), beside

    def hazard_rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield months, hazard, and the cohort's middle: the picture as a table."""
        model, seen, cohort = self.context.model, self.context.seen, self.context.cohort
        if model is None or seen is None or cohort is None:
            return
        middle = cohort.hazard().middle
        spans = zip(model.edges, model.edges[1:], seen.hazard, middle, strict=False)
        for low, high, own, beside in spans:
            if low < self.months:
                yield f"{low + 1}–{min(high, self.months)}", percent(own, 3), percent(beside, 3)

    def _item(self, told: Mapping[str, Any], bar: Bar) -> Item:
        column, index = self._column(told["column"])
        group, part, model = self._group(told["group"]), float(told["bps"]), self.context.model
        if column is None or model is None:
            value = "–" if told["value"] is None else f"{told['value']} {told['unit']}"
            return Item(told["column"], part, bar, value=value, group=group)
        chinese, seen = self.words.language == "zh", self.context.seen
        return Item(
            name=column.name,
            label=column.label_zh if chinese else column.label,
            bps=part,
            bar=bar,
            meaning=column.meaning_zh if chinese else column.meaning,
            value=said(column, told["value"], self.words.language, model.currency),
            source=self._source(column.source),
            group=group,
            standing=seen.standing(model, index) if seen and told["value"] is not None else None,
        )

    def _column(self, name: str) -> tuple[Column | None, int]:
        model = self.context.model
        if model is None or name not in model.column_set.names:
            return None, -1
        index = model.column_set.names.index(name)
        return model.column_set.columns[index], index

    def _reason(self, told: Mapping[str, Any]) -> str:
        column, index = self._column(told["column"])
        model, seen = self.context.model, self.context.seen
        if column is None or model is None or seen is None:
            return str(told["text"])
        items = self.reply["explanation"]["items"]
        value = next(one["value"] for one in items if one["column"] == told["column"])
        made = reason(
            column,
            round(100 * float(told["bps"])),
            value,
            x=float(seen.x[index]),
            peers=model.peers,
            index=index,
            source=model.column_set.sources[column.source],
        )
        return made.text(self.words.language, model.currency)

    def _group(self, name: str) -> str:
        model = self.context.model
        return self._titled(model.column_set.groups if model else {}, name)

    def _source(self, name: str) -> str:
        model = self.context.model
        return self._titled(model.column_set.sources if model else {}, name)

    def _titled(self, titles: Mapping[str, tuple[str, str]], name: str) -> str:
        english, chinese = titles.get(name, (name.replace("_", " "),) * 2)
        return chinese if self.words.language == "zh" else english

    def _term(self, name: str, value: Any) -> str:
        if isinstance(value, Mapping):
            parts = [f"{self.words.name('term', k)} {self._term(k, v)}" for k, v in value.items()]
            return self.words("columns.and").join(parts)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return "; ".join(self._term(name, one) for one in value) or "–"
        if isinstance(value, bool):
            return self.words("quote.yes" if value else "quote.no")
        if isinstance(value, int | float):
            return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
        return self.words.name("choice", str(value))


def _number(name: str, value: Any) -> str:
    if name in FRACTIONS or name.startswith(("survive_", "technical_", "vc_method_required")):
        return percent(value)
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.4f}" if abs(value) < 100 else f"{value:,.0f}"
