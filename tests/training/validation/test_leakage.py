from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features import sets, simulate
from features.book import CENSORED, DEFAULTED, Book, read_book
from features.column import ColumnSet, Kind
from features.encode import Encoder
from tests.training import books
from training import split
from training.split import Labels
from training.validation import leakage
from training.validation.leakage import Trace

SBA = "sba_national_casecontrol.parquet"


def traced(book: Book, *, labels: Labels = Labels.AS_KNOWN) -> dict[str, Trace]:
    parts = split.by_time(book, labels=labels)
    encoder, seen = Encoder.fit(parts.train, book.column_set.age_edges_months, 0)
    x = encoder.matrix(parts.test.frame)
    found = leakage.traces(parts.train, seen, parts.test, x, months=36)
    return {trace.name: trace for trace in found}


def suspects(traces: dict[str, Trace]) -> dict[str, list[str]]:
    said = {name: list(trace.suspicions()) for name, trace in traces.items()}
    return {name: reasons for name, reasons in said.items() if reasons}


def planted(values: np.ndarray) -> dict[str, Trace]:
    """Return the traces of the small world with one more column, in file order."""
    book = books.book(8000)
    column = replace(books.column("planted"), unit="1")
    known = books.column_set((*books.COLUMNS, column))
    frame = book.frame.with_columns(pl.Series("planted", values).fill_nan(None))
    return traced(replace(book, column_set=known, frame=frame))


def fate() -> tuple[np.ndarray, np.ndarray]:
    book = books.book(8000)
    return book.event == DEFAULTED, book.age_months


@pytest.fixture(scope="module")
def sba(real_data: Path) -> Path:
    return real_data / SBA


def with_term(declared: ColumnSet) -> ColumnSet:
    count = next(column for column in declared.columns if column.kind is Kind.COUNT)
    term = replace(count, name="term", expression=None, low=0.0, high=600.0)
    return replace(declared, columns=(*declared.columns, term))


@pytest.mark.parametrize("labels", list(Labels))
def test_the_term_of_sba_loans_is_flagged_and_no_shipped_column_is(
    sba: Path, labels: Labels
) -> None:
    # the file's term was written down after the fact: 86.6 % of those of loans paid in full are
    # multiples of twelve months, and 11.0 % of those charged off
    found = traced(read_book(sba, with_term(sets.load("sba"))), labels=labels)
    assert list(suspects(found)) == ["term"]
    assert found["term"].alone > 0.85
    assert found["term"].round_by_outcome < -0.5


def test_the_shipped_early_stage_set_is_clean(tmp_path: Path) -> None:
    simulate.write(tmp_path / "data.parquet", 12_000, 0)
    found = traced(read_book(tmp_path / "data.parquet", sets.load("early_stage")))
    assert suspects(found) == {}
    assert max(trace.alone for trace in found.values()) > 0.65  # it does look


def test_the_small_world_is_clean() -> None:
    assert suspects(traced(books.book(8000))) == {}


def test_a_column_that_knows_the_outcome_ranks_too_well_alone() -> None:
    fell, _ = fate()
    noise = np.random.default_rng(99).normal(size=len(fell))
    (reason,) = suspects(planted(fell + 0.7 * noise))["planted"]
    assert reason.startswith("alone it ranks with AUC 0.")


def test_a_column_that_is_filled_in_after_a_default_is_flagged() -> None:
    fell, _ = fate()
    noise = np.random.default_rng(99).normal(size=len(fell))
    reasons = suspects(planted(np.where(fell, noise, np.nan)))["planted"]
    assert any("missing more or less often in defaults" in reason for reason in reasons)


def test_a_column_that_is_filled_in_at_the_end_of_any_loan_is_flagged() -> None:
    ended = books.book(8000).event != CENSORED
    noise = np.random.default_rng(99).normal(size=len(ended))
    reasons = suspects(planted(np.where(ended, noise, np.nan)))["planted"]
    assert any("in ended than in running loans" in reason for reason in reasons)


def test_a_column_that_says_how_long_the_loan_lived_is_flagged() -> None:
    fell, age = fate()
    dice = np.random.default_rng(99)
    lived = np.where(fell, age + dice.normal(0, 3, len(age)), dice.uniform(0, 100, len(age)))
    reasons = suspects(planted(lived))["planted"]
    assert any("age at default" in reason for reason in reasons)


def test_a_column_whose_relation_ends_with_the_training_window_is_flagged() -> None:
    fell, _ = fate()
    early = books.book(8000).originated < books.FIRST + 72
    noise = np.random.default_rng(99).normal(size=len(fell))
    reasons = suspects(planted(np.where(early, fell * 1.0, 0.0) + 0.9 * noise))["planted"]
    assert any("out of time" in reason for reason in reasons)
