"""A book added up: by grade, instrument, month and sector, and how concentrated it is.

A quote is a price, not a loan: the book says what was quoted. A project that was quoted more than
once counts once, as it was quoted last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from serving.ledger.listing import Facts

SECTOR = "sector"  # the column that says it, in the sets that ship and in a bank's that has one
LOSSES = ("expected_loss", "expected_claims")
TAKEN = "scheme_loss"  # what others than the lender take of the loss, a negative line
CAPITAL = ("capital", "scheme_capital")
LARGEST = 5
SPREAD = "spread_bps"


@dataclass(frozen=True, slots=True)
class Holding:
    """One quote of a book: amounts in the currency, rates in bp a year."""

    name: str
    instrument: str
    month: str
    grade: int
    sector: str
    amount: float
    drawn: float  # of it, what the basis points are on: less than a line's limit
    loss_bps: float
    capital_bps: float
    spread_bps: float | None


def holding(facts: Facts, created_us: int, quote_id: str, reply: bytes) -> Holding:
    """Return a recorded quote as part of a book."""
    told: Mapping[str, Any] = orjson.loads(reply)
    lines = {line["name"]: float(line["bps"]) for line in told["waterfall"]}
    asked = told["instrument"]
    items = {one["column"]: one["value"] for one in told["explanation"]["items"]}
    return Holding(
        name=facts.reference or f"…{quote_id[-6:]}",
        instrument=facts.instrument,
        month=f"{datetime.fromtimestamp(created_us // 1_000_000, UTC):%Y-%m}",
        grade=told["grade"],
        sector=str(items.get(SECTOR) or ""),
        amount=float(asked["amount"]),
        drawn=float(asked["amount"] * asked.get("utilisation", 1.0)),
        loss_bps=sum(lines.get(name, 0.0) for name in (*LOSSES, TAKEN)),
        capital_bps=sum(lines.get(name, 0.0) for name in CAPITAL),
        spread_bps=float(told[SPREAD]) if SPREAD in told else None,
    )


@dataclass(frozen=True)
class Total:
    """Some holdings, added up."""

    label: str
    count: int
    amount: float
    loss: float  # expected, a year
    capital: float  # its cost, a year
    spread_bps: float | None  # weighted by what is drawn; None where nothing has a spread
    share: float  # of the book's amount

    @property
    def loss_bps(self) -> float:
        """Return the expected loss, in bp of the amount a year."""
        return 1e4 * self.loss / self.amount if self.amount else 0.0


@dataclass(frozen=True)
class Concentration:
    """How much of a book's amount lies with few."""

    hhi: float  # the sum of squared shares (Herfindahl & Hirschman), 1 if all is one
    largest: tuple[tuple[str, float], ...]

    @property
    def effective(self) -> float:
        """Return how many equal ones would be as concentrated."""
        return 1 / self.hhi if self.hhi else 0.0


@dataclass(frozen=True)
class Book:
    """Holdings, and what they add up to."""

    holdings: Sequence[Holding]

    @property
    def amount(self) -> float:
        """Return what all holdings come to."""
        return sum(one.amount for one in self.holdings)

    @property
    def whole(self) -> Total:
        """Return all of it."""
        return self._total("", self.holdings)

    def by(self, of: Callable[[Holding], Any]) -> list[Total]:
        """Return the totals by a property, in its order."""
        parts: dict[Any, list[Holding]] = defaultdict(list)
        for one in self.holdings:
            parts[of(one)].append(one)
        return [self._total(str(key), parts[key]) for key in sorted(parts)]

    def concentration(self, of: Callable[[Holding], str]) -> Concentration:
        """Return how the amount is spread over the values of a property."""
        sums: dict[str, float] = defaultdict(float)
        for one in self.holdings:
            sums[of(one)] += one.amount
        whole = sum(sums.values()) or 1.0
        shares = sorted(((name, part / whole) for name, part in sums.items()), key=lambda p: -p[1])
        return Concentration(sum(share**2 for _, share in shares), tuple(shares[:LARGEST]))

    def _total(self, label: str, some: Iterable[Holding]) -> Total:
        held = [*some]
        amount = sum(one.amount for one in held)
        spread = [(one.spread_bps, one.drawn) for one in held if one.spread_bps is not None]
        weight = sum(part for _, part in spread)
        return Total(
            label=label,
            count=len(held),
            amount=amount,
            loss=sum(one.drawn * one.loss_bps for one in held) / 1e4,
            capital=sum(one.drawn * one.capital_bps for one in held) / 1e4,
            spread_bps=sum(bps * part for bps, part in spread) / weight if weight else None,
            share=amount / (self.amount or 1.0),
        )


def newest(holdings: Iterable[Holding]) -> list[Holding]:
    """Return every project once, of holdings that come newest first."""
    return [*{one.name: one for one in reversed([*holdings])}.values()]
