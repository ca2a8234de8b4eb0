"""A project and a loan's terms, to an explained quote: the one way every door takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from features.project import faults
from models.explain import Explanation, Item, attribute, explain
from models.hazard import HazardModel
from models.reasons import Language
from pricing.basis_points import largest_remainder, text
from pricing.errors import InputError
from pricing.instrument import Price
from pricing.loan import TermLoan
from pricing.policy import Policy
from pricing.schedule import Terms


@dataclass(frozen=True)
class Pricer:
    """One model and one policy, ready to quote."""

    model: HazardModel
    policy: Policy

    def quote(self, project: Mapping[str, object], terms: Terms) -> Quote:
        """Check, encode, read, price, explain.

        Args:
            project: column -> value as declared in the column set; absent or None is missing.
            terms: the loan asked for.

        Raises:
            InputError: every value that is not as declared.
        """
        wrong = faults(self.model.column_set, project)
        if wrong:
            raise InputError(wrong)
        return self.quote_checked(project, terms)

    def quote_checked(self, project: Mapping[str, object], terms: Terms) -> Quote:
        """Quote a project that a door has already checked against the column set."""
        x = self.model.encoder.row(project, terms)
        reading = self.model.read(x)
        loan = TermLoan(terms, self.policy, self.model.edges)
        price = loan.price(reading.margins + self.model.overlay)
        parts = attribute(self.model, reading, loan)
        known = {**project, **_from_terms(self.model, terms)}
        waterfall = _waterfall(price)
        told = explain(self.model, parts, waterfall, known, x)
        return Quote(price, waterfall, told, self.model, self.policy)


@dataclass(frozen=True)
class Quote:
    """A price, why it is what it is, and who says so."""

    price: Price
    waterfall: tuple[tuple[str, int], ...]  # 0.01 bp; sums to the rate
    explanation: Explanation
    model: HazardModel
    policy: Policy

    def document(self, language: Language = "en") -> dict[str, Any]:
        """Return the body of a reply, ready for JSON; amounts that add up are decimal strings.

        Args:
            language: of the reasons' sentences.
        """
        rate = sum(part for _, part in self.waterfall)
        return {
            "rate": f"{rate / 1e6:.6f}",
            "spread_bps": text(self.explanation.total),
            "waterfall": [{"name": name, "bps": text(part)} for name, part in self.waterfall],
            "pd": {horizon: f"{pd:.6f}" for horizon, pd in self.price.pd.items()},
            "lgd": f"{self.price.lgd:.6f}",
            "survival": [
                {"month": month, "alive": f"{alive:.6f}"} for month, alive in _points(self.price)
            ],
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
            },
        }

    def _explanation(self, language: Language) -> dict[str, Any]:
        told, currency = self.explanation, self.model.currency
        return {
            "of": told.of,
            "base_bps": text(told.base),
            "items": [
                {
                    "column": item.column.name,
                    "group": item.column.group,
                    "value": item.value,
                    "unit": item.column.unit,
                    "bps": text(item.hundredths),
                }
                for item in told.items
            ],
            "groups": [{"group": group, "bps": text(part)} for group, part in told.groups.items()],
            "lines": [{"name": name, "bps": text(part)} for name, part in told.lines],
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
        }

    def _missing_sources(self) -> list[dict[str, Any]]:
        """Name each source of which nothing is known, and what that costs: part of the items."""
        by_source: dict[str, list[Item]] = defaultdict(list)
        for item in self.explanation.items:
            by_source[item.column.source].append(item)
        return [
            {
                "source": source,
                "columns": [item.column.name for item in items],
                "bps": text(sum(item.hundredths for item in items)),
            }
            for source, items in sorted(by_source.items())
            if all(item.value is None for item in items)
        ]


def _waterfall(price: Price) -> tuple[tuple[str, int], ...]:
    """Round the waterfall to 0.01 bp: the lines above funding sum to the rounded spread."""
    funding, *above = price.waterfall
    parts = largest_remainder([line.bps for line in above], price.clipped_spread_bps)
    named = zip((line.name for line in above), parts, strict=True)
    return ((funding.name, round(100 * funding.bps)), *named)


def _from_terms(model: HazardModel, terms: Terms) -> dict[str, object]:
    columns = model.column_set.columns
    return {column.name: getattr(terms, column.terms) for column in columns if column.terms}


def _points(price: Price) -> list[tuple[int, float]]:
    """Return the survival curve at every third month and the last."""
    survival = price.curves.survival
    last = len(survival) - 1
    return [(month, float(survival[month])) for month in (*range(0, last, 3), last)]
