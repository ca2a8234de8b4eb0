from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import ROOT

POLICY = ROOT / "pricing" / "policies" / "cny.toml"
BOOK = ROOT / "examples" / "book.csv"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "serving", "provisions", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["losses.csv", "losses.parquet"])
def test_a_book_is_staged_and_booked_loan_by_loan(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    seen = run(BOOK, "--policy", POLICY, "--out", out)
    assert (seen.returncode, seen.stderr) == (0, "")
    frame = pl.read_csv(out) if out.suffix == ".csv" else pl.read_parquet(out)
    assert frame["loan"].to_list() == pl.read_csv(BOOK)["loan"].to_list()
    assert frame["stage"].to_list() == [1, 1, 2, 2, 2, 3]
    # L-006 is in default: LGD 60 % of 3.1 m
    assert frame["booked"].to_list()[-1] == pytest.approx(1_860_000)
    for line, loans in (("performing", "2"), ("weakened", "3"), ("impaired", "1"), ("all", "6")):
        (told,) = (row.split() for row in seen.stdout.splitlines() if row.startswith(line))
        assert told[1] == loans
    assert f"{float(frame['booked'].sum()) / 1e3:,.0f}" in seen.stdout


def test_what_is_wrong_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(BOOK.read_text("utf-8").replace("linear", "balloon"), "utf-8")
    seen = run(tmp_path / "bad.csv", "--policy", POLICY)
    assert seen.returncode == 1
    assert "repayment must be one of" in " ".join(seen.stderr.split())
    assert "Traceback" not in seen.stderr
    assert "--policy or SEEDRATE_POLICY" in run(BOOK).stderr
