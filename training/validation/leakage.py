"""Columns that know too much: what was written down after the end of a loan gives the end away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import spearmanr

from features.book import CENSORED, DEFAULTED, Book
from features.column import Column, Kind
from training.evaluate import defaulted, followed
from training.metrics import Forecast, auc
from training.periods import Bools, Floats
from training.scorecard import Binned
from training.validation.evidence import Evidence
from training.validation.section import Light, Section, Table, counted, number

ALONE = 0.75  # AUC of one column, out of time: Siddiqi (2006) calls such a strength suspicious
FADES = 0.20  # AUC lost from the training projects to the test window
APART = 0.30  # between two shares of projects of one year of origination
END = 0.50  # rank correlation with the age at which a loan defaulted
BINS = 100  # at most, as fine as a tree's eye: a telling value need not be an extreme one
DEFAULTS_A_BIN = 10
ROUND = 10  # values that occur most often
VARIED = 30  # different values, below which every value is a frequent one
FEW = 30  # projects of a kind, below which nothing is said


@dataclass(frozen=True)
class Trace:
    """What one column says of the outcome by itself; NaN is not measured.

    Attributes:
        name: of the column.
        alone: AUC out of time of the column's bins.
        before: the same on the training projects.
        missing_by_outcome: share of missing values, of defaults less of the others.
        missing_by_state: the same, of ended test loans less of running ones of the same years.
        round_by_outcome: share of the ten most frequent values, of defaults less of the others.
        end: rank correlation of the value with the age at default, of those that defaulted.
    """

    name: str
    alone: float
    before: float
    missing_by_outcome: float
    missing_by_state: float
    round_by_outcome: float
    end: float

    def suspicions(self) -> Iterator[str]:
        """Yield each reason to suspect the column, with its figure."""
        if self.alone >= ALONE:
            yield f"alone it ranks with AUC {self.alone:.3f}, {ALONE} or more"
        if self.before - self.alone >= FADES:
            yield f"its AUC falls from {self.before:.3f} to {self.alone:.3f} out of time"
        for said, gap in (
            ("missing more or less often in defaults than in others", self.missing_by_outcome),
            ("missing more or less often in ended than in running loans", self.missing_by_state),
            ("its usual values are more or less frequent in defaults", self.round_by_outcome),
        ):
            if abs(gap) >= APART:
                yield f"{said}: {gap:+.0%}"
        if abs(self.end) >= END:
            yield f"it follows the age at default, rank correlation {self.end:+.2f}"


def traces(train: Book, seen: Floats, test: Book, x: Floats, *, months: int) -> tuple[Trace, ...]:
    """Return the trace of every column.

    Args:
        train: the training projects, with the outcomes that the learner knew.
        seen: (n, columns) they, encoded out of fold.
        test: the test projects.
        x: (m, columns) they.
        months: by which a loan has defaulted or not.
    """
    columns = enumerate(train.column_set.columns)
    return tuple(
        _trace(column, seen[:, at], x[:, at], train, test, months) for at, column in columns
    )


def section(evidence: Evidence) -> Section:
    """Return the suspicious columns, and what every column says by itself."""
    months = evidence.main_months
    study = evidence.judged
    found = traces(evidence.fitted.split.train, study.seen, study.test, study.x, months=months)
    suspects = {trace.name: list(trace.suspicions()) for trace in found}
    suspects = {name: said for name, said in suspects.items() if said}
    strongest = max(found, key=lambda trace: np.nan_to_num(trace.alone))
    verdict = (
        f"No column of {len(found)} knows too much: the strongest, {strongest.name}, alone ranks "
        f"with AUC {number(strongest.alone)} out of time."
    )
    if suspects:
        verdict = f"{counted(len(suspects), 'column')} may know too much: {', '.join(suspects)}."
    rows = sorted(found, key=lambda trace: -np.nan_to_num(trace.alone))
    return Section(
        name="leakage",
        title="Leakage",
        light=Light.RED if suspects else Light.GREEN,
        verdict=verdict,
        figures={
            "months": months,
            "limits": {"alone": ALONE, "fades": FADES, "apart": APART, "end": END},
            "columns": [asdict(trace) for trace in found],
            "suspicious": suspects,
        },
        tables=[_suspects(suspects), _table(rows)] if suspects else [_table(rows)],
        notes=[
            f"A column by itself is cut into bins on the training projects; what they foretell of "
            f"a default within {months} months is judged on the test projects. Suspicious: an AUC "
            f"of {ALONE} or more; one that falls by {FADES} or more out of time; values that are "
            f"missing, or usual, {APART:.0%} more often in defaults than in others, or missing so "
            f"in ended loans against running ones of the same year; and values that follow the age "
            f"at default with a rank correlation of {END} or more. A date or a term that was "
            f"rewritten when the loan ended shows itself in these. A column set is refused "
            f"outright where a column reads the outcome's own fields.",
        ],
    )


def _suspects(suspects: dict[str, list[str]]) -> Table:
    rows = [(name, "; ".join(said)) for name, said in suspects.items()]
    return Table("Suspicious columns", ("column", "why"), rows, wordy=True)


def _table(found: list[Trace]) -> Table:
    head = ("column", "AUC alone", "in training", "missing: defaults", "missing: ended")
    rows = [
        (
            trace.name,
            number(trace.alone),
            number(trace.before),
            number(trace.missing_by_outcome),
            number(trace.missing_by_state),
            number(trace.round_by_outcome),
            number(trace.end),
        )
        for trace in found
    ]
    return Table("Every column by itself", (*head, "usual values", "age at default"), rows)


def _trace(column: Column, seen: Floats, x: Floats, train: Book, test: Book, months: int) -> Trace:
    before, alone = _ranks(seen, x, train, test, months)
    fell = defaulted(train, months)
    known = followed(train, months)
    missing = np.isnan(seen)
    ended = test.event != CENSORED  # by the day of the file, which may be years after the split
    return Trace(
        name=column.name,
        alone=alone,
        before=before,
        missing_by_outcome=_by_year(missing, fell & known, ~fell & known, train),
        missing_by_state=_by_year(np.isnan(x), ended, ~ended, test),
        round_by_outcome=_round(column, seen, fell & known, ~fell & known, train),
        end=_end(column, seen, train),
    )


def _ranks(seen: Floats, x: Floats, train: Book, test: Book, months: int) -> tuple[float, float]:
    """Return the AUC of a column's bins on the training and on the test projects."""
    known, judged = followed(train, months), followed(test, months)
    fell = defaulted(train, months)[known].astype(np.float64)
    if min(fell.sum(), len(fell) - fell.sum()) < FEW or not judged.any():
        return float("nan"), float("nan")
    bins = int(np.clip(fell.sum() // DEFAULTS_A_BIN, 2, BINS))
    binned = Binned.of(seen[known], fell, train.weight[known], bins=bins)
    late = defaulted(test, months)[judged].astype(np.float64)
    return (
        _within_years(binned.read(seen[known]), fell, train.take(known)),
        _within_years(binned.read(x[judged]), late, test.take(judged)),
    )


def _within_years(score: Floats, fell: Floats, book: Book) -> float:
    """Return the AUC among projects of one year of origination, averaged over the defaults."""

    def within(at: Bools) -> tuple[float, float]:
        return auc(Forecast.of(score[at], fell[at], book.weight[at])), float(fell[at].sum())

    return _over_years(book, within)


def _gap(of: Bools, some: Bools, others: Bools, weight: Floats) -> float:
    """Return the share of some projects less that of others."""
    if min(np.count_nonzero(some), np.count_nonzero(others)) < FEW:
        return float("nan")
    first = np.average(of[some], weights=weight[some])
    return float(first - np.average(of[others], weights=weight[others]))


def _by_year(of: Bools, some: Bools, others: Bools, book: Book) -> float:
    """Return the gap between some loans and others, averaged over years of origination."""

    def within(at: Bools) -> tuple[float, float]:
        return _gap(of, some & at, others & at, book.weight), float((some & at).sum())

    return _over_years(book, within)


def _over_years(book: Book, figure: Callable[[Bools], tuple[float, float]]) -> float:
    """Return the mean of a figure of each year of origination, by the size it comes with."""
    years = book.originated // 12
    found = [figure(np.asarray(years == year)) for year in np.unique(years)]
    known = [(value, size) for value, size in found if np.isfinite(value)]
    if not known:
        return float("nan")
    values, sizes = zip(*known, strict=True)
    return float(np.average(values, weights=sizes))


def _round(column: Column, values: Floats, some: Bools, others: Bools, book: Book) -> float:
    """Return how much more often some projects have one of the most frequent values."""
    kinds, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if not column.numeric or len(kinds) < VARIED:
        return float("nan")
    usual = kinds[np.argsort(-counts, kind="stable")[:ROUND]]
    known = ~np.isnan(values)
    return _by_year(np.isin(values, usual), some & known, others & known, book)


def _end(column: Column, values: Floats, book: Book) -> float:
    """Return the rank correlation of the values with the age at default."""
    fell = (book.event == DEFAULTED) & ~np.isnan(values)
    constant = not fell.any() or np.ptp(values[fell]) == 0 or np.ptp(book.age_months[fell]) == 0
    if column.kind in (Kind.CATEGORY, Kind.FLAG) or fell.sum() < FEW or constant:
        return float("nan")
    return float(spearmanr(values[fell], book.age_months[fell]).statistic)
