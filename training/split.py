"""The split by time: what is learnt from, what is judged on, and what the learner may know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from features.book import DEFAULTED, Book, month_of
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
        known_until: the month from which the training book holds nothing; see `by_time`.
        labels: of the training book.
    """

    train: Book
    test: Book
    train_from: int
    test_from: int
    test_to: int
    known_until: int
    labels: Labels


def by_time(book: Book, *, labels: Labels = Labels.AS_KNOWN) -> Split:
    """Split a book at the window of its column set, or else at its latest fifth.

    The training book is the snapshot of the month in which the test begins, or mature.

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
    known, known_until = book, int((book.originated + book.age_months).max()) + 1
    if labels is Labels.AS_KNOWN:
        known, known_until = snapshot(book, test_from)
    train = known.take((known.originated >= train_from) & (known.originated < test_from))
    test = book.take((book.originated >= test_from) & (book.originated < test_to))
    for name, side in (("train", train), ("test", test)):
        if not len(side.originated):
            found = f"originations from {name_of(first)} to {name_of(last)}"
            raise InputError.of(f"window.{name}", "a time in which projects originated", found)
    return Split(train, test, train_from, test_from, test_to, known_until, labels)


def snapshot(book: Book, month: int) -> tuple[Book, int]:
    """Return what was known when a month began, and the month from which it holds nothing.

    The latest months look safer than they were: nobody has heard yet of their defaults. So the book
    ends where they begin.
    """
    known = book.as_known(month)
    known_until = month - months_until_known(known)
    return known.until(known_until), known_until


def months_until_known(book: Book, *, share: float = 0.9) -> int:
    """Return the months it takes to hear of this share of the defaults; 0 if none are known."""
    defaults = book.event == DEFAULTED
    if not defaults.any():
        return 0
    delay = book.event_known[defaults] - (book.originated + book.age_months)[defaults]
    return max(0, int(np.ceil(np.quantile(delay, share))))


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
