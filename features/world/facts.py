"""Dated facts: what each source says of a project, when that was true and when it became known.

Every fact has two times. A lender who decides on a day may use what was *known* by that day, and of
that the fact that was *true* latest; so the flat table is what the facts known on the day of
origination say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.world.dice import Dice, Floats, Ints
from features.world.source import LATE_DAYS, TOLD_BY

SERVICING = "servicing"  # the lender's own record of what became of the loan
NAMES = tuple(name for names in TOLD_BY.values() for name in names)
OUTCOMES = ("event", "loss_cny")
SCHEMA = {
    "project": pl.String(),
    "source": pl.Enum([*TOLD_BY, SERVICING]),
    "name": pl.Enum([*NAMES, *OUTCOMES]),
    "value": pl.String(),
    "true_on": pl.Date(),
    "known_on": pl.Date(),
}
# How often a source says more than one thing of a column; all our choice.
EARLIER, DRAFT, LATER, CORRECTION = 0.4, 0.1, 0.5, 0.05


@dataclass(frozen=True)
class Telling:
    """One time at which a source speaks: of whom, and on which days counted from origination."""

    who: NDArray[np.bool_]  # (projects,)
    true_day: Ints  # (projects,)
    known_day: Ints  # (projects,)


@dataclass(frozen=True)
class Story:
    """All that one source says of all projects; the same column may be told more than once.

    Attributes:
        today: what the lender knows on the day of origination, true before it.
        earlier: an older state, told before: superseded, as it was true before `today`.
        draft: the same state as `today`, told first and wrong: superseded, as it was known before.
        later: a newer state, true and told after origination.
        correction: the state of `today`, corrected after origination.
        disclosed: what was withheld at origination, told after it.
    """

    today: Telling
    earlier: Telling
    draft: Telling
    later: Telling
    correction: Telling
    disclosed: Telling

    @classmethod
    def draw(cls, dice: Dice, source: str) -> Story:
        """Draw when a source tells what: what it tells together, it tells on one day."""
        late = LATE_DAYS[source]

        def days(name: str, low: int, spread: Ints | int) -> Ints:
            return low + (dice.uniform(f"{source} {name}") * spread).astype(np.int64)

        def happens(name: str, chance: float) -> NDArray[np.bool_]:
            return dice.happens(f"{source} {name}?", chance if late else 0.0)

        everyone = np.ones(dice.projects, dtype=np.bool_)
        age = days("age", 1, late + 30) if late else np.zeros(dice.projects, dtype=np.int64)
        delay = days("delay", 0, np.minimum(age, late) + 1)
        before, after = -age - days("before", 180, 360), days("after", 30, 330)
        return cls(
            today=Telling(everyone, -age, -age + delay),
            earlier=Telling(happens("earlier", EARLIER), before, before + days("old", 0, late + 1)),
            draft=Telling(
                happens("draft", DRAFT) & (delay > 0), -age, days("wrong", 0, delay) - age
            ),
            later=Telling(happens("later", LATER), after, after + days("new", 0, late + 1)),
            correction=Telling(happens("correction", CORRECTION), -age, days("mended", 1, 300)),
            disclosed=Telling(everyone, -age, days("disclosed", 1, 700)),
        )


def told(
    dice: Dice, true: pl.DataFrame, seen: pl.DataFrame, truth: pl.DataFrame, limit: int | None
) -> pl.DataFrame:
    """Return the facts of the first `limit` projects (None for all), a row each, as in SCHEMA.

    Args:
        dice: of the world.
        true: every column, nothing hidden.
        seen: the same columns as the lender sees them, null where hidden.
        truth: project, originated_on, and what became of the loan.
        limit: how many projects.
    """
    head = truth if limit is None else truth.head(limit)
    parts = [*_projects(dice, true, seen, head), *_outcomes(head)]
    return pl.concat(parts).sort("project", "source", "name", "true_on", "known_on")


def as_known(facts: pl.DataFrame, on: pl.DataFrame) -> pl.DataFrame:
    """Return the value of each name as known on a day: latest truth first, latest news of it next.

    Args:
        facts: as `told` returns them.
        on: project, and day: the day on which each project is looked at.

    Returns:
        project, name, value: one row for each name of which something was known.
    """
    known = facts.join(on, on="project").filter(pl.col("known_on") <= pl.col("day"))
    newest = known.sort("true_on", "known_on").group_by("project", "name", maintain_order=True)
    return newest.last().select("project", "name", "value").sort("project", "name")


def _projects(
    dice: Dice, true: pl.DataFrame, seen: pl.DataFrame, head: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    for source, names in TOLD_BY.items():
        story = Story.draw(dice, source)
        for name in names:
            shown, other = seen[name], _other(dice, true[name])
            hidden = shown.is_null()
            withheld = true[name].zip_with(hidden, _none(shown))
            yield _rows(head, source, name, shown, story.today)
            yield _rows(head, source, name, withheld, story.disclosed)
            for telling in (story.earlier, story.draft, story.later, story.correction):
                yield _rows(head, source, name, other.zip_with(~hidden, _none(shown)), telling)


def _none(values: pl.Series) -> pl.Series:
    return values.clear(len(values))


def _other(dice: Dice, values: pl.Series) -> pl.Series:
    """Return other values in the same range: between a project's own and its neighbour's."""
    neighbour = values.shift(1).zip_with(values.shift(1).is_not_null(), values)
    if not values.dtype.is_numeric():
        return neighbour
    step = pl.Series(dice.uniform(f"other {values.name}"))
    mixed = values + (neighbour - values) * step
    return mixed.round(0) if (values.drop_nulls() % 1 == 0).all() else mixed.round(4)


def _rows(
    head: pl.DataFrame, source: str, name: str, values: pl.Series, telling: Telling
) -> pl.DataFrame:
    """Return the facts that a telling makes of a column, where there is a value."""
    limit = head.height
    days = {"true": telling.true_day[:limit], "known": telling.known_day[:limit]}
    return (
        head.select(
            "project",
            pl.lit(source, SCHEMA["source"]).alias("source"),
            pl.lit(name, SCHEMA["name"]).alias("name"),
            values.head(limit).cast(pl.String).alias("value"),
            *(_shifted(days[which]).alias(f"{which}_on") for which in days),
        )
        .filter(pl.Series(telling.who[:limit]))
        .drop_nulls("value")
    )


def _shifted(days: Ints | Floats) -> pl.Expr:
    return pl.col("originated_on") + pl.lit(pl.Series(days)) * pl.duration(days=1)


def _outcomes(head: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the lender's own facts: how each loan ended, and what was lost in the end."""
    servicing = pl.lit(SERVICING, SCHEMA["source"]).alias("source")
    for name, column, known_on in (
        ("event", "event", "event_known_on"),
        ("loss_cny", "loss_cny", "loss_known_on"),
    ):
        yield head.select(
            "project",
            servicing,
            pl.lit(name, SCHEMA["name"]).alias("name"),
            pl.col(column).cast(pl.String).alias("value"),
            pl.col("event_on").alias("true_on"),
            pl.col(known_on).alias("known_on"),
        ).drop_nulls("value")
