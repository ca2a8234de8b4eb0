"""The terms of a loan, and how much of it is outstanding when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pricing import kernels
from pricing.entry import MOST_MONEY
from pricing.errors import Fault, InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REPAYMENTS = ("bullet", "linear", "annuity")
PAYMENT_MONTHS = (1, 3, 6, 12)
LONGEST_TERM = 600  # months
AMOUNTS = (0.01, MOST_MONEY)  # in currency; beyond them products of money over- or underflow


@dataclass(frozen=True, slots=True)
class Terms:
    """What the borrower asks for. Terms that make no sense cannot be made: every fault is raised.

    >>> Terms(amount=500_000, term_months=36, repayment="linear", payment_months=3).periods
    12
    """

    amount: float  # in the policy's currency
    term_months: int
    repayment: str  # one of REPAYMENTS
    grace_months: int = 0  # interest only, before the first repayment
    payment_months: int = 1  # from one payment to the next, one of PAYMENT_MONTHS

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        faults = [*_faults_of_fields(self)] or [*_faults_between_fields(self)]
        if faults:
            raise InputError(faults)

    @property
    def periods(self) -> int:
        """Return the number of payments."""
        return self.term_months // self.payment_months

    @property
    def grace_periods(self) -> int:
        """Return the number of payments that are interest only, before repayment begins."""
        return self.grace_months // self.payment_months

    @property
    def period_years(self) -> float:
        """Return Δ, the time from one payment to the next."""
        return self.payment_months / 12


def _faults_of_fields(terms: Terms) -> Iterator[Fault]:
    """Yield what is wrong with a field alone."""
    least, most = AMOUNTS
    if not (_is(Real, terms.amount) and least <= terms.amount <= most):
        yield Fault("terms.amount", f"a number from {least:g} to {most:g}", repr(terms.amount))
    if not (_is(Integral, terms.term_months) and 1 <= terms.term_months <= LONGEST_TERM):
        expected = f"a whole number of months, 1 to {LONGEST_TERM}"
        yield Fault("terms.term_months", expected, repr(terms.term_months))
    if terms.repayment not in REPAYMENTS:
        yield Fault("terms.repayment", f"one of {', '.join(REPAYMENTS)}", repr(terms.repayment))
    if not (_is(Integral, terms.grace_months) and terms.grace_months >= 0):
        yield Fault(
            "terms.grace_months", "a whole number of months, >= 0", repr(terms.grace_months)
        )
    if not (_is(Integral, terms.payment_months) and terms.payment_months in PAYMENT_MONTHS):
        yield Fault("terms.payment_months", "1, 3, 6 or 12", repr(terms.payment_months))


def _faults_between_fields(terms: Terms) -> Iterator[Fault]:
    """Yield what is wrong with fields together, each being right alone."""
    if terms.term_months % terms.payment_months:
        expected = f"a divisor of term_months={terms.term_months}"
        yield Fault("terms.payment_months", expected, str(terms.payment_months))
    if terms.grace_months % terms.payment_months:
        expected = f"a multiple of payment_months={terms.payment_months}"
        yield Fault("terms.grace_months", expected, str(terms.grace_months))
    if terms.repayment == "bullet" and terms.grace_months:
        expected = "0 for a bullet loan, which repays nothing before its end"
        yield Fault("terms.grace_months", expected, str(terms.grace_months))
    elif terms.grace_months >= terms.term_months:
        expected = f"below term_months={terms.term_months}"
        yield Fault("terms.grace_months", expected, str(terms.grace_months))


def _is(kind: type, value: object) -> bool:
    """Return whether the value is such a number; true and false are none."""
    return isinstance(value, kind) and not isinstance(value, bool)


@dataclass(frozen=True, eq=False)
class Profile:
    """The share of the amount outstanding in each period, and how it moves with the rate."""

    share: Floats  # (periods,) e_1 = 1
    slope: Floats  # (periods,) de_k / d annual rate; nil unless the loan is an annuity


def profile(terms: Terms, *, annual_rate: float = 0.0) -> Profile:
    """Return what is outstanding in each period k = 1..n, after g periods of grace.

        bullet   e_k = 1
        linear   e_k = 1 - (k-1-g)/(n-g)                             for k > g, else 1
        annuity  e_k = ((1+i)^(n-g) - (1+i)^(k-1-g)) / ((1+i)^(n-g) - 1), i = annual_rate Δ

    An annuity at rate 0 is linear.

    Args:
        terms: the loan.
        annual_rate: nominal, paid in each period; it matters for annuities only.

    >>> profile(Terms(1, 4, "linear", grace_months=1)).share.round(4).tolist()
    [1.0, 1.0, 0.6667, 0.3333]
    """
    n, g = terms.periods, terms.grace_periods
    share, slope = np.ones(n), np.zeros(n)
    if terms.repayment == "linear":
        share[g:] = np.arange(n - g, 0, -1) / (n - g)
    elif terms.repayment == "annuity":
        rate = np.array([annual_rate])
        kernels.amortise(rate, terms.period_years, n, g, share[:, None], slope[:, None])
    return Profile(share, slope)


def cut(edges: Ints, *, payment_months: int, periods: int) -> Ints:
    """Return (J, 4) the periods cut where the age bucket changes, so that a step has one hazard.

    Its columns are the age bucket, the months, the period and 1 where the step ends its period.

    >>> cut(np.array([0, 6, 12]), payment_months=12, periods=1).tolist()
    [[0, 6, 0, 0], [1, 6, 0, 1]]
    """
    return _cut(edges, payment_months, periods)


@njit(cache=True, error_model="numpy")
def _cut(edges: Ints, payment_months: int, periods: int) -> Ints:
    """Return (J, 4), see `cut`."""
    steps = np.empty((periods + len(edges), 4), np.int64)
    count, bucket, month = 0, 0, 0
    for period in range(periods):
        end = (period + 1) * payment_months
        while month < end:
            while edges[bucket + 1] <= month:
                bucket += 1
            upto = min(end, edges[bucket + 1])
            steps[count, 0] = bucket
            steps[count, 1] = upto - month
            steps[count, 2] = period
            steps[count, 3] = 1 if upto == end else 0
            count += 1
            month = upto
    return steps[:count].copy()
