from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.book import CENSORED, DEFAULTED, EXITED, Book, month_of, read_book
from features.sets import load, parse
from tests.bank import TOML, bank_loans, write_bank_data

EDGES = (0, 6, 12, 24)
CODES = {"D": DEFAULTED, "R": EXITED, None: CENSORED}


def loans(folder: Path, *rows: tuple[str, str | None, str | None, str | None]) -> Book:
    """A book of loans, each (paid out, status, status since, booked), followed to 2024-01-01."""
    frame = bank_loans(len(rows), 0).with_columns(
        pl.lit(10).alias("Product"),
        pl.lit(1990).alias("Founded"),
        pl.Series("Paid out on", [row[0] for row in rows]).str.to_date(),
        pl.Series("Status", [row[1] for row in rows], pl.String),
        pl.Series("Status since", [row[2] for row in rows], pl.String).str.to_date(),
        pl.Series("Booked on", [row[3] for row in rows], pl.String).str.to_date(),
        pl.lit(200.0).alias("Balance at default"),
        pl.lit(50.0).alias("Written off"),
    )
    frame.write_parquet(folder / "loans.parquet")
    return read_book(folder / "loans.parquet", load(TOML))


def test_age_is_the_difference_of_calendar_months_and_at_least_one(tmp_path: Path) -> None:
    book = loans(
        tmp_path,
        ("2020-01-31", "D", "2020-03-01", None),
        ("2020-01-01", "R", "2020-01-31", None),
        ("2020-01-20", None, None, None),
    )
    assert book.age_months.tolist() == [2, 1, 47]  # followed to New Year 2024: through December
    assert book.event.tolist() == [DEFAULTED, EXITED, CENSORED]
    assert book.originated.tolist() == [month_of(date(2020, 1, 1))] * 3


def test_a_month_counts_as_followed_from_its_second_half_on(tmp_path: Path) -> None:
    _, parquet, _ = write_bank_data(tmp_path, rows=50)
    text = TOML.read_text(encoding="utf-8")
    ages = {}
    for day in ("2024-01-15", "2024-01-16", "2024-01-31"):
        followed = parse(text.replace("DATE '2024-01-01'", f"DATE '{day}'"), "x")
        book = read_book(parquet, followed)
        ages[day] = int(book.age_months[book.event == CENSORED].sum())
    assert ages["2024-01-15"] < ages["2024-01-16"] == ages["2024-01-31"]


def test_what_happened_after_the_follow_up_did_not_happen(tmp_path: Path) -> None:
    book = loans(
        tmp_path,
        ("2020-01-01", "D", "2024-02-01", None),
        ("2020-01-01", "D", "2024-01-01", None),
        ("2023-12-31", None, None, None),  # no month at risk: left out
    )
    assert book.event.tolist() == [CENSORED, DEFAULTED]
    assert book.age_months.tolist() == [47, 48]
    np.testing.assert_array_equal(book.lgd, [np.nan, 0.25])


def test_lgd_is_loss_over_exposure_of_defaults_only(tmp_path: Path) -> None:
    book = loans(
        tmp_path, ("2020-01-01", "D", "2021-01-01", None), ("2020-01-01", None, None, None)
    )
    np.testing.assert_array_equal(book.lgd, [0.25, np.nan])


def test_a_snapshot_knows_nothing_of_its_own_month(tmp_path: Path) -> None:
    book = loans(
        tmp_path,
        ("2020-01-15", "D", "2020-06-15", "2020-09-15"),  # known in time
        ("2020-01-15", "D", "2020-09-15", "2020-12-15"),  # happened before, known after
        ("2020-01-15", "R", "2020-12-01", None),  # happened in the snapshot's month
        ("2020-10-15", None, None, None),
        ("2020-11-15", None, None, None),  # no full month before the snapshot
        ("2021-03-15", None, None, None),  # later
    )
    known = book.as_known(month_of(date(2020, 12, 1)))
    assert known.event.tolist() == [DEFAULTED, CENSORED, CENSORED, CENSORED]
    assert known.age_months.tolist() == [5, 10, 10, 1]
    np.testing.assert_array_equal(known.lgd, [0.25, np.nan, np.nan, np.nan])


