from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from features.column import ColumnSet
from features.sets import load, parse
from features.table import read
from pricing.errors import InputError
from tests.bank import TOML, bank_loans, write_bank_data

BANK = load(TOML)
ROWS = 40


def faults(path: Path, column_set: ColumnSet = BANK) -> dict[str, list[str]]:
    with pytest.raises(InputError) as caught:
        read(path, column_set)
    found: dict[str, list[str]] = {}
    for fault in caught.value.faults:
        found.setdefault(fault.field, []).append(f"{fault.expected} | {fault.given}")
    return found


def written(folder: Path, frame: pl.DataFrame) -> Path:
    frame.write_parquet(folder / "loans.parquet")
    return folder / "loans.parquet"


def bank(**changes: object) -> pl.DataFrame:
    """The bank's loans, none of them of staff, with values of some rows changed: {row: value}."""
    frame = bank_loans(ROWS, 1).with_columns(pl.lit(10).alias("Product"))
    for name, change in changes.items():
        assert isinstance(change, dict)
        values = frame[name].to_list()
        for row, value in change.items():
            values[row - 1] = value  # rows are counted from 1, as in the faults
        frame = frame.with_columns(pl.Series(name, values, strict=False))
    return frame


def test_parquet_and_csv_read_alike(tmp_path: Path) -> None:
    _, parquet, csv = write_bank_data(tmp_path, rows=300)
    packed = tmp_path / "loans.csv.gz"
    packed.write_bytes(gzip.compress(csv.read_bytes()))
    assert read(csv, BANK).equals(read(parquet, BANK))
    assert read(packed, BANK).equals(read(parquet, BANK))


def test_codes_keep_their_leading_zeros(tmp_path: Path) -> None:
    _, _, csv = write_bank_data(tmp_path, rows=300)
    assert read(csv, BANK)["branch"].drop_nulls().unique().sort().to_list() == [
        "01", "02", "03", "07", "11",
    ]  # fmt: skip


def test_expressions_make_the_columns(tmp_path: Path) -> None:
    raw = bank(Equity={1: 50}, Assets={1: 200})
    raw = raw.with_columns(pl.lit(date(2015, 6, 15)).alias("Paid out on"), Founded=2000)
    first = read(written(tmp_path, raw.with_columns(Status=None)), BANK).row(0, named=True)
    assert first["equity_ratio"] == 0.25
    assert first["age_years"] == 15
    assert first["outcome.event"] == 0
    assert first["outcome.event_date"] is None
    assert first["outcome.followed_until"] == date(2024, 1, 1)


def test_only_kept_rows_are_judged(tmp_path: Path) -> None:
    path = written(tmp_path, bank(Product={3: 99}, Staff={3: -1}))
    assert read(path, BANK).height == ROWS - 1


def test_rows_are_counted_in_the_file_and_not_among_the_kept(tmp_path: Path) -> None:
    path = written(tmp_path, bank(Product={3: 99}, Staff={7: -1}))
    assert faults(path) == {"staff": ["a whole number from 0 to 10000 | -1 in row 7"]}


def test_every_fault_is_reported_at_once_by_column_and_row(tmp_path: Path) -> None:
    raw = bank(
        **{
            "Staff": {2: 3.5, 5: float("inf"), 9: float("nan")},
            "Assets": {4: 0, 16: 10},
            "Equity": {4: 10, 16: 11},
            "Amount (EUR)": {6: None, 7: 12},
            "Status": {10: "D"},
            "Status since": {10: None},
            "Weight": {11: -1, 12: None},
            "Loan No.": {13: 700_001},
            "Paid out on": {14: None},
        }
    )
    assert faults(written(tmp_path, raw)) == {
        "staff": ["a whole number from 0 to 10000 | 3.5 in row 2, inf in row 5, nan in row 9"],
        "equity_ratio": ["a finite number from -2 to 1 | inf in row 4, 1.1 in row 16"],
        "loan_amount": [
            "a finite number from 1000 to 5000000 | 12.0 in row 7",
            "a finite number from 1000 to 5000000, never missing | nothing in row 6",
        ],
        "outcome.event_date": ["a date | nothing in row 10"],
        "outcome.weight": ["a finite number of at least 0 | -1.0 in row 11, nothing in row 12"],
        "outcome.loan": ["the name of one row only | 700001 in row 1, 700001 in row 13"],
        "outcome.origination": ["a date | nothing in row 14"],
    }


