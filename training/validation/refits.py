"""The same learner on less: on halves of the training projects, and without the innovation columns.

A refit is small on purpose (fewer projects, members and rounds), so that the pack costs little; its
figures are compared with one another and never with the version's own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np

from features.book import Book
from features.column import ColumnSet, Window
from models import artifact
from models.hazard import HazardModel
from pricing.errors import InputError
from training.fit import Fitted, fit
from training.options import Options
from training.periods import Bools
from training.split import Split
from training.trees import Trees
from training.validation.evidence import Evidence

MOST = 12_000  # training projects of a refit
DEPTH, ROUNDS = 3, 80


@dataclass(frozen=True, eq=False)
class Refits:
    """Three small fits.

    Attributes:
        half: on one random half of the training projects, or of MOST twice over.
        other: on another half, no project in both, with another seed.
        without: on the projects of `half`, without the columns of innovation; None where the set
            names none, or has no others.
        projects: of a half.
    """

    half: Fitted
    other: Fitted
    without: Fitted | None
    projects: int

    @cached_property
    def models(self) -> tuple[HazardModel, HazardModel]:
        """Return both halves as they would be served."""
        return _read(self.half), _read(self.other)


def refit(evidence: Evidence, told: Callable[[str], None]) -> Refits | None:
    """Make the refits; None where a half has too few defaults to learn from.

    Args:
        evidence: of the version.
        told: of each refit when it is done.
    """
    book = _windowed(evidence.book, evidence.fitted.split)
    first, second = halves(book, evidence.fitted.split)
    options = _options(evidence)
    try:
        half = fit(book.take(first), options)
        told("half refitted")
        other = fit(book.take(second), replace(options, seed=options.seed + 1000))
        told("other half refitted")
        less = without_innovation(book.column_set)
        without = None if less is None else fit(_only(book.take(first), less), options)
    except InputError:
        return None
    told("refitted without innovation")
    return Refits(half, other, without, len(half.split.train))


def halves(book: Book, parts: Split) -> tuple[Bools, Bools]:
    """Return two masks (n,): random halves of the training projects, and few test ones in each.

    A fit needs a test window, and does not look at it.
    """
    dice = np.random.default_rng(7)
    inside = (book.originated >= parts.train_from) & (book.originated < parts.test_from)
    drawn = dice.permutation(np.flatnonzero(inside))[: 2 * MOST]
    test = (book.originated >= parts.test_from) & (book.originated < parts.test_to)
    masks = []
    for side in (drawn[::2], drawn[1::2]):
        mask = test.copy()
        mask[side] = True
        masks.append(mask)
    return masks[0], masks[1]


def without_innovation(column_set: ColumnSet) -> ColumnSet | None:
    """Return the set without its groups of innovation; None where nothing is left or left out."""
    kept = tuple(c for c in column_set.columns if c.group not in column_set.innovation)
    if not kept or len(kept) == len(column_set.columns):
        return None
    return replace(column_set, columns=kept)


def _only(book: Book, column_set: ColumnSet) -> Book:
    return replace(book, column_set=column_set, frame=book.frame.select(column_set.names))


def _windowed(book: Book, parts: Split) -> Book:
    """Return the book with the window of the version's split, whatever share of it is taken."""
    days = (date(1970 + m // 12, m % 12 + 1, 1) for m in _months(parts))
    return replace(book, column_set=replace(book.column_set, window=Window(*days)))


def _months(parts: Split) -> tuple[int, int, int]:
    return parts.train_from, parts.test_from, parts.test_to


def _options(evidence: Evidence) -> Options:
    return Options(
        name=evidence.model.name,
        seed=int(evidence.fitted.card["parameters"]["seed"]),
        labels=evidence.fitted.split.labels,
        default=Trees(2, ROUNDS, DEPTH, 0.15),
        depths=(DEPTH,),
        exit=Trees(1, 30, DEPTH, 0.15),
        lgd=Trees(1, 20, DEPTH, 0.10),
        background=1000,
    )


def _read(fitted: Fitted) -> HazardModel:
    with tempfile.TemporaryDirectory() as folder:
        fitted.write(Path(folder) / "model")
        return artifact.read(Path(folder) / "model")
