"""A project and a deal, to an explained quote: the one way every door takes."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import orjson

from features.project import faults
from models import tabm
from models.audit import PATH, Audit
from models.explain import Explanation, attribute, explain, needs_exact, parts_of
from models.grades import grade
from models.hazard import HazardModel
from models.interval import Interval
from models.lanes import LANES, Readings
from models.leaves import Floats
from models.members import deviation
from models.reasons import Language
from models.waterfall import Waterfall
from pricing.arrange import arranged
from pricing.basis_points import text, texts
from pricing.deal import Deal
from pricing.errors import InputError
from pricing.instrument import Price
from pricing.look import ends_of, look
from pricing.override import ANYONE
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.support.supported import Support

NONE: Mapping[str, float] = {}
Steps = Generator[Any, Any, "Quote"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a pricer is asked: a project that a door has checked, and what it wants."""

    project: Mapping[str, object]
    deal: Deal
    support: Support | None = None
    overrides: Mapping[str, float] = field(default_factory=dict)
    caller: str = ANYONE
    audit: bool = False


@dataclass(frozen=True)
class Pricer:
    """One model and one policy, ready to quote."""

    model: HazardModel
    policy: Policy

    def quote(
        self,
        project: Mapping[str, object],
        deal: Deal,
        support: Support | None = None,
        overrides: Mapping[str, float] = NONE,
        *,
        caller: str = ANYONE,
        audit: bool = False,
    ) -> Quote:
        """Check, encode, read, price, explain.

        Args:
            project: column -> value as declared in the column set; absent or None is missing.
            deal: what is asked to be priced.
            support: schemes and subsidies asked for.
            overrides: numbers of the policy that the caller asks to change, within its bounds.
            caller: who asks, as the policy's bounds name them.
            audit: hold the explanation against the exact values of its groups.

        Raises:
            InputError: every value that is not as declared.
        """
        wrong = faults(self.model.column_set, project)
        if wrong:
            raise InputError(wrong)
        return self.quote_checked(project, deal, support, overrides, caller=caller, audit=audit)

    def quote_checked(
        self,
        project: Mapping[str, object],
        deal: Deal,
        support: Support | None = None,
        overrides: Mapping[str, float] = NONE,
        *,
        caller: str = ANYONE,
        audit: bool = False,
    ) -> Quote:
        """Quote a project that a door has already checked against the column set."""
        way = _Way(self._steps(Request(project, deal, support, overrides, caller, audit)))
        if way.asks is not None:
            trees = self.model.tables.read(way.asks)
            way.go(trees)
            if way.asks is not None:
                way.go(self.model.members.spread(trees.row, way.asks))
            if way.asks is not None:
                way.go(trees.contributions(way.asks))
        if isinstance(way.end, Exception):
            raise way.end
        return way.end

    def figure(self, asked: Request) -> Waterfall:
        """Price a request and explain nothing: the very waterfall of its quote."""
        model = self.model
        instrument = arranged(
            asked.deal, asked.support, self.policy, model.edges, asked.overrides, asked.caller
        )
        reading = model.read(model.encoder.row(asked.project, asked.deal.terms))
        return Waterfall.of_price(instrument.price(reading.margins + model.overlay))

    def quotes(self, asked: Sequence[Request]) -> list[Quote | Exception]:
        """Quote many, which is faster: each gets what it would get alone, to the last bit.

        Returns:
            For each request its quote, or why there is none; one has nothing to do with another.
        """
        ends: list[Quote | Exception] = []
        for at in range(0, len(asked), LANES):
            ends += self._side_by_side(asked[at : at + LANES])
        return ends

    def _side_by_side(self, asked: Sequence[Request]) -> list[Quote | Exception]:
        """Quote at most `LANES` requests, and let the trees look at all of them at once."""
        model, ways = self.model, [_Way(self._steps(one)) for one in asked]
        under = [way for way in ways if way.asks is not None]
        if under:
            causes, buckets = model.base.shape
            seen = Readings.of(model.tables, _asked(under, len(model.column_set.columns)))
            for way, trees in zip(under, seen, strict=True):
                way.go(trees)
            scores = seen.scores(model.members, _asked(under, buckets)).tolist()
            for way, own in zip(under, scores, strict=True):
                way.go(deviation(own))
            columns = seen.contributions(_asked(under, causes, buckets))
            for way, theirs in zip(under, columns, strict=True):
                way.go(theirs)
        return [way.end for way in ways]

    def _steps(self, asked: Request) -> Steps:
        """Encode, read, price, explain: the way of every quote, which asks the trees thrice.

        Yields:
            The encoded project, for its reading by the trees; the slopes of its PD, for the
            deviation of the members; the weights of its margins, for what the columns contribute.
        """
        model, terms = self.model, asked.deal.terms
        x = model.encoder.row(asked.project, terms)
        reading = model.joined((yield x), x)
        margins = reading.margins + model.overlay
        instrument = arranged(
            asked.deal, asked.support, self.policy, model.edges, asked.overrides, asked.caller
        )
        slopes = model.slopes(margins)
        sd_bag = model.sd_bag(reading, slopes, (yield slopes))
        ends = model.ends(margins, sd_bag)
        if isinstance(reading.network, tabm.Reading):
            price, between = instrument.price(margins), ends_of(instrument, ends)
            parts = attribute(model, reading, instrument)
        else:
            price, path, between = look(instrument, model.base, margins, ends)
            columns = yield path.weights
            parts = parts_of(model, path, reading.shares(columns, path.weights))
        interval = Interval.of(between, sd_bag=sd_bag, drift=model.drift)
        waterfall = Waterfall.of_price(price)
        audit = parts.method == PATH and (asked.audit or needs_exact(waterfall))
        audited = Audit.of(model, reading, instrument, parts) if audit else None
        known = {**asked.project, **_from_terms(model, terms)}
        told = explain(model, parts, waterfall, known, x, audited)
        return Quote(price, waterfall, told, interval, model, self.policy, asked.overrides)