def test_many_faulty_rows_are_counted_and_the_first_five_shown(tmp_path: Path) -> None:
    path = written(tmp_path, bank(Staff=dict.fromkeys(range(11, 41), -2)))
    shown = ", ".join(f"-2 in row {row}" for row in range(11, 16))
    assert faults(path) == {"staff": [f"a whole number from 0 to 10000 | {shown}, ... (30 rows)"]}


def test_an_event_of_another_name_is_refused(tmp_path: Path) -> None:
    text = TOML.read_text(encoding="utf-8")
    case = "CASE Status WHEN 'D' THEN 'default' WHEN 'R' THEN 'repaid' END"
    events = parse(
        text.replace(case, "Status").replace('["repaid"]', '["R"]\ndefault_values = ["D"]'), "x"
    )
    path = written(tmp_path, bank(Status={8: "X", 9: "D"}))
    assert faults(path, events)["outcome.event"] == ["one of D, R, or nothing | 'X' in row 8"]


def test_dates_out_of_order_are_refused(tmp_path: Path) -> None:
    raw = bank_loans(400, 1).with_columns(pl.lit(10).alias("Product"))
    row = 1 + next(i for i, status in enumerate(raw["Status"]) if status == "D")
    alive = 1 + next(i for i, status in enumerate(raw["Status"]) if status is None)
    changes = {"Paid out on": {row: date(2023, 12, 1), alive: date(2024, 2, 1)}}
    changes["Booked on"] = {row: date(2009, 1, 1)}
    for name, change in changes.items():
        values = raw[name].to_list()
        for at, value in change.items():
            values[at - 1] = value
        raw = raw.with_columns(pl.Series(name, values))
    found = faults(written(tmp_path, raw))
    assert set(found) == {"outcome.event_date", "outcome.known_date", "outcome.followed_until"}
    assert f"in row {row}" in found["outcome.known_date"][0]
    assert f"in row {alive}" in found["outcome.followed_until"][0]


def test_an_event_is_not_known_before_it_happens(tmp_path: Path) -> None:
    raw = bank_loans(400, 1).with_columns(pl.lit(10).alias("Product"))
    early = pl.col("Status since").dt.offset_by("-1d").alias("Booked on")
    found = faults(written(tmp_path, raw.with_columns(early)))
    assert list(found) == ["outcome.known_date"]
    assert found["outcome.known_date"][0].startswith("on or after the event | ")


def test_a_loss_beyond_the_exposure_is_refused(tmp_path: Path) -> None:
    raw = bank_loans(400, 1).with_columns(
        pl.lit(10).alias("Product"), (pl.col("Balance at default") + 1).alias("Written off")
    )
    assert faults(written(tmp_path, raw))["outcome.loss"][0].startswith("from 0 to the exposure | ")
    raw = raw.with_columns(pl.col("Balance at default") * 0)
    assert "above 0 | 0.0 in row" in faults(written(tmp_path, raw))["outcome.exposure"][0]


def test_what_is_written_of_loans_that_did_not_default_is_not_read(tmp_path: Path) -> None:
    raw = bank_loans(ROWS, 1).with_columns(pl.lit(10).alias("Product"))
    noise = raw.with_columns(
        pl.col("Balance at default").fill_null(-5.0), pl.col("Written off").fill_null(9.0)
    )
    assert read(written(tmp_path, noise), BANK).equals(read(written(tmp_path, raw), BANK))


def test_a_csv_with_words_among_numbers_names_their_rows(tmp_path: Path) -> None:
    _, _, csv = write_bank_data(tmp_path, rows=60)
    lines = csv.read_text().splitlines()
    staff = lines[0].split(",").index("Staff")
    for row in (2, 30):
        cells = lines[row].split(",")
        cells[staff], cells[1] = "many", "10"
        lines[row] = ",".join(cells)
    csv.write_text("\n".join(lines))
    shown = "'many' in row 2, 'many' in row 30"
    assert faults(csv) == {"staff": [f"a whole number from 0 to 10000 | {shown}"]}


