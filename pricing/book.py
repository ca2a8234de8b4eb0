"""A whole book of term loans priced in one call: one run of the kernel for all loans of a shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pricing import kernels
from pricing.errors import Fault, InputError, ModelError
from pricing.legs import loan_legs
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.survival import as_ages, as_margins, incidence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

YEAR = 12  # months
UNPRICED = ("feedback", "thin_data")  # sections of a policy that make every loan its own problem


@dataclass(frozen=True, eq=False)
class Loans:
    """The terms of many loans as columns, (rows,) each; amounts do not matter to a spread.

    >>> Loans.of([Terms(1e6, 36, "bullet"), Terms(5e5, 60, "linear")]).term_months.tolist()
    [36, 60]
    """

    term_months: Ints
    repayment: NDArray[np.str_]  # of schedule.REPAYMENTS
    grace_months: Ints
    payment_months: Ints

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        rows = self.term_months.shape
        for column in fields(self):
            shape = getattr(self, column.name).shape
            if len(rows) != 1 or shape != rows:
                raise InputError.of(
                    column.name, f"of shape ({rows[0] if rows else 'rows'},)", shape
                )

    @classmethod
    def of(cls, loans: Sequence[Terms]) -> Loans:
        """Return the columns of loans that are given one by one."""
        return cls(
            np.array([loan.term_months for loan in loans], np.int64),
            np.array([loan.repayment for loan in loans], np.str_),
            np.array([loan.grace_months for loan in loans], np.int64),
            np.array([loan.payment_months for loan in loans], np.int64),
        )

    def shapes(self) -> Iterator[tuple[Terms, Ints]]:
        """Yield the terms of each shape, for an amount of 1, and (n,) its rows in rising order.

        Raises:
            InputError: some terms make no sense; it names the first row of each such shape.
        """
        if not len(self.term_months):
            return
        names, code = np.unique(self.repayment, return_inverse=True)
        table = np.stack([self.term_months, code, self.grace_months, self.payment_months], axis=1)
        distinct, first, shape, count = np.unique(
            table, axis=0, return_index=True, return_inverse=True, return_counts=True
        )
        terms, faults = [], []
        for (months, at, grace, payment), row in zip(distinct.tolist(), first, strict=True):
            try:
                terms.append(Terms(1.0, months, str(names[int(at)]), grace, payment))
            except InputError as error:
                faults += [_of_row(fault, int(row)) for fault in error.faults]
        if faults:
            raise InputError(faults)
        rows = np.argsort(shape.ravel(), kind="stable")
        yield from zip(terms, np.split(rows, np.cumsum(count)[:-1]), strict=True)


@dataclass(frozen=True, eq=False)
class Book:
    """The prices of a book's loans, (rows,) each, in the order in which they were asked for."""

    spread_bps: Floats  # before floor and cap
    charged_bps: Floats  # within them
    rate: Floats  # annual: cost of funds and what is charged
    pd_12: Floats  # default within 12 months, or within a shorter term
    pd_lifetime: Floats  # default before the end of the term
    expected_loss_bps: Floats  # a part of the spread


def price(loans: Loans, margins: Floats, policy: Policy, edges: Sequence[int]) -> Book:
    """Return what `TermLoan(terms).priced(policy, edges).price(margins)` says of every loan.

    The formulas stand in `legs.py`. Nothing is explained, and nothing is supported.

    Args:
        loans: (rows,) the terms.
        margins: (rows, 3, K) of the borrowers, in the same order.
        policy: the lender's, without `feedback` and `thin_data`.
        edges: (K + 1,) months between age buckets.

    Raises:
        InputError: terms that make no sense or go beyond the last age, margins of another shape, or
            a policy under which a loan is not priced by its legs alone.
        ModelError: margins that give no number.
    """
    _refuse(policy)
    ages = tuple(as_ages(edges).tolist())
    checked = as_margins(margins, as_ages(edges))
    if len(checked) != len(loans.term_months):
        raise InputError.of("margins", f"of {len(loans.term_months)} rows", len(checked))
    columns = np.empty((len(fields(Book)), len(checked)))  # (6, rows)
    faults: list[Fault] = []
    for terms, rows in loans.shapes():
        try:
            columns[:, rows] = _priced(terms, checked[rows], policy, ages)
        except InputError as error:
            faults += [_of_row(fault, int(rows[0])) for fault in error.faults]
    if faults:
        raise InputError(faults)
    unfit = np.flatnonzero(~np.isfinite(columns[0]))
    if unfit.size:
        found = f"{columns[0, unfit[0]]} in row {unfit[0]}"
        raise ModelError(f"margins must give a finite spread_bps, however: {found}")
    return Book(*columns)


def _priced(terms: Terms, margins: Floats, policy: Policy, ages: tuple[int, ...]) -> Floats:
    """Return (6, n) the columns of `Book` for margins (n, 3, K) of one shape."""
    legs = loan_legs(terms, policy, ages)
    parts = kernels.breakdown(margins, legs)  # (n, 9)
    spread_bps, loss_bps = parts[:, kernels.FIGURE], parts[:, kernels.LOSS_BPS]
    charged_bps = np.clip(spread_bps, policy.spread_floor_bps, policy.spread_cap_bps)
    rate = 1e-4 * (charged_bps + 1e4 * parts[:, kernels.FUNDING_RATE])
    pd = incidence(margins, ages, terms.term_months)  # (n, months + 1)
    pd_12 = pd[:, min(YEAR, terms.term_months)]
    return np.stack([spread_bps, charged_bps, rate, pd_12, pd[:, -1], loss_bps])


def _refuse(policy: Policy) -> None:
    """Refuse a policy under which a price is more than that of its legs."""
    faults = [
        Fault(f"policy.{name}", "left out for a whole book", "given")
        for name in UNPRICED
        if getattr(policy, name) is not None
    ]
    if faults:
        raise InputError(faults)


def _of_row(fault: Fault, row: int) -> Fault:
    """Return a fault of terms as that of a row, `terms[row].x`."""
    return Fault(f"terms[{row}].{fault.field.removeprefix('terms.')}", fault.expected, fault.given)
