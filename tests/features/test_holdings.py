from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from features.holdings import COLUMNS, read
from pricing.errors import InputError
from pricing.ifrs9.portfolio import Holding
from pricing.schedule import Terms
from tests.conftest import ROOT

HEAD = "loan,outstanding,months_left,repayment,eir,pd,pd_at_origination,lgd,days_past_due"


def file(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "book.csv"
    path.write_text("\n".join([head, *rows]), encoding="utf-8")
    return path


def said(path: Path) -> dict[str, str]:
    """Return column -> "expected | given" of everything that is wrong with a file."""
    with pytest.raises(InputError) as error:
        read(path)
    return {fault.field: f"{fault.expected} | {fault.given}" for fault in error.value.faults}


def test_a_row_is_a_loan_as_the_books_have_it(tmp_path: Path) -> None:
    (loan,) = read(file(tmp_path, "007,1000000,36,linear,0.05,0.03,0.02,0.4,12"))
    assert loan == Holding("007", Terms(1e6, 36, "linear"), 0.05, 0.03, 0.02, 0.4, 12)


def test_parquet_says_the_same_and_other_columns_are_passed_over(tmp_path: Path) -> None:
    example = ROOT / "examples" / "book.csv"
    frame = pl.read_csv(example).with_columns(branch=pl.lit("North"))
    frame.write_parquet(tmp_path / "book.parquet")
    assert read(tmp_path / "book.parquet") == read(example)
    assert frame.columns[:-1] != [column.name for column in COLUMNS]  # in an order of its own


def test_every_fault_is_told_at_once_with_its_rows(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "A,1000000,36,linear,0.05,0.03,0.02,0.4,0",
        "A,-1,0,balloon,x,1.5,,40,0.5",
        "B,1000000,36,linear,0.05,0.03,0.02,0.4,-3",
    )
    assert said(path) == {
        "loan": "the name of one row only | 'A' in row 1, 'A' in row 2",
        "outstanding": "a finite number from 0.01 to 1e+15 | -1 in row 2",
        "months_left": "a whole number from 1 to 600 | 0 in row 2",
        "repayment": "one of bullet, linear, annuity | 'balloon' in row 2",
        "eir": "a finite number from -0.5 to 10 | 'x' in row 2",
        "pd": "a finite number from 0 to 1 | 1.5 in row 2",
        "pd_at_origination": "a finite number from 0 to 1, never missing | nothing in row 2",
        "lgd": "a finite number from 0 to 1 | 40.0 in row 2",
        "days_past_due": "a whole number from 0 to 36500 | 0.5 in row 2, -3.0 in row 3",
    }


def test_what_does_not_fit_together_is_told_by_row(tmp_path: Path) -> None:
    rows = [f"L{i},1000000,{7 + i % 2},linear,0.05,0.03,0.02,0.4,0,3" for i in range(9)]
    path = file(
        tmp_path, *rows, "M,1e6,12,bullet,0.05,0.03,0.02,0.4,0,5", head=f"{HEAD},payment_months"
    )
    with pytest.raises(InputError) as error:
        read(path)
    told = [str(fault) for fault in error.value.faults]
    assert told[0] == "payment_months must be a divisor of months_left=7, however: 3 in row 1"
    assert told[4].endswith("3 in row 5, ... (10 rows)")
    assert len(told) == 5


def test_a_missing_column_and_an_empty_book_are_named(tmp_path: Path) -> None:
    assert [*said(file(tmp_path, head="loan,outstanding"))] == HEAD.split(",")[2:]
    assert "no row" in said(file(tmp_path))["data"]
