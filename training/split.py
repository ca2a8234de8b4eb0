"""The split by time: what is learnt from, what is judged on, and what the learner may know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from features.book import Book, month_of
from pricing.errors import InputError

TEST_SHARE = 0.2  # of the originations, the latest, when the column set names no window


class Labels(StrEnum):
    """Which outcomes of the training projects the learner may know."""

    AS_KNOWN = "as_known"  # on the day on which the test window opens: what a bank would have had
    MATURE = "mature"  # all that the file holds: compares model forms, and forecasts nothing


@dataclass(frozen=True)
class Split:
    """Two books of one file.

    Attributes:
        train: originated in [train_from, test_from), with the outcomes the learner may know.
        test: originated in [test_from, test_to), with all outcomes the file holds.
        train_from: months since January 1970.
        test_from: likewise; the snapshot of `Labels.AS_KNOWN`.
        test_to: likewise, not included.
        labels: of the training book.
    """

    train: Book
    test: Book
    train_from: int
    test_from: int
    test_to: int
    labels: Labels


def by_time(book: Book, *, labels: Labels = Labels.AS_KNOWN) -> Split:
    """Split a book at the window of its column set, or else at its latest fifth.

    Raises:
        InputError: a side of the split is empty.
    """
    window = book.column_set.window
    first, last = int(book.originated.min()), int(book.originated.max())
    train_from = first if window.train_from is None else month_of(window.train_from)
    test_to = last + 1 if window.test_to is None else month_of(window.test_to)
    inside = (book.originated >= train_from) & (book.originated < test_to)
    if window.test_from is not None:
        test_from = month_of(window.test_from)
    else:
        test_from = _latest_fifth(book.originated[inside])
    known = book if labels is Labels.MATURE else book.as_known(test_from)
    train = known.take((known.originated >= train_from) & (known.originated < test_from))
    test = book.take((book.originated >= test_from) & (book.originated < test_to))
    for name, side in (("train", train), ("test", test)):
        if not len(side.originated):
            found = f"originations from {name_of(first)} to {name_of(last)}"
            raise InputError.of(f"window.{name}", "a time in which projects originated", found)
    return Split(train, test, train_from, test_from, test_to, labels)


def _latest_fifth(originated: NDArray[np.int64]) -> int:
    if not len(originated):
        return 0
    return int(np.quantile(originated, 1 - TEST_SHARE, method="higher"))


def name_of(month: int) -> str:
    """Return the month as year and month.

    >>> name_of(14)
    '1971-03'
    """
    return f"{1970 + month // 12}-{month % 12 + 1:02d}"
