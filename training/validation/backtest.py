"""Grades against what happened: is a grade's PD too low for its defaults?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc
from scipy.stats import binom

from models.grades import GRADES, MONTHS, band, grade_of
from training.metrics import effective
from training.periods import Floats
from training.validation.evidence import Evidence
from training.validation.section import Light, Section, Table, number, percent, worst

AMBER, RED = 0.05, 0.01  # p-values below which a grade's PD looks too low


@dataclass(frozen=True)
class Graded:
    """A grade in the test window; numbers are effective ones where projects have weights.

    Attributes:
        grade: 1 to 9.
        projects: n.
        defaults: d, within the horizon.
        pd: mean foretold, a probability.
        rate: observed, likewise.
        jeffreys: p-value; small: the PD is too low.
        binomial: likewise.
    """

    grade: int
    projects: float
    defaults: float
    pd: float
    rate: float
    jeffreys: float
    binomial: float

    @property
    def light(self) -> Light:
        """Return the light of Jeffreys' p-value."""
        if self.jeffreys < RED:
            return Light.RED
        return Light.AMBER if self.jeffreys < AMBER else Light.GREEN


def jeffreys(*, projects: float, defaults: float, pd: float) -> float:
    """Return the p-value of Jeffreys' test that a grade's PD is not too low.

        p = BetaCDF(PD; d + 1/2, n - d + 1/2)

    the posterior chance that the true rate is below the PD. Small p-values reject.

    Args:
        projects: n; effective, need not be whole.
        defaults: d, from 0 to n.
        pd: foretold, a probability.

    Source: European Central Bank, Instructions for reporting the validation results of internal
    models (2019), section 2.5.3.

    >>> round(jeffreys(projects=1000, defaults=20, pd=0.01), 6)
    0.002231
    """
    return float(betainc(defaults + 0.5, projects - defaults + 0.5, pd))


def binomial(*, projects: float, defaults: float, pd: float) -> float:
    """Return P(X >= d), X ~ Binomial(n, PD): the p-value that a PD is not too low.

    Args:
        projects: n; rounded, as the test counts.
        defaults: d; likewise.
        pd: foretold, a probability.

    >>> round(binomial(projects=1000, defaults=20, pd=0.01), 6)
    0.003288
    """
    return float(binom.sf(round(defaults) - 1, round(projects), pd))


def graded(grade: NDArray[np.int64], pd: Floats, fell: Floats, weight: Floats) -> list[Graded]:
    """Return every grade that has a project.

    Args:
        grade: (n,).
        pd: (n,) foretold by the horizon.
        fell: (n,) 1.0 for a default by then.
        weight: (n,), which make n effective projects: (sum w)^2 / sum w^2 (Kish 1965).
    """
    found = []
    for one in GRADES:
        at = (grade == one) & (weight > 0)
        if at.any():
            w = weight[at]
            n = effective(w)
            mean, rate = (float(np.average(of[at], weights=w)) for of in (pd, fell))
            known = {"projects": n, "defaults": n * rate, "pd": mean}
            found.append(Graded(one, n, n * rate, mean, rate, jeffreys(**known), binomial(**known)))
    return found


def section(evidence: Evidence) -> Section:
    """Return the tests by grade at 12 months and at the main horizon."""
    foretold = evidence.foretold
    last = foretold.pd.shape[1] - 1
    grade = grade_of(foretold.pd[:, min(MONTHS, last)])
    by_horizon = {}
    for months in sorted({MONTHS, evidence.main_months} & set(evidence.horizons)):
        projects = foretold.followed(months)
        forecast = foretold.forecast(months, projects)
        sorted_as = grade[projects][forecast.order]
        by_horizon[months] = graded(sorted_as, forecast.p, forecast.y, forecast.w)
    lights = [one.light for grades in by_horizon.values() for one in grades]
    low = sum(light is Light.RED for light in lights)
    said = f"PDs too low for their defaults: {low} of {len(lights)} tests of a grade say so."
    return Section(
        name="grades",
        title="Grades",
        light=worst(lights),
        verdict=said if lights else "No project has been followed long enough to say.",
        figures={str(months): _plain(found) for months, found in by_horizon.items()},
        tables=[_table(months, found) for months, found in by_horizon.items()],
        notes=[
            f"A grade is a band of the PD within {MONTHS} months; every bound is twice the one "
            "before. Tests are one-sided: a small p-value says that more defaulted than the PD "
            f"allows; amber below {AMBER:.0%}, red below {RED:.0%} of Jeffreys' test. Both tests "
            "take defaults to be independent. In a bad year they are not, and red grades then "
            "speak of the year: read them beside the vintages.",
        ],
    )


def _plain(found: list[Graded]) -> list[dict[str, Any]]:
    return [asdict(one) | {"light": one.light.value} for one in found]


def _table(months: int, found: list[Graded]) -> Table:
    rows = [
        (
            f"{one.grade}: {band(one.grade)}",
            f"{one.projects:,.0f}",
            f"{one.defaults:,.0f}",
            percent(one.pd, 2),
            percent(one.rate, 2),
            number(one.jeffreys, 4),
            number(one.binomial, 4),
            one.light.value,
        )
        for one in found
    ]
    head = ("grade: PD in 12 months", "projects", "defaults", "foretold", "observed")
    return Table(f"Default by month {months}", (*head, "Jeffreys", "binomial", ""), rows)
