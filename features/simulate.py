"""Simulated loans to early-stage projects: a whole world from one seed, in which the truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from features.world import fate, project, veil
from features.world.calendar import dates, month_of
from features.world.dice import Dice, Ints
from features.world.fate import Fate
from features.world.oracle import Oracle

SNAPSHOT = date(2025, 12, 31)
ORIGINATION_MONTHS = 180  # fifteen years of loans, the last one a month before the snapshot


@dataclass(frozen=True)
class World:
    """Simulated projects and their loans, and what is true of them."""

    seed: int
    snapshot: date
    true_columns: pl.DataFrame  # nothing hidden
    columns: pl.DataFrame  # as the lender sees them on the day of origination
    month: Ints  # of origination, from January 1970, (projects,)
    day: Ints  # of the month, 1 to 28, (projects,)
    fate: Fate
    oracle: Oracle

    @property
    def projects(self) -> pl.Series:
        """Return the projects' names, P000001 and on."""
        return pl.Series("project", [f"P{i:06d}" for i in range(1, len(self.month) + 1)])

    def truth(self) -> pl.DataFrame:
        """Return what became of every loan to its very end, whether or not anybody knows yet."""
        return pl.DataFrame(
            {
                "project": self.projects,
                "originated_on": dates(self.month, self.day),
                "event": self.fate.kind,
                "event_on": dates(self.month + self.fate.age_months, self.day),
                "event_known_on": dates(
                    self.month + self.fate.age_months + self.fate.notice_months, self.day
                ),
                "age_months": self.fate.age_months,
                "loss_rate": pl.Series(self.fate.loss, nan_to_null=True),
            }
        )

    def table(self) -> pl.DataFrame:
        """Return the flat file that a bank would have on the snapshot: later events are unknown."""
        known = pl.col("event_known_on") <= self.snapshot
        lost = known & (pl.col("event") == fate.DEFAULT)
        recovered = pl.col("event_on").dt.offset_by(f"{fate.WORKOUT_MONTHS}mo") <= self.snapshot
        exposure = np.round(self.columns["loan_amount_cny"].to_numpy() * self.fate.exposure)
        truth = self.truth().with_columns(exposure=exposure, agreed_end=self._agreed_end())
        outcome = truth.select(
            pl.when(known).then("event").alias("event"),
            pl.when(known).then("event_on").alias("event_on"),
            pl.when(known).then("event_known_on").alias("event_known_on"),
            pl.when(known & pl.col("event").is_in([fate.DEFAULT, *fate.EXITS]))
            .then(pl.lit(self.snapshot))
            .otherwise(pl.min_horizontal(pl.lit(self.snapshot), "agreed_end"))
            .alias("followed_until"),
            pl.when(lost).then("exposure").alias("exposure_at_default_cny"),
            pl.when(lost & recovered)
            .then((pl.col("exposure") * pl.col("loss_rate")).round())
            .alias("loss_cny"),
        )
        start = truth.select("project", "originated_on")
        return pl.concat([start, self.columns, outcome], how="horizontal")

    def _agreed_end(self) -> pl.Series:
        """Return the last day of the month of the last agreed payment."""
        term = self.columns["term_months"].to_numpy().astype(np.int64)
        return dates(self.month + term, self.day).dt.month_end()


def simulate(
    projects: int,
    *,
    seed: int = 0,
    snapshot: date = SNAPSHOT,
    progress: Callable[[float], None] | None = None,
) -> World:
    """Return a world of `projects` loans originated in the fifteen years before the snapshot.

    The same seed gives the same world, to the last digit, on every run of the same numpy. Published facts stand
    beside the numbers that reproduce them: `features/world/project.py` for columns, `hazard.py` for risks.

    Args:
        projects: number of projects, each with one loan.
        seed: any whole number >= 0.
        snapshot: the day on which the lender looks; nothing later is in `World.table`.
        progress: called with the share of the work done, from 0 to 1.
    """
    dice = Dice(seed, projects)
    traits = project.Traits.draw(dice)
    first = month_of(snapshot) - ORIGINATION_MONTHS
    origins = project.Origins.draw(dice, traits, first_month=first, months=ORIGINATION_MONTHS)
    columns = project.draw(dice, traits, origins)
    story, oracle = fate.live(dice, columns, origins.month, progress)
    return World(
        seed=seed,
        snapshot=snapshot,
        true_columns=columns,
        columns=veil.hide(dice, columns, traits),
        month=origins.month,
        day=1 + (dice.uniform("day") * 28).astype(np.int64),
        fate=story,
        oracle=oracle,
    )


def write(path: Path, projects: int, seed: int, progress: Callable[[float], None] | None = None) -> None:
    """Write the flat file of a simulated world as Parquet."""
    simulate(projects, seed=seed, progress=progress).table().write_parquet(path)
