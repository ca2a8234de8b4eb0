"""Rolling origins: what would have been foretold in earlier years, to see how far each went wrong.

The years before the test window are origins, one after another: a small model learns from what was
known on that day, and the projects of the next twelve months are foretold with it. Each origin has
its own economy after it, and no test window holds so many. A refit is small trees, also where the
version is large or a network: it strays a little further than the version would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from features.book import DEFAULTED, Book
from features.column import Window
from features.encode import Encoder
from pricing.survival import DEFAULT
from training import boost, overlay
from training.blanks import Blanks
from training.causes import Causes
from training.fit import Fitted
from training.periods import Floats, Periods
from training.split import Labels, Split, by_time
from training.trees import Trees

MOST = 4  # origins before the version's own
APART_MONTHS = 12
HISTORY_MONTHS = 60  # of originations that an origin must have seen, or trees know one economy
ENOUGH_DEFAULTS = 100  # known at the origin
PROJECTS = 10_000  # that a refit learns from, at most
DEFAULT_TREES = Trees(2, 60, 3, 0.15)
EXIT_TREES = Trees(1, 30, 3, 0.15)


@dataclass(frozen=True, eq=False)
class Origin:
    """What was foretold on one day for the projects of the months after it.

    Attributes:
        month: the day's, since January 1970.
        margins: (n, 3, K) with the overlay of that day.
        kinds: of members, each (members, n, K) log-hazards of default, without it.
        book: the n projects, with all that is known of them by now.
        shift: of the overlay.
    """

    month: int
    margins: Floats
    kinds: list[Floats]
    book: Book
    shift: float


def roll(fitted: Fitted, book: Book, told: Callable[[str], None]) -> list[Origin]:
    """Return the origins before the version's own, the earliest first.

    Args:
        fitted: the version.
        book: of the whole file.
        told: of each origin when it is done, MOST times.
    """
    parts, found = fitted.split, list[Origin]()
    for back in range(MOST, 0, -1):
        month = parts.test_from - APART_MONTHS * back
        if month - parts.train_from >= HISTORY_MONTHS:
            found += _origin(fitted, _windowed(book, parts, month))
        told(f"origin {MOST + 1 - back}")
    return found


def _origin(fitted: Fitted, book: Book) -> Iterator[Origin]:
    chosen = fitted.card["parameters"]
    parts = by_time(book, labels=fitted.split.labels)
    if (parts.train.event == DEFAULTED).sum() < ENOUGH_DEFAULTS:
        return
    drawn = np.random.default_rng(9).permutation(len(parts.train))[:PROJECTS]
    train = parts.train.take(np.sort(drawn)).weighed
    encoder, x = Encoder.fit(train, train.column_set.age_edges_months, chosen["seed"])
    causes = _causes(x, train, seed=chosen["seed"])
    level = overlay.NO_LEVEL
    if parts.labels is Labels.AS_KNOWN:
        level = overlay.fit_level(
            train,
            causes.margins(x, threads=1)[:, DEFAULT],
            to_month=parts.known_until,
            months=chosen["level_months"],
            prior_events=chosen["level_prior"],
            kept=chosen["level_kept"],
        )
    seen = encoder.matrix(parts.test.frame)
    margins = causes.margins(seen, threads=1) + level.overlay(causes.buckets)
    kinds = causes.members(seen, threads=1)
    yield Origin(parts.test_from, margins, kinds, parts.test, level.shift)


def _causes(x: Floats, train: Book, *, seed: int) -> Causes:
    signs = [column.direction.sign for column in train.column_set.columns]
    blanks = Blanks.of(train.column_set, cell_share=0.0, source_share=0.0)
    default = boost.grow(
        Periods.of(x, train, cause="default"),
        signs=signs,
        trees=DEFAULT_TREES,
        blanks=blanks,
        seed=seed,
        threads=1,
    )
    exits = Periods.of(boost.blind(x, signs), train, cause="exit")
    bags = {"default": default}
    if exits.events.any():
        free = [0] * len(signs)
        grown = boost.grow(
            exits, signs=free, trees=EXIT_TREES, blanks=blanks, seed=seed + 1, threads=1
        )
        bags["exit"] = grown
    return Causes(len(default.baseline), bags, {"lgd": 0.0})


def _windowed(book: Book, parts: Split, month: int) -> Book:
    """Return the book with the window of an origin."""
    days = (_day(m) for m in (parts.train_from, month, month + APART_MONTHS))
    return replace(book, column_set=replace(book.column_set, window=Window(*days)))


def _day(month: int) -> date:
    return date(1970 + month // 12, month % 12 + 1, 1)
