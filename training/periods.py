"""Projects cut into age buckets: one row a project and bucket in which it was at risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.book import Book

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Periods:
    """What one cause did to n projects in K age buckets.

    Attributes:
        x: (n, columns) encoded, missing cells NaN.
        months: (n, K) months at risk.
        events: (n, K) events of the cause, 0 or 1.
        weight: (n,) how many projects of the population each stands for, of mean 1.
        originated: (n,) months since January 1970.
    """

    x: Floats
    months: Floats
    events: Floats
    weight: Floats
    originated: NDArray[np.int64]

    @classmethod
    def of(cls, x: Floats, book: Book, *, cause: str) -> Periods:
        """Return the periods of a book for cause "default" or "exit"."""
        months, defaults, exits = book.exposure(book.column_set.age_edges_months)
        events = {"default": defaults, "exit": exits}[cause]
        return cls(x, months, events, book.weight, book.originated)

    def take(self, projects: Bools) -> Periods:
        """Return the periods of some of the projects."""
        return Periods(
            self.x[projects],
            self.months[projects],
            self.events[projects],
            self.weight[projects],
            self.originated[projects],
        )

    @property
    def baseline(self) -> Floats:
        """Return the log monthly hazard of each bucket, (K,), half an event of the mean rate added.

            a_k = log( (sum w d_k + 1/2) / (sum w e_k + 1/(2 r)) )
            r = (sum w d + 1/2) / (sum w e)

        so that an age nobody has reached yet gets the mean hazard.
        """
        events = self.weight @ self.events
        months = self.weight @ self.months
        rate = (events.sum() + 0.5) / max(months.sum(), 1.0)
        return np.asarray(np.log((events + 0.5) / (months + 0.5 / rate)), np.float64)


@dataclass(frozen=True)
class Rows:
    """What LightGBM is given: (r, columns + 1) with the bucket last, target, weight, offset."""

    x: Floats
    target: Floats
    weight: Floats
    offset: Floats

    @classmethod
    def of(cls, periods: Periods, baseline: Floats) -> Rows:
        """Return one row a project and bucket at risk; the offset is log months + baseline."""
        project, bucket = np.nonzero(periods.months > 0)
        months = periods.months[project, bucket]
        return cls(
            with_bucket(periods.x[project], bucket),
            periods.events[project, bucket],
            periods.weight[project],
            np.log(months) + baseline[bucket],
        )


def with_bucket(x: Floats, bucket: NDArray[np.int64] | int) -> Floats:
    """Return x with the bucket's index as the last column: (r, columns + 1)."""
    last = np.broadcast_to(np.asarray(bucket, np.float64), (len(x),))
    return np.column_stack([x, last])
