"""Public money that lowers a rate: interest subsidies, and cheap funding for the bank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from pricing.entry import LEAST, MOST_MONEY, Entry
from pricing.errors import Fault, InputError
from pricing.support import dated
from pricing.support.dated import Dated, heading

Floats = NDArray[np.float64]

SECTION = "policy.subsidies"
MOST_MONTHS = 600
FIELDS = ("payer", "cap", "months")
FIELDS_OF_SUBSIDY = (*FIELDS, "rate_bps", "interest_share", "most")
FIELDS_OF_RELENDING = (*FIELDS, "share", "rate")


@dataclass(frozen=True, eq=False)
class Course:
    """What is outstanding over a loan's life, and what a payment then is worth today."""

    amount: float  # of the loan, in currency
    payment_months: int
    exposure: Floats  # (n,) share of the amount outstanding in each period
    discount: Floats  # (n,) worth of 1 at each period's end, weighted with survival

    def __post_init__(self) -> None:
        """Refuse a course on which nothing can be spread."""
        if not 0 < self.amount < math.inf:
            raise InputError.of("amount", "a number above 0", self.amount)
        if self.exposure.shape != self.discount.shape or not self.exposure @ self.discount > 0:
            expected = "one number a period, as many as of the discount, and not all nil"
            raise InputError.of("exposure", expected, self.exposure)

    @property
    def years(self) -> float:
        """Return the length of a period."""
        return self.payment_months / 12

    @property
    def annuity(self) -> float:
        """Return what a rate of 1 on what is outstanding is worth, amount Σ e_k Δ D_k."""
        return self.amount * self.years * float(self.exposure @ self.discount)

    def within(self, months: int) -> Floats:
        """Return (n,) the part of each period that lies in the first so many months."""
        begins = np.arange(len(self.exposure)) * self.payment_months  # (n,)
        return np.clip((months - begins) / self.payment_months, 0.0, 1.0)

    def levelised_bps(self, paid: Floats) -> float:
        """Return the payments (n,), in currency, as bp a year of what is outstanding.

        level = 1e4 Σ paid_k D_k / (amount Σ e_k Δ D_k)
        """
        return 1e4 * float(paid @ self.discount) / self.annuity


@dataclass(frozen=True, kw_only=True)
class Subsidy(Dated):
    """Part of the interest that somebody pays for the firm, in points of rate or as a share.

    With both a rate and a share, the lesser counts; never more than the interest itself.
    """

    payer: str
    months: int  # counted from the start of the loan
    rate_bps: float | None = None  # a year, of the subsidised principal
    interest_share: float | None = None
    cap: float = math.inf  # principal that is subsidised, in currency
    most: float = math.inf  # paid a firm in all, in currency

    def paid(self, *, rate: float, course: Course) -> Floats:
        """Return (n,) what is paid in each period, in currency, until `most` is used up.

        Args:
            rate: the annual rate of the loan, before the subsidy.
            course: of the loan.
        """
        interest = max(rate, 0.0)
        points = math.inf if self.rate_bps is None else 1e-4 * self.rate_bps
        share = 1.0 if self.interest_share is None else self.interest_share
        annual = min(points, share * interest)
        owed = np.minimum(course.amount * course.exposure, self.cap)  # (n,)
        due = annual * owed * course.years * course.within(self.months)
        return np.diff(np.minimum(np.cumsum(due), self.most), prepend=0.0)

    def bps(self, *, rate: float, course: Course) -> float:
        """Return the subsidy as bp of rate over the whole life of the loan, at least 0."""
        return course.levelised_bps(self.paid(rate=rate, course=course))


@dataclass(frozen=True, kw_only=True)
class Relending(Dated):
    """Part of a loan that a central bank funds at its own rate."""

    payer: str
    months: int  # with all the extensions that it allows
    share: float  # of what is outstanding
    rate: float  # annual
    cap: float = math.inf  # principal that is funded, in currency

    def paid(self, *, funding_rate: float, course: Course) -> Floats:
        """Return (n,) what the bank saves in each period, in currency.

        A bank whose own funding is no dearer does without.
        """
        owed = np.minimum(self.share * course.amount * course.exposure, self.cap)  # (n,)
        cheaper = max(funding_rate - self.rate, 0.0)
        saved: Floats = cheaper * owed * course.years * course.within(self.months)
        return saved

    def bps(self, *, funding_rate: float, course: Course) -> float:
        """Return by how much funding falls, in bp over the whole life of the loan, at least 0.

        Args:
            funding_rate: what matched funding costs the bank a year, as a fraction.
            course: of the loan.
        """
        return course.levelised_bps(self.paid(funding_rate=funding_rate, course=course))


Programme = Subsidy | Relending


def read(given: object) -> tuple[tuple[Programme, ...], list[Fault]]:
    """Return what the section `[[subsidies]]` of a policy's TOML describes, and all its faults.

    >>> read(None)
    ((), [])
    """
    return dated.read(given, SECTION, _programme)


def find(programmes: Sequence[Programme], name: str, *, on: date) -> Programme:
    """Return the subsidy or relending of that name that is in force on a day.

    Raises:
        InputError: there is none; it names those that the day knows.
    """
    return dated.find(programmes, name, on=on, field="instrument.subsidy")


def _programme(entry: Entry) -> Programme | None:
    """Return what a table describes, or note what is wrong with it."""
    before = len(entry.faults)
    kind = entry.choice("kind", ("interest", "relending"))
    if not kind:
        return None
    programme = _subsidy(entry) if kind == "interest" else _relending(entry)
    entry.close()
    return None if len(entry.faults) > before else programme


def _subsidy(entry: Entry) -> Subsidy:
    head = heading(entry, assumable=FIELDS_OF_SUBSIDY)
    payer, months = entry.text("payer"), entry.months("months", MOST_MONTHS)
    points = entry.number("rate_bps", 0.0, 10_000.0, optional=True)
    share = entry.number("interest_share", 0.0, 1.0, optional=True)
    cap = entry.number("cap", LEAST, MOST_MONEY, optional=True)
    most = entry.number("most", LEAST, MOST_MONEY, optional=True)
    if "rate_bps" not in entry.given and "interest_share" not in entry.given:
        entry.fault("rate_bps", "given, or interest_share", "neither")
    return Subsidy(
        **vars(head),
        payer=payer,
        months=months,
        rate_bps=points,
        interest_share=share,
        cap=math.inf if cap is None else cap,
        most=math.inf if most is None else most,
    )


def _relending(entry: Entry) -> Relending:
    head = heading(entry, assumable=FIELDS_OF_RELENDING)
    payer, months = entry.text("payer"), entry.months("months", MOST_MONTHS)
    share, rate = entry.number("share", 0.0, 1.0), entry.number("rate", -0.1, 1.0)
    cap = entry.number("cap", LEAST, MOST_MONEY, optional=True)
    return Relending(
        **vars(head),
        payer=payer,
        months=months,
        share=share or 0.0,
        rate=rate or 0.0,
        cap=math.inf if cap is None else cap,
    )
