"""A small bank that exists in tests only: its own column set, and loans in its own files."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

TOML = Path(__file__).parent / "features" / "bank.toml"
SNAPSHOT = date(2024, 1, 1)
BRANCHES = ("01", "02", "03", "07", "11")


def write_bank_data(folder: Path, rows: int = 2000, seed: int = 0) -> tuple[Path, Path, Path]:
    """Write the bank's column set, and its loans twice: as Parquet and as CSV.

    About a fifth of the loans default within five years: fewer where equity is high, the firm old
    or the accounts audited; more at branch 07. A third is repaid early. Some values are missing.

    Returns:
        The paths of bank.toml, loans.parquet and loans.csv in the folder.
    """
    toml, parquet, csv = (folder / name for name in ("bank.toml", "loans.parquet", "loans.csv"))
    shutil.copyfile(TOML, toml)
    loans = bank_loans(rows, seed)
    loans.write_parquet(parquet)
    loans.write_csv(csv)
    return toml, parquet, csv


def bank_loans(rows: int, seed: int) -> pl.DataFrame:
    """Return the bank's file, with the bank's names."""
    dice = np.random.default_rng(seed)
    origination = dice.integers(0, 12 * 12, rows)  # months since January 2010
    equity, assets = dice.normal(0.25, 0.2, rows).clip(-1, 0.95), dice.lognormal(13, 1, rows)
    age, staff = dice.integers(0, 40, rows), dice.poisson(12, rows)
    audited, branch = dice.random(rows) < 0.4, dice.integers(0, len(BRANCHES), rows)
    amount = np.round(dice.lognormal(11.5, 0.8, rows).clip(1_000, 5_000_000), -2)

    risk = -3.0 * (equity - 0.25) - 0.02 * (age - 20) - 0.5 * audited + 0.7 * (branch == 3)
    to_default = np.ceil(dice.exponential(1 / (0.004 * np.exp(risk))))  # months
    to_repayment = np.ceil(dice.exponential(1 / np.full(rows, 0.008)))
    months = np.minimum(to_default, to_repayment).astype(np.int64)
    defaulted = to_default < to_repayment
    booked = origination + months + 3 * defaulted  # a default is booked a quarter later
    happened = booked < (SNAPSHOT.year - 2010) * 12
    balance = np.round(amount * np.maximum(1 - months / 120, 0.1), 2)
    lost = np.round(balance * dice.beta(2, 2, rows), 2)

    frame = pl.DataFrame(
        {
            "Loan No.": np.arange(rows) + 700_001,
            "Product": np.where(dice.random(rows) < 0.02, 99, 10),
            "Paid out on": _days(origination),
            "Amount (EUR)": amount,
            "Equity": np.round(equity * assets),
            "Assets": np.round(assets),
            "Staff": staff,
            "Founded": 2010 + origination // 12 - age,
            "Audited?": np.where(audited, "J", "N"),
            "Branch": np.array(BRANCHES)[branch],
            "Status": np.where(defaulted, "D", "R"),
            "Status since": _days(origination + months),
            "Booked on": _days(booked),
            "Balance at default": balance,
            "Written off": lost,
            "Weight": dice.choice([1.0, 2.0], rows),
        }
    )
    gone = {name: pl.Series(~happened) for name in ("Status", "Status since", "Booked on")}
    not_lost = pl.Series(~(happened & defaulted))
    gone |= {"Balance at default": not_lost, "Written off": not_lost}
    gone |= {"Equity": pl.Series(dice.random(rows) < 0.1)}
    gone |= {"Branch": pl.Series(dice.random(rows) < 0.03)}
    return frame.with_columns(
        pl.when(missing).then(None).otherwise(pl.col(name)).alias(name)
        for name, missing in gone.items()
    )


def _days(months: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Return the 15th of each month, counted from January 2010."""
    first = np.datetime64("2010-01", "M") + months
    return first.astype("datetime64[D]") + 14
