"""Public figures that the simulator is held to, from the folder of real data where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest


@pytest.fixture
def real_crunchbase_gaps(real_data: Path) -> pl.Series:
    """Months between rounds of one firm, 1999-2013 (Crunchbase, October 2013, CC BY)."""
    rounds = pl.read_parquet(real_data / "cb_oct2013_rounds.parquet")
    sane = pl.col("funded_at").is_between(pl.date(1999, 1, 1), pl.date(2013, 12, 31))
    before = pl.col("funded_at").shift(1).over("company_permalink")
    gap = (pl.col("funded_at") - before).dt.total_days() / 30.44
    gaps = rounds.filter(sane).sort("company_permalink", "funded_at").select(gap.alias("gap"))
    return gaps.filter(pl.col("gap") > 0)["gap"]


@pytest.fixture
def real_elasticity(real_data: Path) -> float:
    """Slope of log(1 + patents) on log R&D in listed firms, 1991-1999."""
    firms = pl.read_parquet(real_data / "rd_patents_listed_firms.parquet").filter(
        pl.col("randd") > 0
    )
    rd, patents = np.log(firms["randd"].to_numpy()), np.log1p(firms["patents"].to_numpy())
    return float(np.polyfit(rd, patents, 1)[0])
