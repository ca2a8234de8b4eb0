"""Dated facts: what was known on a day is the flat table of that day, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.simulate import World, simulate
from features.world.facts import OUTCOMES, as_known

PROJECTS = 600


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(PROJECTS, seed=3)


@pytest.fixture(scope="module")
def facts(world: World) -> pl.DataFrame:
    return world.facts()


def days(world: World, later_days: int = 0) -> pl.DataFrame:
    table = world.table()
    day = table["originated_on"] + timedelta(days=later_days)
    return pl.DataFrame({"project": table["project"], "day": day})


def flat(world: World, known: pl.DataFrame) -> pl.DataFrame:
    """The known facts as a table of the world's columns, typed as they are there."""
    wide = known.with_columns(pl.col("name").cast(pl.String)).pivot("name", index="project")
    types = world.columns.schema
    return (
        world.table()
        .select("project")
        .join(wide, on="project", how="left")
        .select(
            (pl.col(name) == "true") if kind == pl.Boolean else pl.col(name).cast(kind)
            for name, kind in types.items()
        )
    )


def test_the_flat_table_is_what_the_facts_known_at_origination_say(
    world: World, facts: pl.DataFrame
) -> None:
    assert_frame_equal(flat(world, as_known(facts, days(world))), world.columns, check_exact=True)


def test_a_year_later_the_facts_say_something_else(world: World, facts: pl.DataFrame) -> None:
    later = as_known(facts, days(world, 365)).filter(
        ~pl.col("name").cast(pl.String).is_in(OUTCOMES)
    )
    with pytest.raises(AssertionError):
        assert_frame_equal(flat(world, later), world.columns, check_exact=True)


def test_what_became_known_after_origination_changes_nothing(
    world: World, facts: pl.DataFrame
) -> None:
    on = days(world)
    past = facts.join(on, on="project").filter(pl.col("known_on") <= pl.col("day")).drop("day")
    assert past.height < 0.8 * facts.height
    assert_frame_equal(as_known(past, on), as_known(facts, on))


def test_some_facts_are_superseded_corrected_or_disclosed_late(
    world: World, facts: pl.DataFrame
) -> None:
    cell = ["project", "name"]
    told = facts.join(days(world), on="project").filter(pl.col("source") != "servicing")
    before = told.filter(pl.col("known_on") <= pl.col("day"))
    again = before.group_by(*cell, "true_on").len().filter(pl.col("len") > 1)
    assert again.height > 100  # a draft, put right before origination
    assert (
        before.group_by(cell).agg(pl.col("true_on").n_unique()).filter(pl.col("true_on") > 1).height
    )
    old_news = told.filter(
        (pl.col("known_on") > pl.col("day")) & (pl.col("true_on") <= pl.col("day"))
    )
    assert old_news.join(before, on=cell, how="anti").height > 100  # withheld at origination
    assert old_news.join(before, on=[*cell, "true_on"], how="semi").height > 100  # corrected


def test_nothing_is_known_before_it_is_true_or_after_the_snapshot(
    world: World, facts: pl.DataFrame
) -> None:
    assert (facts["known_on"] >= facts["true_on"]).all()
    assert (facts["known_on"] <= world.snapshot).all()


def test_no_outcome_is_known_at_origination(world: World, facts: pl.DataFrame) -> None:
    outcomes = facts.filter(pl.col("source") == "servicing").join(days(world), on="project")
    assert outcomes.height > PROJECTS / 2
    assert (outcomes["known_on"] > outcomes["day"]).all()
    assert (outcomes["true_on"] > outcomes["day"]).all()


def test_the_facts_of_the_first_projects_are_the_same_alone(
    world: World, facts: pl.DataFrame
) -> None:
    first = facts.filter(pl.col("project") <= "P000050")
    assert_frame_equal(world.facts(limit=50), first)
