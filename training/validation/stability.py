"""Whether the projects of the test window are still those of the training window."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from features.column import Kind
from pricing.survival import DEFAULT, incidence
from training import observed
from training.periods import Floats
from training.scorecard import bin_of, cuts_of
from training.split import name_of
from training.validation.evidence import Evidence
from training.validation.section import Light, Section, Table, counted, number, worst

Counts = NDArray[np.signedinteger]

BINS = 10
LEAST = 1e-4  # share of a bin that nobody is in
AMBER, RED = 0.10, 0.25
SHOWN = 15


def psi(expected: Floats | Counts, actual: Floats | Counts) -> float:
    """Return the population stability index of two distributions over the same bins.

        PSI = sum (a - e) log(a / e)

    Args:
        expected: (bins,) shares or counts, >= 0.
        actual: (bins,) likewise.

    Source: Siddiqi, Credit Risk Scorecards (2006), chapter 9; below 0.10 nothing moved, above 0.25
    the population is another.

    >>> now = np.array([0.06, 0.08, 0.09, 0.10, 0.10, 0.10, 0.11, 0.11, 0.12, 0.13])
    >>> round(psi(np.full(10, 0.1), now), 7)
    0.0393731
    """
    e, a = (np.maximum(one / one.sum(), LEAST) for one in (expected, actual))
    return float(((a - e) * np.log(a / e)).sum())


def moved(before: Floats, weight_before: Floats, after: Floats, weight_after: Floats) -> float:
    """Return the PSI of a number in tenths of what it was before; missing is a bin of its own.

    Args:
        before: (n,) values, NaN is missing.
        weight_before: (n,).
        after: (m,) values.
        weight_after: (m,).
    """
    cuts = cuts_of(before, BINS)
    first, second = (
        np.bincount(bin_of(values, cuts), weight, minlength=len(cuts) + 2)
        for values, weight in ((before, weight_before), (after, weight_after))
    )
    return psi(first, second)


def light(value: float) -> Light:
    """Return the light of a PSI, which has no unit.

    Args:
        value: from `psi`.
    """
    return Light.RED if value > RED else Light.AMBER if value > AMBER else Light.GREEN


def section(evidence: Evidence) -> Section:
    """Return the stability of the score and of every column, by vintage too."""
    score = _score(evidence)
    columns = _columns(evidence)
    by_vintage = _by_vintage(evidence)
    shifted = sum(light(value) is Light.RED for value in columns.values())
    rows = sorted(columns.items(), key=lambda pair: -pair[1])[:SHOWN]
    years = _observed(evidence)
    return Section(
        name="stability",
        title="Stability",
        light=worst([light(score), Light.AMBER if shifted else Light.GREEN]),
        verdict=f"The score's PSI from training to test is {score:.3f}; "
        f"{counted(shifted, 'column')} of {len(columns)} moved by more than {RED}.",
        figures={
            "limits": {"amber": AMBER, "red": RED},
            "score": score,
            "columns": columns,
            "score_by_vintage": by_vintage,
            "vintages": years,
        },
        tables=[
            Table(
                f"Columns that moved most, of {len(columns)}",
                ("column", "PSI", ""),
                [(name, number(value), light(value).value) for name, value in rows],
            ),
            _vintages(by_vintage, years),
        ],
        notes=[
            "The population stability index compares shares in ten bins of the training projects, "
            f"or in levels of a category: above {AMBER} something moved, above {RED} the "
            "population is another. Calendar facts (interest rates, growth) move by nature. "
            "Observed over expected counts the defaults to date against those foretold for the "
            "months at risk.",
        ],
    )


def _score(evidence: Evidence) -> float:
    (before, weight), (after, late) = _pds(evidence)
    return moved(before, weight, after, late)


def _pds(evidence: Evidence) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    edges = evidence.model.edges
    months = min(36, edges[-1])
    before = incidence(evidence.before_margins, edges, months)[:, months]
    return (before, evidence.before.weight), (evidence.foretold.pd[:, months], evidence.test.weight)


def _columns(evidence: Evidence) -> dict[str, float]:
    study, train = evidence.judged, evidence.fitted.split.train
    return {
        column.name: moved(study.seen[:, at], train.weight, study.x[:, at], study.test.weight)
        if column.kind is not Kind.CATEGORY
        else _levels(
            train.frame[column.name].to_list(),
            train.weight,
            study.test.frame[column.name].to_list(),
            study.test.weight,
        )
        for at, column in enumerate(evidence.column_set.columns)
    }


def _levels(
    before: list[object], weight_before: Floats, after: list[object], weight_after: Floats
) -> float:
    """Return the PSI over the levels of a category; those that few have are taken together."""
    codes: Mapping[object, int] = {one: at for at, one in enumerate({*before, *after})}
    counts = []
    for values, weight in ((before, weight_before), (after, weight_after)):
        at: NDArray[np.int64] = np.array([codes[value] for value in values], np.int64)
        counts.append(np.bincount(at, weight, minlength=len(codes)))
    order = np.argsort(-counts[0], kind="stable")
    first, second = (np.append(c[order][:20], c[order][20:].sum()) for c in counts)
    return psi(first, second)


def _by_vintage(evidence: Evidence) -> dict[int, float]:
    """Return the PSI of the score of each half-year of the test window against training."""
    (before, weight), (after, late) = _pds(evidence)
    halves = evidence.test.originated // 6
    found = {}
    for half in np.unique(halves):
        at = halves == half
        if at.sum() >= 100:
            found[int(half) * 6] = moved(before, weight, after[at], late[at])
    return found


def _observed(evidence: Evidence) -> dict[int, dict[str, float]]:
    """Return observed over expected defaults by half-year of origination, in the test window."""
    test, margins = evidence.test, evidence.judged.ours
    halves = test.originated // 6
    found = {}
    for half in np.unique(halves):
        at = np.asarray(halves == half)
        counts = observed.by_age(test.take(at), margins[at][:, DEFAULT], cause="default")
        expected, happened = counts.expected.sum(), counts.observed.sum()
        error = observed.Z_90 * float(np.sqrt((counts.error**2).sum()))
        found[int(half) * 6] = {
            "projects": float(at.sum()),
            "ratio": float(happened / expected),
            "low": float(max(0.0, happened - error) / expected),
            "high": float((happened + error) / expected),
        }
    return found


def _vintages(by_vintage: Mapping[int, float], years: Mapping[int, Mapping[str, float]]) -> Table:
    rows = [
        (
            f"from {name_of(month)}",
            f"{one['projects']:,.0f}",
            number(by_vintage.get(month, float("nan"))),
            f"{one['ratio']:.2f} [{one['low']:.2f}, {one['high']:.2f}]",
        )
        for month, one in years.items()
    ]
    head = (
        "half-year of origination",
        "projects",
        "PSI of the score",
        "observed / expected [90 %]",
    )
    return Table("Vintages of the test window", head, rows)
