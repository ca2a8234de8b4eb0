"""What a server replies, with types; the bytes themselves stay with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from serving.ledger.note import Checkpoint

__all__ = ["Checkpoint", "Line", "Quote", "Reason", "Receipt"]
FIGURES = ("spread_bps", "fee_bps", "premium_bps", "value_bps")


@dataclass(frozen=True)
class Line:
    """A part of the rate."""

    name: str
    bps: Decimal


@dataclass(frozen=True)
class Reason:
    """A column that raises the figure."""

    code: str
    column: str
    bps: Decimal
    text: str


@dataclass(frozen=True)
class Quote:
    """A price with its explanation; `body` is exactly what the ledger keeps of it."""

    body: bytes = field(repr=False)
    key: str | None = None  # the Idempotency-Key; None for a what-if
    replayed: bool = False  # it was recorded before, and came again

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """Return all of the reply: docs/api.md."""
        document: Mapping[str, Any] = json.loads(self.body)
        return document

    @property
    def quote_id(self) -> str | None:
        """Return the id in the ledger; None for a what-if."""
        found: str | None = self.document["quote_id"]
        return found

    @property
    def figure(self) -> Line:
        """Return the figure quoted: `spread_bps`, `fee_bps`, `premium_bps` or `value_bps`."""
        name = next(name for name in FIGURES if name in self.document)
        return Line(name, Decimal(self.document[name]))

    @property
    def rate(self) -> Decimal | None:
        """Return the annual rate as a fraction; a stake has none."""
        return Decimal(self.document["rate"]) if "rate" in self.document else None

    @property
    def waterfall(self) -> tuple[Line, ...]:
        """Return the parts of the rate."""
        return tuple(Line(one["name"], Decimal(one["bps"])) for one in self.document["waterfall"])

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Return the at most four columns that raise the figure most."""
        return tuple(
            Reason(one["code"], one["column"], Decimal(one["bps"]), one["text"])
            for one in self.document["explanation"]["reasons"]
        )

    @property
    def pd_lifetime(self) -> Decimal:
        """Return the probability of default over the term."""
        return Decimal(self.document["pd"]["lifetime"])

    @property
    def lgd(self) -> Decimal:
        """Return the loss given default."""
        return Decimal(self.document["lgd"])


@dataclass(frozen=True)
class Receipt:
    """The proof of a quote, to be kept as it came; verified if the client has a witness."""

    body: bytes = field(repr=False)
    checkpoint: Checkpoint | None  # that it was verified under; None: it was not

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """Return all of it: docs/ledger.md."""
        document: Mapping[str, Any] = json.loads(self.body)
        return document
