"""The provisions of a bank's book, for the command line: a table to read, a file to book."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from rich.table import Table

from pricing.errors import InputError
from pricing.ifrs9.ecl import Ecl
from pricing.ifrs9.portfolio import Holding, totals

STAGES = {1: "performing", 2: "weakened", 3: "impaired", None: "all"}


def render_provisions(holdings: Sequence[Holding], losses: Sequence[Ecl], currency: str) -> Table:
    """Return what is set aside by stage, as one can read it."""
    title = f"Expected credit losses by stage, in thousands of {currency}"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column(min_width=10, no_wrap=True)
    for name in ("loans", "outstanding", "12 months", "lifetime", "booked", "of all"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in totals(holdings, losses):
        sums = (part.outstanding, part.twelve_month, part.lifetime, part.booked)
        share = f"{100 * part.coverage:.2f} %"
        table.add_row(
            STAGES[part.stage], f"{part.loans:,}", *(f"{x / 1e3:,.0f}" for x in sums), share
        )
    return table


def write(path: Path, holdings: Sequence[Holding], losses: Sequence[Ecl]) -> None:
    """Write a row a loan: its stage, its losses, and what is booked; CSV or Parquet by name."""
    frame = pl.DataFrame(
        {
            "loan": [holding.loan for holding in holdings],
            "stage": [int(loss.stage) for loss in losses],
            "twelve_month": [loss.twelve_month for loss in losses],
            "lifetime": [loss.lifetime for loss in losses],
            "booked": [loss.booked for loss in losses],
        }
    )
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".csv":
        frame.write_csv(path, float_precision=2)
    else:
        raise InputError.of("out", "a file named .csv or .parquet", path)