class _Way:
    """A quote on its way through `Pricer._steps`: what it asks the trees, or how it ended."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.asks: Floats | None = None
        self.end: Quote | Exception = RuntimeError("a quote must have ended, however: it has not")
        self._go(None)

    def go(self, answer: Any) -> None:
        """Go on with what the trees say; one that has ended does not."""
        if self.asks is not None:
            self._go(answer)

    def _go(self, answer: Any) -> None:
        self.asks = None
        try:
            self.asks = self._steps.send(answer)
        except StopIteration as ended:
            self.end = ended.value
        except Exception as error:  # whatever it is, the others are quoted
            self.end = error


def _asked(ways: Sequence[_Way], *shape: int) -> Floats:
    """Return (ways, *shape) what ways ask, nil for those that ask nothing more."""
    asked = np.zeros((len(ways), *shape))
    for own, way in zip(asked, ways, strict=True):
        if way.asks is not None:
            own[:] = way.asks
    return asked


class Quote(NamedTuple):
    """A price, why it is what it is, and who says so."""

    price: Price
    waterfall: Waterfall
    explanation: Explanation
    interval: Interval
    model: HazardModel
    policy: Policy
    overrides: Mapping[str, float]  # of the policy's numbers, as granted

    def document(self, language: Language = "en") -> dict[str, Any]:
        """Return the body of a reply, ready for JSON; amounts that add up are decimal strings.

        Args:
            language: of the reasons' sentences.
        """
        annual = self.waterfall.of != "value_bps"  # what a stake is worth is no rate
        return {
            **({"rate": f"{self.waterfall.rate / 1e6:.6f}"} if annual else {}),
            self.waterfall.of: text(self.waterfall.total),
            "waterfall": _named("name", self.waterfall.lines),
            "pd": {horizon: f"{pd:.6f}" for horizon, pd in self.price.pd.items()},
            "grade": grade(self.price.annual_pd),
            "lgd": f"{self.price.lgd:.6f}",
            "survival": _survival(self.price),
            "interval": self._interval(),
            "details": self._details(),
            "explanation": self._explanation(language),
            "missing_sources": self._missing_sources(),
            "model": {
                "name": self.model.name,
                "version": str(self.model.card.get("version", "")),
                "digest": self.model.digest,
            },
            "policy": {
                "name": self.policy.name,
                "version": self.policy.version,
                "digest": self.policy.digest,
                "overrides": dict(self.overrides),
            },
        }

    def _details(self) -> dict[str, Any]:
        """Return what only this instrument has to say, and who pays the loss as it is printed."""
        told = {name: _tidy(value) for name, value in self.price.details.items()}
        if self.waterfall.payers:
            payers = [
                {"payer": leg.payer, "role": leg.role, "bps": text(part)}
                for leg, part in zip(self.price.payers, self.waterfall.payers, strict=True)
            ]
            told["support"] = {**told["support"], "expected_loss_payers": payers}
        return told

    @property
    def method(self) -> str:
        """Return which method made the numbers of the explanation."""
        return self.explanation.method

    @property
    def audit(self) -> Audit | None:
        """Return what an audit of the explanation found, where there was one."""
        return self.explanation.audit

    def _explanation(self, language: Language) -> dict[str, Any]:
        told, currency = self.explanation, self.model.currency
        columns, values, parts = told.columns, told.values, told.parts
        printed = texts([parts[at] for at in told.order])
        return {
            "of": told.of,
            "method": told.method,
            "base_bps": text(told.base),
            "items": [
                {
                    "column": (column := columns[at]).name,
                    "group": column.group,
                    "value": values[at],
                    "unit": column.unit,
                    "bps": bps,
                }
                for at, bps in zip(told.order, printed, strict=True)
            ],
            "groups": _named("group", told.groups),
            "lines": _named("name", told.lines),
            "total_bps": text(told.total),
            "reasons": [
                {
                    "code": why.code,
                    "column": why.column.name,
                    "bps": text(why.hundredths),
                    "text": why.text(language, currency),
                }
                for why in told.reasons
            ],
            **({} if told.audit is None else {"audit": self._audit(told.audit)}),
        }

    def _audit(self, audit: Audit) -> dict[str, Any]:
        rounded = audit.rounded(self.waterfall.figure / 100)
        named = zip(self.model.column_set.groups_told, rounded.shares.tolist(), strict=True)
        return {
            "groups": _named("group", [*named]),
            "macro_bps": text(rounded.macro),
            "mean_difference_bps": _fixed(audit.difference_bps, 2),
            "limit_bps": _fixed(audit.limit_bps, 2),
            "alarm": audit.alarm,
        }

    def _interval(self) -> dict[str, Any]:
        within = self.interval
        return {
            "level": within.level,
            "of": within.contains,
            "pd_lifetime": [_fixed(within.pd_low, 6), _fixed(within.pd_high, 6)],
            self.waterfall.of: [_fixed(within.low_bps, 2), _fixed(within.high_bps, 2)],
        }

    def _missing_sources(self) -> list[dict[str, Any]]:
        """Name each source of which nothing is known, and what that costs: part of the items."""
        told, missing = self.explanation, []
        unknown = {at for at, value in enumerate(told.values) if value is None}
        for source, places in self.model.columns_by_source.items():
            if unknown.issuperset(places):
                names = [self.model.column_set.names[at] for at in places]
                bps = text(sum(told.parts[at] for at in places))
                missing.append({"source": source, "columns": names, "bps": bps})
        return missing


def _named(what: str, parts: Sequence[tuple[str, int]]) -> list[dict[str, str]]:
    """Return parts by name, as they are printed."""
    printed = texts([part for _, part in parts])
    return [{what: name, "bps": bps} for (name, _), bps in zip(parts, printed, strict=True)]


def _fixed(number: float | None, digits: int) -> str | None:
    return None if number is None else f"{number:.{digits}f}"


def _tidy(detail: Any) -> Any:
    return round(detail, 6) if isinstance(detail, float) else detail


def _from_terms(model: HazardModel, terms: Terms) -> dict[str, object]:
    return {name: getattr(terms, attribute) for name, attribute in model.columns_of_terms}


def _survival(price: Price) -> orjson.Fragment:
    """Return the survival curve at every third month and the last, written."""
    months, points = _months(len(price.curves.survival) - 1)
    return orjson.Fragment(points % tuple(price.curves.survival[months].tolist()))


@lru_cache(maxsize=1024)
def _months(last: int) -> tuple[list[int], str]:
    """Return the months at which a curve is told, and its points with room for the values."""
    months = [*range(0, last, 3), last]
    points = ",".join(f'{{"month":{month},"alive":"%.6f"}}' for month in months)
    return months, f"[{points}]"
