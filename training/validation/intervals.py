"""Whether groups default within their interval: earlier origins, foretold with what was known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.validation.evidence import Evidence
from training.validation.section import Light, Section, Table, number, percent

HOLDS, NEAR = (0.87, 0.95), (0.80, 0.98)  # coverage of a nominal 90 %


def section(evidence: Evidence) -> Section:
    """Return the coverage over all origins, and origin by origin."""
    told = evidence.model.card["interval"]
    months, title = told["horizon_months"], "Intervals"
    if told["tau"] is None:
        said = (
            "Too few cohorts are known to say how far groups stray: intervals hold the bag alone."
        )
        return Section("intervals", title, Light.GREY, said, told)
    return Section(
        name="intervals",
        title=title,
        light=light(told["coverage"]),
        verdict=f"The interval of {told['level']:.0%} held {told['coverage']:.1%} of "
        f"{told['cohorts']} groups out of time; chance alone would have held "
        f"{told['coverage_by_chance']:.1%}.",
        figures=told,
        tables=[_whole(told), _origins(told)],
        notes=[
            f"A group is a tenth of the score in a quarter of originations, judged on defaults by "
            f"month {months}; a segment is a level of a category in a quarter. An origin is a day "
            "on which small trees learnt what was known, and foretold the year that followed; the "
            "last is the version on its test window. Each origin is tried with the τ of the other "
            f"origins. Green: from {HOLDS[0]:.0%} to {HOLDS[1]:.0%} of the groups inside; red: "
            f"below {NEAR[0]:.0%} or above {NEAR[1]:.0%}. The level is one of groups: a single "
            "project's own probability cannot be observed and may lie outside more often.",
        ],
    )


def light(coverage: float) -> Light:
    """Return the light of a coverage.

    >>> light(0.9), light(0.85), light(0.7)
    (<Light.GREEN: 'green'>, <Light.AMBER: 'amber'>, <Light.RED: 'red'>)
    """
    if HOLDS[0] <= coverage <= HOLDS[1]:
        return Light.GREEN
    return Light.AMBER if NEAR[0] <= coverage <= NEAR[1] else Light.RED


def _whole(told: Mapping[str, Any]) -> Table:
    segments = told["coverage_of_segments"]
    rows = [
        ("τ, on the logit of PD", number(told["tau"])),
        ("of it, what moves whole quarters (the economy)", number(told["tau_quarter"])),
        ("of it, what moves single groups", number(told["tau_group"])),
        ("groups inside", percent(told["coverage"])),
        ("segments inside", "–" if segments is None else percent(segments)),
        ("groups inside, had there been chance alone", percent(told["coverage_by_chance"])),
    ]
    return Table("How far groups stray", ("figure", "value"), rows)


def _origins(told: Mapping[str, Any]) -> Table:
    rows = [
        (
            one["first"],
            f"{one['cohorts']}",
            number(one["observed_over_expected"], 2),
            percent(one["coverage"]),
        )
        for one in told["origins"]
    ]
    head = ("originated from", "groups", "observed / expected", "inside")
    return Table("Origin by origin", head, rows)