def test_a_later_snapshot_of_a_snapshot_changes_nothing(tmp_path: Path) -> None:
    _, parquet, _ = write_bank_data(tmp_path, rows=400)
    known = read_book(parquet, load(TOML)).as_known(month_of(date(2018, 1, 1)))
    again = known.as_known(month_of(date(2030, 1, 1)))
    assert again.age_months.tolist() == known.age_months.tolist()
    assert again.event.tolist() == known.event.tolist()


def test_snapshots_see_more_as_time_goes_on_and_in_the_end_everything(tmp_path: Path) -> None:
    _, parquet, _ = write_bank_data(tmp_path, rows=400)
    book = read_book(parquet, load(TOML))
    snapshots = [book.as_known(month_of(date(year, 1, 1))) for year in range(2014, 2025)]
    counts = [(snapshot.event != CENSORED).sum() for snapshot in snapshots]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    np.testing.assert_array_equal(snapshots[-1].age_months, book.age_months)
    np.testing.assert_array_equal(snapshots[-1].event, book.event)


def test_exposure_fills_the_buckets_up_to_the_event(tmp_path: Path) -> None:
    book = loans(
        tmp_path,
        ("2020-01-01", "D", "2020-07-01", None),  # age 6: the last month of the first bucket
        ("2020-01-01", "R", "2020-08-01", None),  # age 7: the first month of the second
        ("2020-01-01", "D", "2022-02-01", None),  # age 25: after the last edge
    )
    months, defaults, exits = book.exposure(EDGES)
    assert months.tolist() == [[6, 0, 0], [6, 1, 0], [6, 6, 12]]
    assert defaults.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert exits.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_months_at_risk_are_neither_lost_nor_invented(tmp_path: Path) -> None:
    _, parquet, _ = write_bank_data(tmp_path, rows=400)
    book = read_book(parquet, load(TOML))
    months, defaults, exits = book.exposure((0, 1, 5, 17, 400))
    assert months.sum(axis=1).tolist() == book.age_months.tolist()
    assert defaults.sum() == (book.event == DEFAULTED).sum()
    assert exits.sum() == (book.event == EXITED).sum()


def test_taking_by_mask_and_by_position_agree(tmp_path: Path) -> None:
    _, parquet, _ = write_bank_data(tmp_path, rows=100)
    book = read_book(parquet, load(TOML))
    mask = book.weight == 2.0
    by_mask, by_position = book.take(mask), book.take(np.flatnonzero(mask))
    assert len(by_mask) == int(mask.sum())
    assert by_mask.frame.equals(by_position.frame)
    assert by_mask.event.tolist() == by_position.event.tolist()
    assert by_mask.digest == book.digest


def test_the_bank_of_the_tests_is_what_its_docstring_says(tmp_path: Path) -> None:
    _, parquet, csv = write_bank_data(tmp_path)
    book = read_book(parquet, load(TOML))
    old = book.take(book.originated < month_of(date(2019, 1, 1)))
    in_time = old.age_months <= 60
    assert 0.1 < ((old.event == DEFAULTED) & in_time).mean() < 0.25
    assert 0.25 < ((old.event == EXITED) & in_time).mean() < 0.45
    assert read_book(csv, load(TOML)).age_months.tolist() == book.age_months.tolist()
    assert read_book(csv, load(TOML)).digest != book.digest


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(1969, 12, 31), date(2004, 1, 31)])
def test_months_count_from_1970_as_numpy_does(day: date) -> None:
    assert month_of(day) == np.datetime64(day, "M").astype(int)


def test_a_set_without_weights_weighs_all_loans_alike(tmp_path: Path) -> None:
    _, parquet, _ = write_bank_data(tmp_path, rows=50)
    declared = load(TOML)
    unweighted = replace(declared, outcome=replace(declared.outcome, weight=None))
    assert set(read_book(parquet, unweighted).weight) == {1.0}


def test_a_loss_is_not_known_before_its_workout_is_over(tmp_path: Path) -> None:
    book = loans(tmp_path, ("2020-01-01", "D", "2020-06-01", None))
    slow = replace(book.column_set, outcome=replace(book.column_set.outcome, loss_months=12))
    book = replace(book, column_set=slow)
    before = book.as_known(month_of(date(2021, 6, 1)))
    after = book.as_known(month_of(date(2021, 7, 1)))
    assert before.event.tolist() == after.event.tolist() == [DEFAULTED]
    assert np.isnan(before.lgd).all()
    assert after.lgd.tolist() == [0.25]  # 50 lost of 200
