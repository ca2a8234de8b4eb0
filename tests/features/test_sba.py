"""The set of U.S. SBA loans against the real file, and against the referee's counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features import sql
from features.book import DEFAULTED, Book, month_of, read_book
from features.encode import Encoder
from features.file import expressions
from features.sets import load
from features.table import read

SBA = load("sba")
FILE = "sba_national_casecontrol.parquet"


@pytest.fixture(scope="module")
def book(real_data: Path) -> Book:
    return read_book(real_data / FILE, SBA)


def window(book: Book) -> tuple[Book, Book]:
    """The comparison split of ../shared/data/README.md."""
    days = (SBA.window.train_from, SBA.window.test_from, SBA.window.test_to)
    first, middle, last = (month_of(day) for day in days if day is not None)
    month = book.originated
    return (
        book.take((month >= first) & (month < middle)),
        book.take((month >= middle) & (month < last)),
    )


def test_the_split_has_the_referee_s_counts(book: Book) -> None:
    """23.5k loans with 5,322 charge-offs by month 84, 15.5k: models.md, section 1, data B."""
    train, test = window(book)
    _, defaults, _ = train.exposure((0, 84))
    assert (len(train), int(defaults.sum()), len(test)) == (23_510, 5_322, 15_468)


def test_the_weighted_default_rate_is_the_population_s(real_data: Path, book: Book) -> None:
    """17.56 % by the data's README, of which 1,128 charge-offs came after the follow-up."""
    table = read(real_data / FILE, SBA)
    charged_off = (table["outcome.event"] == DEFAULTED).to_numpy()
    weight = table["outcome.weight"].to_numpy()
    assert weight[charged_off].sum() / weight.sum() == pytest.approx(0.1756, abs=0.0005)
    assert charged_off.sum() - (book.event == DEFAULTED).sum() == pytest.approx(1_128, abs=2)


def test_losses_are_those_of_the_readme(book: Book) -> None:
    """Mean .62 given charge-off, over the amount disbursed."""
    assert np.nanmean(book.lgd) == pytest.approx(0.62, abs=0.01)
    assert np.nanmax(book.lgd) <= 1


def test_the_term_and_outcomes_are_no_columns() -> None:
    """The term gives the outcome away: AUC at 60 months .937 with it, .700 without (README)."""
    forbidden = {"term", "chg_off_date", "chg_off_prin_gr", "balance_gross", "mis_status"}
    forbidden |= {"disbursement_gross", "default", "draw", "weight"}
    texts = [text for name, text in expressions(SBA).items() if not name.startswith("outcome.")]
    assert len(texts) == len(SBA.columns) == 16
    assert not forbidden & frozenset[str]().union(*map(sql.reads, texts))


def test_codes_of_the_file_are_missing_and_not_counts(book: Book) -> None:
    assert book.frame["employees"].max() == 8041
    assert book.frame["jobs_created"].max() == 1229
    assert book.frame["new_business"].null_count() > 0


def test_every_loan_s_row_is_its_row_of_the_matrix(book: Book) -> None:
    train, test = window(book)
    encoder, x = Encoder.fit(train, SBA.age_edges_months, seed=0)
    assert x.shape == (23_510, 16)
    rows = [encoder.row(project) for project in test.frame.iter_rows(named=True)]
    np.testing.assert_array_equal(np.array(rows), encoder.matrix(test.frame))