def test_levels_are_a_closed_list(tmp_path: Path) -> None:
    text = TOML.read_text(encoding="utf-8").replace(
        "from = '\"Branch\"'", 'from = \'"Branch"\'\nlevels = ["01", "02"]'
    )
    path = written(tmp_path, bank(Branch={row: "01" for row in range(1, 41)} | {4: "77", 5: None}))
    assert faults(path, parse(text, "x")) == {"branch": ["one of 01, 02 | '77' in row 4"]}


@pytest.mark.parametrize(
    ("name", "values", "field"),
    [
        ("Staff", [date(2020, 1, 1)] * ROWS, "staff"),
        ("Staff", [True] * ROWS, "staff"),
        ("Branch", [1.5] * ROWS, "branch"),
        ("Branch", [date(2020, 1, 1)] * ROWS, "branch"),
        ("Paid out on", [20200101] * ROWS, "outcome.origination"),
        ("Weight", ["heavy"] * ROWS, "outcome.weight"),
        ("Product", ["x"] * ROWS, "outcome.keep"),
        ("Equity", ["x"] * ROWS, "equity_ratio"),
    ],
)
def test_a_column_of_another_type_is_refused(
    tmp_path: Path, name: str, values: list[object], field: str
) -> None:
    path = written(tmp_path, bank().with_columns(pl.Series(name, values)))
    assert field in faults(path)


@pytest.mark.parametrize(
    ("value", "read_as"),
    [("true", True), ("FALSE", False), (1, True), (0.0, False), (True, True), (None, None)],
)
def test_flags_are_read_from_what_files_hold(
    tmp_path: Path, value: object, read_as: bool | None
) -> None:
    text = TOML.read_text(encoding="utf-8")
    case = "from = \"CASE \\\"Audited?\\\" WHEN 'J' THEN TRUE WHEN 'N' THEN FALSE END\""
    assert case in text
    raw = bank().with_columns(pl.Series("Audited?", [value] * ROWS))
    table = read(written(tmp_path, raw), parse(text.replace(case, "from = '\"Audited?\"'"), "x"))
    assert table["audited"].to_list() == [read_as] * ROWS


def test_a_flag_is_no_other_number(tmp_path: Path) -> None:
    text = TOML.read_text(encoding="utf-8").replace(
        "WHEN 'J' THEN TRUE WHEN 'N' THEN FALSE", "WHEN 'J' THEN 2"
    )
    assert "2 in row" in faults(written(tmp_path, bank()), parse(text, "x"))["audited"][0]


def test_a_value_may_not_depend_on_other_rows(tmp_path: Path) -> None:
    text = TOML.read_text(encoding="utf-8")
    for mean in ("Staff - AVG(Staff)", "LAG(Staff) OVER (ORDER BY Assets)", "SUM(Staff)"):
        peeking = parse(text.replace("from = '\"Staff\"'", f'from = "{mean}"'), "x")
        found = faults(written(tmp_path, bank()), peeking)
        assert found["staff"][0].startswith("a value of each row by itself"), mean


def test_every_absent_column_is_named(tmp_path: Path) -> None:
    found = faults(written(tmp_path, bank().drop("Equity", "Weight", "Product")))
    assert set(found) == {"equity_ratio", "outcome.weight", "outcome.keep"}
    assert "loans.parquet has no column Equity" in found["equity_ratio"][0]


def test_a_header_given_twice_is_refused(tmp_path: Path) -> None:
    _, _, csv = write_bank_data(tmp_path, rows=20)
    csv.write_text(csv.read_text().replace("Assets", "Staff", 1))
    assert "'Staff' named again" in faults(csv)["data"][0]


def test_a_file_that_keeps_no_row_is_refused(tmp_path: Path) -> None:
    raw = bank().with_columns(pl.lit(99).alias("Product"))
    assert "none kept" in faults(written(tmp_path, raw))["data"][0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("loans.parquet", b"PAR1 is not enough"),
        ("loans.parquet", b""),
        ("loans.csv", b""),
        ("loans.csv", b"\xff\xfe\x00"),
        ("loans.csv", b"a,b\n1\n2,3,4\n"),
        ("loans.xlsx", b"x"),
        ("loans.csv.gz", b"not packed"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert faults(tmp_path / name)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    assert "a Parquet or CSV file" in faults(tmp_path / "loans.parquet")["data"][0]
