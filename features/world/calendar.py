"""The economy by calendar month: months count from January 1970, as 0."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.world.dice import Dice, Floats, Ints

LONG_MONTHS, SHORT_MONTHS = 96, 37  # two cycles of strain, our choice
SECTOR_STRAIN = 0.05  # output growth lost per unit of strain, our choice


def strain(month: Ints) -> Floats:
    """Return how strained credit and venture funding are: mean 0, within ±1.4.

    strain(m) = sin(2π m / 96) + 0.4 sin(2π m / 37): cycles of eight and of three years, our choice.
    """
    angle = 2.0 * np.pi * month.astype(np.float64)
    wave: Floats = np.sin(angle / LONG_MONTHS) + 0.4 * np.sin(angle / SHORT_MONTHS)
    return wave


def policy_rate_percent(month: Ints) -> Floats:
    """Return the one-year policy rate, 3 % on average and higher under strain (our choice)."""
    return 3.0 + 1.2 * strain(month)


def sector_growth(month: Ints, sector: Ints, trend: Floats, dice: Dice) -> Floats:
    """Return the growth of each project's sector in its month: one number a sector and month."""
    first = int(month.min())
    size = (len(trend), int(month.max()) - first + 1)
    shocks = dice.stream("sector growth").standard_normal(size)
    return (
        0.08 + trend[sector] - SECTOR_STRAIN * strain(month) + 0.04 * shocks[sector, month - first]
    )


def dates(month: Ints, day: Ints) -> pl.Series:
    """Return the dates of the given months on the given days of the month (at most the 28th)."""
    frame = pl.DataFrame({"year": 1970 + month // 12, "month": 1 + month % 12, "day": day})
    return frame.select(pl.date("year", "month", "day").alias("date"))["date"]
