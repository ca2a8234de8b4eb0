from __future__ import annotations

import math
import time
import timeit
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from features.book import DEFAULTED, Book, Floats, month_of, read_book
from features.column import Kind
from features.encode import PRIOR_DEFAULTS, Encoder
from features.sets import load
from pricing.errors import InputError, ModelError
from pricing.schedule import Terms
from tests.bank import TOML, write_bank_data

EDGES = (0, 6, 12, 24, 36, 60)
BRANCH = 5


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    _, parquet, _ = write_bank_data(tmp_path_factory.mktemp("bank"))
    return read_book(parquet, load(TOML))


@pytest.fixture(scope="module")
def fitted(book: Book) -> tuple[Encoder, Floats]:
    return Encoder.fit(book, EDGES, seed=7)


def test_a_row_is_its_row_of_the_matrix(book: Book, fitted: tuple[Encoder, Floats]) -> None:
    encoder, _ = fitted
    matrix = encoder.matrix(book.frame)
    rows = np.array([encoder.row(project) for project in book.frame.iter_rows(named=True)])
    np.testing.assert_array_equal(rows, matrix)
    assert np.isnan(matrix).any()


def test_terms_fill_their_columns(fitted: tuple[Encoder, Floats]) -> None:
    encoder, _ = fitted
    terms = Terms(amount=70_000.0, term_months=36, repayment="linear")
    project = {"equity_ratio": 0.3, "staff": 4, "age_years": 2, "audited": True, "branch": "07"}
    row = encoder.row(project, terms)
    np.testing.assert_array_equal(row, encoder.row({**project, "loan_amount": 70_000}))
    assert row[:5].tolist() == [70_000, 0.3, 4, 2, 1]


def test_missing_values_and_unseen_levels_are_nan(fitted: tuple[Encoder, Floats]) -> None:
    encoder, _ = fitted
    assert np.isnan(encoder.row({})).all()
    assert math.isnan(encoder.row({"branch": "99"})[BRANCH])
    assert not math.isnan(encoder.row({"branch": "07"})[BRANCH])


def test_a_level_is_its_smoothed_log_ratio_of_defaults(
    book: Book, fitted: tuple[Encoder, Floats]
) -> None:
    """The formula of the docstring, loan by loan, in plain Python."""
    encoder, _ = fitted
    months = np.minimum(book.age_months, 60) * book.weight
    died = (book.event == DEFAULTED) & (book.age_months <= 60)
    rate = (died * book.weight).sum() / months.sum()
    prior = PRIOR_DEFAULTS * (died * book.weight).sum() / died.sum()
    for branch in ("01", "07"):
        here = (book.frame["branch"] == branch).fill_null(False).to_numpy()
        observed, expected = (died * book.weight)[here].sum(), months[here].sum() * rate
        ratio = math.log((observed + prior) / (expected + prior))
        assert encoder.row({"branch": branch})[BRANCH] == pytest.approx(ratio, rel=1e-12)
    assert encoder.row({"branch": "07"})[BRANCH] > 0.3  # the branch that lends badly, by design


def test_the_scale_of_the_weights_does_not_matter(
    book: Book, fitted: tuple[Encoder, Floats]
) -> None:
    scaled, x = Encoder.fit(replace(book, weight=book.weight * 1000), EDGES, seed=7)
    np.testing.assert_allclose(x, fitted[1], rtol=1e-12)
    assert scaled.row({"branch": "07"}) == pytest.approx(
        fitted[0].row({"branch": "07"}), nan_ok=True, rel=1e-12
    )


def test_a_weight_of_two_is_a_loan_twice(book: Book) -> None:
    twice = book.take(np.repeat(np.arange(len(book)), book.weight.astype(int)))
    one, _ = Encoder.fit(replace(twice, weight=np.ones(len(twice))), EDGES, seed=0)
    two, _ = Encoder.fit(book, EDGES, seed=0)
    # the prior is of average defaults, by number: twice as many loans, of half the weight
    assert one.row({"branch": "07"})[BRANCH] == pytest.approx(
        two.row({"branch": "07"})[BRANCH], abs=0.01
    )


