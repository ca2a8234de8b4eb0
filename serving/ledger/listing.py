"""What is listed of a quote: a few facts of its body and its reply, in a slim table of their own.

The table makes quotes findable; it proves nothing. Each row follows from what is recorded, is
written in the same transaction, and `ledger verify` compares it. Of what is private it holds
reference, amount and grade: they go when the private part goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, select, tuple_

from serving.ledger.schema import QUOTE_INDEX

FACTS = ("instrument", "model", "figure", "hundredths", "rate", "reference", "amount", "grade")
OWN = ("reference", "amount", "grade")  # private: null once erased
LAST_LETTER = "\U0010ffff"
MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What a list shows of a quote, beside its id, tenant and time."""

    instrument: str
    model: str  # its version, or the beginning of its digest where it has none
    figure: str | None
    hundredths: int | None  # of the figure, in 0.01 bp
    rate: str | None
    reference: str | None
    amount: int | None  # in whole units of the currency
    grade: int | None

    @classmethod
    def of(
        cls, body: Mapping[str, Any], reference: str | None, reply: Mapping[str, Any] | None
    ) -> Facts:
        """Return the facts of a quote.

        Args:
            body: its public body.
            reference: of the request.
            reply: the document that was given; None once it is erased.
        """
        figure, model = body["figure"], body["model"] or {"version": "", "digest": ""}
        bps, told = figure["bps"], reply or {}
        amount = told.get("instrument", {}).get("amount")
        return cls(
            instrument=body["instrument"],
            model=model["version"] or model["digest"][:12],
            figure=figure["of"],
            hundredths=None if bps is None else round(100 * float(bps)),
            rate=body["rate"],
            reference=reference if reply else None,
            amount=None if amount is None else round(amount),
            grade=told.get("grade"),
        )

    @property
    def values(self) -> tuple[object, ...]:
        """Return them in the order of FACTS."""
        return tuple(getattr(self, name) for name in FACTS)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quote stands in a list: by time, then by its number in the log."""

    created_us: int
    seq: int


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of a list."""

    place: Place
    quote_id: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Sought:
    """Which quotes are asked for; what is None or empty leaves any."""

    from_us: int | None = None
    before_us: int | None = None
    reference: str = ""  # how it begins
    instrument: str = ""
    model: str = ""
    least: int | None = None  # of the figure, in 0.01 bp
    most: int | None = None
    grades: tuple[int, ...] = ()

    def narrowed(self, tenant: str, query: Select[Any]) -> Select[Any]:
        """Return a query over the tenant's quotes that are sought, and no others."""
        q = QUOTE_INDEX.c
        query = query.where(q.tenant == tenant)
        if self.from_us is not None:
            query = query.where(q.created_us >= self.from_us)
        if self.before_us is not None:
            query = query.where(q.created_us < self.before_us)
        if self.reference:
            query = query.where(
                q.reference >= self.reference, q.reference < self.reference + LAST_LETTER
            )
        if self.instrument:
            query = query.where(q.instrument == self.instrument)
        if self.model:
            query = query.where(q.model == self.model)
        if self.least is not None:
            query = query.where(q.hundredths >= self.least)
        if self.most is not None:
            query = query.where(q.hundredths <= self.most)
        return query.where(q.grade.in_(self.grades)) if self.grades else query


def older(
    tenant: str, sought: Sought, than: Place | None, most: int, *, newer: bool = False
) -> Select[Any]:
    """Return the query for quotes older than a place, the newest first.

    Args:
        tenant: whose they are.
        sought: which.
        than: a place of the list; None: its beginning.
        most: rows.
        newer: those newer than the place instead, the oldest first.
    """
    q, columns = QUOTE_INDEX.c, tuple_(QUOTE_INDEX.c.created_us, QUOTE_INDEX.c.seq)
    query = sought.narrowed(tenant, select(QUOTE_INDEX))
    if than is not None:
        here = tuple_(than.created_us, than.seq)
        query = query.where(columns > here if newer else columns < here)
    if newer:
        return query.order_by(q.created_us, q.seq).limit(most)
    return query.order_by(q.created_us.desc(), q.seq.desc()).limit(most)


def counted(tenant: str, sought: Sought) -> Select[Any]:
    """Return the query for how many there are, up to one more than MOST_COUNTED."""
    found = sought.narrowed(tenant, select(QUOTE_INDEX.c.seq)).limit(MOST_COUNTED + 1)
    return select(func.count()).select_from(found.subquery())


def listed(row: Row[Any]) -> Listed:
    """Return a row of the table."""
    facts = Facts(*(getattr(row, name) for name in FACTS))
    return Listed(Place(row.created_us, row.seq), row.quote_id, facts)
