"""Simulated loans to early-stage projects: a whole world from one seed, whose truth is known.

Published facts that the world reproduces, and where its numbers stand; the rest is our choice:

- Default peaks in the second year (Glennon & Nigro 2005): `hazard.BASELINE`.
- 17.56 % of the SBA's loans were charged off, at a loss of 0.62 of what was paid out: `BASELINE`
  for 15-20 % lifetime defaults, `fate.loss_given_default` for a loss of 0.5-0.6 of the exposure.
- Patents mean less bankruptcy and more merger (Kato et al. 2022): `hazard._late`, `_acquired`.
- Patent value lowers the probability of default, the count of patents only with adequate equity
  (Pederzoli et al. 2013): `hazard._late`.
- The loan spread is U-shaped in innovation in one study: `hazard._innovation`.
- A first patent grant brings +55 % employment and +80 % sales in five years (Farre-Mensa et al., JF
  2020), and funding rounds come as in Crunchbase: `business`.
- Patents rise with R&D as in listed firms (Aghion, Van Reenen & Zingales 2013), and the titles of
  high-tech enterprise and specialised SME follow the official thresholds: `innovation`.
- A default is one at 90 days past due (IFRS 9's backstop), so it is known late: `fate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from features.book import month_of
from features.world import facts, fate, project, veil
from features.world.calendar import dates
from features.world.dice import Dice, Ints
from features.world.fate import Fate
from features.world.oracle import Oracle
from features.world.traits import Origins, Traits

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
        """Return what became of every loan to its very end, whether or not anybody knows yet.

        Columns: project, originated_on, event, age_months, event_on, event_known_on,
        exposure_at_default_cny, loss_cny and loss_known_on (null unless the loan defaulted).
        """
        end = self.month + self.fate.age_months
        defaulted = self.fate.kind == fate.DEFAULT
        amount = self.columns["loan_amount_cny"].to_numpy()
        exposure = np.round(np.where(defaulted, amount * self.fate.exposure, np.nan))
        loss_known = dates(end + fate.WORKOUT_MONTHS, self.day)
        return pl.DataFrame(
            {
                "project": self.projects,
                "originated_on": dates(self.month, self.day),
                "event": self.fate.kind,
                "age_months": self.fate.age_months,
                "event_on": dates(end, self.day),
                "event_known_on": dates(end + self.fate.notice_months, self.day),
                "exposure_at_default_cny": pl.Series(exposure, nan_to_null=True),
                "loss_cny": pl.Series(np.round(exposure * self.fate.loss), nan_to_null=True),
                "loss_known_on": loss_known.zip_with(defaulted, loss_known.clear(len(end))),
            }
        )

    def table(self) -> pl.DataFrame:
        """Return the flat file that a bank would have on the snapshot: later events are unknown."""
        known = pl.col("event_known_on") <= self.snapshot
        truth = self.truth().with_columns(agreed_end=self._agreed_end())
        outcome = truth.select(
            *(
                pl.when(known).then(name).alias(name)
                for name in ("event", "event_on", "event_known_on", "exposure_at_default_cny")
            ),
            pl.when(pl.col("loss_known_on") <= self.snapshot).then("loss_cny").alias("loss_cny"),
            pl.when(known & pl.col("event").is_in([fate.DEFAULT, *fate.EXITS]))
            .then(pl.lit(self.snapshot))
            .otherwise(pl.min_horizontal(pl.lit(self.snapshot), "agreed_end"))
            .alias("followed_until"),
        )
        start = truth.select("project", "originated_on")
        return pl.concat([start, self.columns, outcome], how="horizontal")

    def facts(self, limit: int | None = None) -> pl.DataFrame:
        """Return what every source said by the snapshot, dated, for the first `limit` projects.

        Columns: project, source, name, value (as text), true_on, known_on.
        """
        dice = Dice(self.seed, len(self.month))
        told = facts.told(dice, self.true_columns, self.columns, self.truth(), limit)
        return told.filter(pl.col("known_on") <= self.snapshot)

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

    The same seed gives the same world on every run, as far as numpy promises the same numbers.

    Args:
        projects: number of projects, each with one loan.
        seed: any whole number >= 0.
        snapshot: the day on which the lender looks; nothing later is in `World.table`.
        progress: called with the share of the work done, from 0 to 1.
    """
    dice = Dice(seed, projects)
    traits = Traits.draw(dice)
    first = month_of(snapshot) - ORIGINATION_MONTHS
    origins = Origins.draw(dice, traits, first_month=first, months=ORIGINATION_MONTHS)
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


def write(
    path: Path, projects: int, seed: int, progress: Callable[[float], None] | None = None
) -> None:
    """Write the flat file of a simulated world as Parquet."""
    simulate(projects, seed=seed, progress=progress).table().write_parquet(path)
