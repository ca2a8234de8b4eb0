"""Projects of a book as a caller would send them, with the loan they took, and their prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.book import Book
from models.explain import attribute
from models.hazard import HazardModel
from pricing.errors import InputError
from pricing.instrument import Price
from pricing.instruments.term_loan import TermLoan
from pricing.policy import Policy
from pricing.schedule import Terms
from training.periods import Floats

USUAL_AMOUNT = 1_000_000.0
USUAL_MONTHS = 60
Asked = tuple[Mapping[str, object], Terms]


@dataclass(frozen=True)
class Priced:
    """The prices of m projects, and their parts in basis points of the unclipped spread.

    Attributes:
        x: (m, columns) encoded.
        columns_bps: (m, columns) what each column adds.
        base_bps: (m,) the spread of the reference on the same terms, and the overlay's part.
        prices: m prices.
    """

    x: Floats
    columns_bps: Floats
    base_bps: Floats
    prices: tuple[Price, ...]


def asked(book: Book, positions: Sequence[int]) -> list[Asked]:
    """Return some projects with the terms of their own loans.

    Where the book does not say them, or says what cannot be priced, a usual loan stands in:
    a million, sixty months or as long as the ages reach, and each form of repayment in turn.
    """
    columns = book.column_set.columns
    sent = [column.name for column in columns if column.terms is None]
    loans = {column.name: column.terms for column in columns if column.terms is not None}
    rows = book.frame[list(positions)].to_dicts()
    return [
        (
            {name: row[name] for name in sent if row[name] is not None},
            _terms(book, {field: row[name] for name, field in loans.items()}, number),
        )
        for number, row in enumerate(rows)
    ]


def _terms(book: Book, known: Mapping[str, object], number: int) -> Terms:
    longest = book.column_set.age_edges_months[-1]
    usual: dict[str, object] = {
        "amount": USUAL_AMOUNT,
        "term_months": min(USUAL_MONTHS, longest),
        "repayment": ("linear", "annuity", "bullet")[number % 3],
    }
    said = {name: value for name, value in known.items() if value is not None}
    for name in ("term_months", "grace_months", "payment_months"):
        if name in said:
            said[name] = round(float(str(said[name])))
    try:
        terms = Terms(**(usual | said))  # type: ignore[arg-type]  # Terms checks every field
    except InputError:
        terms = Terms(**usual)  # type: ignore[arg-type]  # likewise
    return terms if terms.term_months <= longest else Terms(**usual)  # type: ignore[arg-type]


def price(model: HazardModel, policy: Policy, projects: Sequence[Asked]) -> Priced:
    """Price and explain projects, one by one, as a server would."""
    rows, columns, bases, prices = [], [], [], []
    for project, terms in projects:
        x = model.encoder.row(project, terms)
        reading, loan = model.read(x), TermLoan(terms).priced(policy, model.edges)
        parts = attribute(model, reading, loan)
        rows.append(x)
        columns.append(parts.columns_bps)
        bases.append(parts.base_bps + parts.macro_bps)
        prices.append(loan.price(reading.margins + model.overlay))
    return Priced(np.array(rows), np.array(columns), np.array(bases), tuple(prices))
