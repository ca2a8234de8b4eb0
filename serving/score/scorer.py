"""What a part of a book costs: every row checked and priced as the endpoint would."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from models.pricer import Pricer, Quote, Request
from pricing.errors import InputError, SeedrateError
from serving.contract import Contract, as_asked
from serving.score.book import Book
from serving.score.table import Scored, table

AT_ONCE = 256  # rows whose quotes are held at once

log = logging.getLogger("seedrate.score")


@dataclass(frozen=True)
class Scorer:
    """A model and a policy as they stand on a day."""

    contract: Contract
    pricer: Pricer
    on: date  # decides what support there is

    def score(self, book: Book, first: int, count: int) -> Iterator[pl.DataFrame]:
        """Yield a slice of a book, scored, a few rows at a time."""
        asked = [*book.requests(first, count)]
        column_set = self.pricer.model.column_set
        digests = {"model": self.pricer.model.digest, "policy": self.pricer.policy.digest}
        for at in range(0, len(asked), AT_ONCE):
            rows = self._scored(asked[at : at + AT_ONCE], first + at + 1)
            yield table(rows, column_set, digests)

    def _scored(self, asked: Sequence[Any], first: int) -> list[Scored]:
        checked = [self._checked(body) for body in asked]
        quotes = iter(self.pricer.quotes([one for one in checked if isinstance(one, Request)]))
        ends = [next(quotes) if isinstance(one, Request) else one for one in checked]
        return [
            Scored(
                row=row,
                reference=body.get("reference"),
                kind=_kind(body, one),
                deal=one.deal if isinstance(one, Request) else None,
                quote=end if isinstance(end, Quote) else None,
                problem=None if isinstance(end, Quote) else _problem(end, row),
            )
            for row, (body, one, end) in enumerate(zip(asked, checked, ends, strict=True), first)
        ]

    def _checked(self, body: Any) -> Request | Exception:
        try:
            asked = self.contract.read(body)
        except Exception as error:
            return error
        return Request(asked.project, asked.deal, asked.support(self.on), asked.overrides)


def _kind(body: Any, checked: Request | Exception) -> str | None:
    """Return the kind as it was understood, or as it was given."""
    return checked.deal.kind if isinstance(checked, Request) else body["instrument"].get("kind")


def _problem(error: Exception, row: int) -> str:
    """Return why a row has no price, every field at fault by its name."""
    if isinstance(error, InputError):
        return "; ".join(str(as_asked(fault)) for fault in error.faults)
    if not isinstance(error, SeedrateError):
        log.error("row %d", row, exc_info=error)
        return f"internal_error: {type(error).__name__}, which was logged"
    return f"{error.code}: {error}"
