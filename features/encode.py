"""A project as the row of numbers that a model reads; the same readers make the training matrix."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.book import Book, Floats
from features.column import Column, ColumnSet, Kind
from pricing.errors import InputError, ModelError
from pricing.schedule import Terms

PRIOR_DEFAULTS = 1.5
Reader = Callable[[object], float]


class Codes(dict[object, float]):
    """The number of each value; any other value is missing."""

    def __missing__(self, value: object) -> float:
        """Return NaN."""
        return np.nan


FLAGS = Codes({True: 1.0, False: 0.0})


def number(value: object) -> float:
    """Return a number as it is; None is missing."""
    return np.nan if value is None else float(value)  # type: ignore[arg-type]  # checked at the door


@dataclass(frozen=True)
class Encoder:
    """Turns values into numbers: flags into 0 and 1, categories into their risk, missing into NaN.

    A category's level is the logarithm of its defaults over those expected of it, smoothed:

        log( (O + a) / (E + a) ),    E = r m,    r = sum of O / sum of m over all loans

    with O the level's defaults and m its months at risk, both weighted, and a the weight of
    PRIOR_DEFAULTS average defaults, so that the scale of the weights does not matter.

    Source: Clayton & Kaldor (1987), Biometrics 43, the gamma-Poisson smoothing of O / E.
    """

    column_set: ColumnSet
    levels: Mapping[str, Mapping[str, float]]  # by category column; what a level adds
    _readers: tuple[tuple[str, Reader], ...] = field(init=False, repr=False, compare=False)
    _terms: tuple[tuple[int, str, Reader], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Choose every column's reader once."""
        columns = self.column_set.columns
        readers = tuple((column.name, self._reader(column)) for column in columns)
        terms = tuple(
            (index, column.terms, readers[index][1])
            for index, column in enumerate(columns)
            if column.terms is not None
        )
        object.__setattr__(self, "_readers", readers)
        object.__setattr__(self, "_terms", terms)

    def _reader(self, column: Column) -> Reader:
        if column.kind is Kind.FLAG:
            return FLAGS.__getitem__
        if column.kind is Kind.CATEGORY:
            return Codes(self.levels[column.name]).__getitem__
        return number

    def row(self, project: Mapping[str, object], terms: Terms | None = None) -> Floats:
        """Return a project's numbers, in the set's order; NaN is missing.

        Args:
            project: values by column name, sound (see `features.project.faults`).
            terms: where given, columns that come from the loan's terms are read from it.
        """
        get = project.get
        values = [read(get(name)) for name, read in self._readers]
        if terms is not None:
            for index, name, read in self._terms:
                values[index] = read(getattr(terms, name))
        return np.array(values)  # (p,)

    def matrix(self, frame: pl.DataFrame) -> Floats:
        """Return the numbers of a table with the set's columns, as `table.read` types them."""
        encoded = np.empty((frame.height, len(self._readers)))  # (n, p)
        for index, (name, read) in enumerate(self._readers):
            encoded[:, index] = [read(value) for value in frame[name].to_list()]
        return encoded

    @classmethod
    def fit(
        cls, book: Book, edges: tuple[int, ...], seed: int, folds: int = 10
    ) -> tuple[Encoder, Floats]:
        """Learn the levels of a book, and encode the book itself out of fold.

        A loan's own outcome must not enter the number that stands for its category: each of the
        folds is encoded with what the others say. A level that only the fold has is missing.

        Args:
            book: at least one default.
            edges: age buckets; what happens after the last one is not counted.
            seed: of the random folds.
            folds: 2 or more.

        Returns:
            The encoder, learnt from the whole book, and the training matrix (n, p).
        """
        at_risk, defaults, _ = book.exposure(edges)
        months, events = at_risk.sum(axis=1) * book.weight, defaults.sum(axis=1) * book.weight
        if not events.sum() > 0:
            raise InputError.of("data", "loans of which one or more default", "none does")
        fold = np.random.default_rng(seed).permutation(len(book)) % folds  # (n,)
        names = [c.name for c in book.column_set.columns if c.kind is Kind.CATEGORY]
        coded = {name: _Coded.of(book.frame[name]) for name in names}
        encoder = cls(book.column_set, {n: c.levels(events, months) for n, c in coded.items()})
        x = encoder.matrix(book.frame)
        for name, column in coded.items():
            index = book.column_set.names.index(name)
            x[:, index] = column.out_of_fold(events, months, fold, range(folds))
        return encoder, x

    def to_json(self) -> str:
        """Return the level tables as JSON."""
        return json.dumps({"levels": self.levels}, indent=1, sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, column_set: ColumnSet) -> Encoder:
        """Return the encoder of a column set from `to_json`'s text.

        Raises:
            ModelError: the tables are not those of the set's categories.
        """
        levels = json.loads(text)["levels"]
        expected = {c.name for c in column_set.columns if c.kind is Kind.CATEGORY}
        if set(levels) != expected:
            raise ModelError(f"level tables must be of {expected}, however: {set(levels)}")
        return cls(column_set, levels)


@dataclass(frozen=True)
class _Coded:
    """A category's values as numbers 0..L-1, -1 where missing."""

    names: list[str]
    codes: NDArray[np.int64]  # (n,)

    @classmethod
    def of(cls, values: pl.Series) -> _Coded:
        names = values.drop_nulls().unique().sort().to_list()
        code = {name: number for number, name in enumerate(names)}
        return cls(names, np.array([code.get(value, -1) for value in values], np.int64))

    def levels(self, events: Floats, months: Floats) -> dict[str, float]:
        ratios = self._log_ratios(events, months, np.ones(len(events), np.bool_))
        return dict(zip(self.names, ratios.tolist(), strict=True))

    def out_of_fold(
        self, events: Floats, months: Floats, fold: NDArray[np.int64], folds: Iterable[int]
    ) -> Floats:
        encoded = np.full(len(events), np.nan)  # (n,)
        for held in folds:
            ratios = np.append(self._log_ratios(events, months, fold != held), np.nan)
            encoded[fold == held] = ratios[self.codes[fold == held]]  # code -1 reads the NaN
        return encoded

    def _log_ratios(self, events: Floats, months: Floats, use: NDArray[np.bool_]) -> Floats:
        rate = events[use].sum() / months[use].sum()
        prior = PRIOR_DEFAULTS * events[use].sum() / max(np.count_nonzero(events[use]), 1)
        use = use & (self.codes >= 0)
        codes, size = self.codes[use], len(self.names)
        observed = np.bincount(codes, events[use], minlength=size)  # (L,)
        expected = np.bincount(codes, months[use], minlength=size) * rate  # (L,)
        seen = np.bincount(codes, minlength=size) > 0
        ratio = np.log((observed + prior) / (expected + prior)) if prior > 0 else np.zeros(size)
        return np.where(seen, ratio, np.nan)
