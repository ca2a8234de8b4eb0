"""Loans as they went: from which month, for how many months, how each ended, at what loss."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features import file, table
from features.column import ColumnSet

Floats = NDArray[np.float64]
Months = NDArray[np.int64]
CENSORED, DEFAULTED, EXITED = 0, 1, 2
HALF_MONTH = 16  # followed until this day or later, a month counts as followed


def month_of(day: date) -> int:
    """Return the months from January 1970 to the day's month.

    >>> month_of(date(2004, 1, 31))
    408
    """
    return (day.year - 1970) * 12 + day.month - 1


@dataclass(frozen=True)
class Book:
    """Loans with the facts known at origination and what became of them, a row each.

    Months are calendar months, counted from January 1970. Age 1 is the month after the month of
    origination; an event in the very month of origination counts to age 1.
    """

    column_set: ColumnSet
    frame: pl.DataFrame  # the set's columns, typed; n rows
    originated: Months  # (n,)
    age_months: Months  # (n,) >= 1, months at risk: to the event, or fully followed without one
    event: NDArray[np.int8]  # (n,) CENSORED, DEFAULTED or EXITED
    event_known: Months  # (n,) month in which the event became known; of the others, the last seen
    lgd: Floats  # (n,) loss over exposure of a default, in [0, 1]; NaN where not known
    weight: Floats  # (n,) >= 0
    digest: str  # SHA-256 of the file that the loans come from

    def __len__(self) -> int:
        """Return the number of loans."""
        return len(self.originated)

    @property
    def weighed(self) -> Book:
        """Return the book with weights of mean one: penalties count loans, not the population."""
        return replace(self, weight=self.weight / self.weight.mean())

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Book:
        """Return the book of some of the loans, by mask or by position."""
        at = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return replace(
            self,
            frame=self.frame[at],
            originated=self.originated[at],
            age_months=self.age_months[at],
            event=self.event[at],
            event_known=self.event_known[at],
            lgd=self.lgd[at],
            weight=self.weight[at],
        )

    def as_known(self, month: int) -> Book:
        """Return the book as it was known at the beginning of a month.

        Events that were not known before the month are censored: those loans looked alive. Losses
        not yet known are missing. Loans without one full month at risk before it are left out.
        """
        last = month - 1  # the last month that had been fully seen
        seen = (self.event != CENSORED) & (self.event_known <= last)
        followed = np.where(self.event == CENSORED, self.originated + self.age_months, last)
        age = np.minimum(followed, last) - self.originated
        lost = self.originated + self.age_months + self.column_set.outcome.loss_months
        known = replace(
            self,
            age_months=np.where(seen, self.age_months, age),
            event=np.where(seen, self.event, CENSORED).astype(np.int8),
            event_known=np.where(seen, self.event_known, np.minimum(followed, last)),
            lgd=np.where(seen & (lost <= last), self.lgd, np.nan),
        )
        return known.take(known.age_months >= 1)

    def until(self, month: int) -> Book:
        """Return the book as if nobody had looked from the beginning of a month on.

        What happened later is censored. Loans without one full month at risk before it are left
        out.
        """
        last = month - 1 - self.originated  # (n,) age in the last month that counts
        ended = self.age_months > last
        cut = replace(
            self,
            age_months=np.minimum(self.age_months, last),
            event=np.where(ended, CENSORED, self.event).astype(np.int8),
            event_known=np.where(ended, month - 1, self.event_known),
            lgd=np.where(ended, np.nan, self.lgd),
        )
        return cut.take(last >= 1)

    def exposure(self, edges: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
        """Return months at risk, defaults and exits by age bucket (edge k, edge k + 1].

        Returns:
            Three arrays (n, K), unweighted; a loan older than the last edge is censored there.
        """
        low, high = np.array(edges[:-1]), np.array(edges[1:])  # (K,)
        age = self.age_months[:, None]  # (n, 1)
        at_risk = np.clip(age - low, 0, high - low).astype(np.float64)  # (n, K)
        inside = (age > low) & (age <= high)  # (n, K)
        defaults = inside & (self.event == DEFAULTED)[:, None]
        exits = inside & (self.event == EXITED)[:, None]
        return at_risk, defaults.astype(np.float64), exits.astype(np.float64)


def read_book(path: Path, column_set: ColumnSet) -> Book:
    """Return the book of a data file.

    An event counts if it happened by `followed_until`. A loan without one was followed through the
    month of `followed_until` if that day is in the month's second half, else through the month
    before. Loans without an event and without a month at risk say nothing and are left out.

    Raises:
        InputError: with every fault of the file, by column and row.
    """
    return book(table.read(path, column_set), column_set, digest=file.digest(path))


def book(frame: pl.DataFrame, column_set: ColumnSet, *, digest: str) -> Book:
    """Return the book of a table as `table.read` gives it."""
    originated = _months(frame["outcome.origination"])
    ended = _months(frame["outcome.event_date"])
    known = _months(frame["outcome.known_date"])
    followed = frame["outcome.followed_until"].fill_null(date.max)
    last = _months(followed) - (followed.dt.day() < HALF_MONTH).to_numpy()
    event = frame["outcome.event"].to_numpy()
    on_time = (frame["outcome.event_date"] <= followed).fill_null(False).to_numpy()
    seen = (event != CENSORED) & on_time
    age = np.where(seen, np.maximum(ended - originated, 1), last - originated)
    lgd = (frame["outcome.loss"] / frame["outcome.exposure"]).fill_null(np.nan).to_numpy()
    read = Book(
        column_set=column_set,
        frame=frame.select(column_set.names),
        originated=originated,
        age_months=age,
        event=np.where(seen, event, CENSORED).astype(np.int8),
        event_known=np.where(seen, known, last),
        lgd=np.where(seen, lgd, np.nan),
        weight=frame["outcome.weight"].to_numpy(),
        digest=digest,
    )
    return read.take(age >= 1)


def _months(days: pl.Series) -> Months:
    year, month = days.dt.year().cast(pl.Int64), days.dt.month().cast(pl.Int64)
    return ((year - 1970) * 12 + month - 1).fill_null(0).to_numpy()
