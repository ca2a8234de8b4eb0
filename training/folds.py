"""Rolling origins inside the training window: to choose by, without a look at the test window.

A fold learns what a lender knew at its origin, of loans granted before, and is judged on the loans
of the months that follow, up to the next origin. The last one ends where the test window begins.

Source: Tashman (2000), Out-of-sample tests of forecasting accuracy, Int. J. of Forecasting 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from features.book import DEFAULTED, Book
from pricing.errors import Fault, InputError
from training.split import Labels, Split, name_of, snapshot

FIRST_SHARE = 0.5  # of the defaults, by origination, before the first origin
ENOUGH = 30  # defaults on each side of an origin


@dataclass(frozen=True)
class Fold:
    """What is learnt from, and what is judged on.

    Attributes:
        origin: months since January 1970.
        until: likewise; the next origin, or the beginning of the test window.
        learn: originated before the origin, with the outcomes known at the origin; with all of
            them where labels are mature.
        judge: originated in [origin, until), with the outcomes that the training window knows.
    """

    origin: int
    until: int
    learn: Book
    judge: Book

    @property
    def name(self) -> str:
        """Return the judged months, for example "1999-03 to 2000-11"."""
        return f"{name_of(self.origin)} to {name_of(self.until - 1)}"


def rolling(parts: Split, count: int) -> tuple[Fold, ...]:
    """Return the folds of a training window, the earliest first.

    The judged months hold about equally many defaults a fold, so that each fold says as much.

    Args:
        parts: of which the training side alone is read.
        count: of folds.

    Raises:
        InputError: a side of a fold has too few defaults; names every such side.
    """
    train = parts.train
    cuts = _cuts(train, parts.test_from, count)
    folds = tuple(_folds(train, cuts, parts.labels))
    if not folds:
        raise InputError.of("folds", "inside a training window with defaults", "no default")
    faults = [
        Fault(f"folds: {side} {fold.name}", f"{ENOUGH} defaults (ask for fewer folds)", f"{found}")
        for fold in folds
        for side, book in (("learning before", fold.learn), ("judging", fold.judge))
        if (found := int((book.event == DEFAULTED).sum())) < ENOUGH
    ]
    if faults:
        raise InputError(faults)
    return folds


def _cuts(train: Book, end: int, count: int) -> list[int]:
    """Return the origins and the end: months at which equal shares of the defaults are passed."""
    fell = np.sort(train.originated[train.event == DEFAULTED])
    if not len(fell):
        return [end]
    shares = np.linspace(FIRST_SHARE, 1, count + 1)[:-1]
    return [*np.unique(np.quantile(fell, shares, method="higher")).tolist(), end]


def _folds(train: Book, cuts: Sequence[int], labels: Labels) -> Iterator[Fold]:
    for origin, until in pairwise(cuts):
        known = train if labels is Labels.MATURE else snapshot(train, origin)[0]
        learn = known.take(known.originated < origin)
        judge = train.take((train.originated >= origin) & (train.originated < until))
        yield Fold(origin, until, learn, judge)