def test_a_loan_s_own_outcome_does_not_enter_its_encoding(book: Book) -> None:
    _, x = Encoder.fit(book, EDGES, seed=7)
    for loan in np.flatnonzero(
        (book.age_months <= 60) & book.frame["branch"].is_not_null().to_numpy()
    )[:20]:
        event = book.event.copy()
        event[loan] = 0 if event[loan] == DEFAULTED else DEFAULTED
        _, changed = Encoder.fit(replace(book, event=event), EDGES, seed=7)
        np.testing.assert_array_equal(changed[loan], x[loan])
        assert (np.nan_to_num(changed[:, BRANCH]) != np.nan_to_num(x[:, BRANCH])).any()


def test_encodings_in_sample_would_tell_the_outcome_and_out_of_fold_do_not(book: Book) -> None:
    """Each loan in a branch of its own: the level is the outcome in sample, unknown out of fold."""
    own = book.frame.with_columns(branch=np.arange(len(book)).astype(str))
    alone = replace(book, frame=own)
    encoder, x = Encoder.fit(alone, EDGES, seed=7)
    died = (book.event == DEFAULTED) & (book.age_months <= 60)
    in_sample = encoder.matrix(own)[:, BRANCH]
    assert in_sample[died].min() > in_sample[~died].max()
    assert np.isnan(x[:, BRANCH]).all()


def test_other_columns_are_encoded_alike_in_and_out_of_fold(
    book: Book, fitted: tuple[Encoder, Floats]
) -> None:
    encoder, x = fitted
    np.testing.assert_array_equal(x[:, :BRANCH], encoder.matrix(book.frame)[:, :BRANCH])


def test_the_folds_are_the_seed_s(book: Book, fitted: tuple[Encoder, Floats]) -> None:
    _, same = Encoder.fit(book, EDGES, seed=7)
    _, other = Encoder.fit(book, EDGES, seed=8)
    np.testing.assert_array_equal(same, fitted[1])
    assert (np.nan_to_num(other) != np.nan_to_num(same)).any()


def test_a_book_without_defaults_teaches_nothing(book: Book) -> None:
    with pytest.raises(InputError, match="one or more default"):
        Encoder.fit(book.take(book.event != DEFAULTED), EDGES, seed=0)


def test_one_default_leaves_its_fold_without_a_ratio(book: Book) -> None:
    first = int(np.flatnonzero(book.event == DEFAULTED)[0])
    few = book.take(np.append(np.flatnonzero(book.event != DEFAULTED), first))
    _, x = Encoder.fit(few, (0, 600), seed=0)
    assert (x[:, BRANCH] == 0.0).any()  # of the fold that holds the default
    assert np.isfinite(x[:, BRANCH][few.frame["branch"].is_not_null().to_numpy()]).all()


def test_an_encoder_survives_json(fitted: tuple[Encoder, Floats]) -> None:
    encoder, _ = fitted
    assert Encoder.from_json(encoder.to_json(), load(TOML)) == encoder


def test_tables_of_another_set_are_refused(fitted: tuple[Encoder, Floats]) -> None:
    with pytest.raises(ModelError, match="branch"):
        Encoder.from_json(fitted[0].to_json(), load("sba"))


def test_forty_columns_take_fifteen_microseconds_at_most() -> None:
    declared = load("early_stage")
    levels = {c.name: {"a": 0.5} for c in declared.columns if c.kind is Kind.CATEGORY}
    encoder = Encoder(declared, levels)
    values: dict[Kind, object] = {Kind.FLAG: True, Kind.CATEGORY: "a"}
    project = {column.name: values.get(column.kind, 1.5) for column in declared.columns}
    terms = Terms(amount=1e6, term_months=36, repayment="linear")
    assert len(declared.columns) >= 40
    timer, number = time.process_time, 200  # a busy machine's other work does not count
    runs = timeit.repeat(lambda: encoder.row(project, terms), timer=timer, number=number, repeat=50)
    assert min(runs) / number < 15e-6


def test_a_snapshot_s_encoding_uses_what_was_known(book: Book, tmp_path: Path) -> None:
    known = book.as_known(month_of(date(2018, 1, 1)))
    then, _ = Encoder.fit(known, EDGES, seed=0)
    now, _ = Encoder.fit(book, EDGES, seed=0)
    assert then.row({"branch": "07"})[BRANCH] != now.row({"branch": "07"})[BRANCH]
