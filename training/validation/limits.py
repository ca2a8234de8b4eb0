"""What the version must not be used for, what was not measured, and which duty each section serves.

Sources: SR 26-2 / OCC Bulletin 2026-13, Model Risk Management: Revised Guidance (17 April 2026),
whose parts are model development and use, validation and monitoring, governance and controls, and
vendor products; Regulation (EU) 2024/1689 (AI Act), Annex IV, by number. Creditworthiness of
natural persons is high-risk under its Annex III, 5(b); loans to firms as such are not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from training.evaluate import HORIZONS_MONTHS
from training.validation.evidence import Evidence
from training.validation.section import Light, Section, Table

DEVELOPMENT, VALIDATION = "model development and use", "model validation: outcomes analysis"
SOUNDNESS, MONITORING = "model validation: conceptual soundness", "ongoing monitoring"
DUTIES = (
    ("Data and lineage", DEVELOPMENT, "2(a), 2(d): methods, training data, provenance"),
    ("Leakage", f"{DEVELOPMENT} (data)", "2(d): data quality, selection, cleaning"),
    ("Discrimination", VALIDATION, "2(g), 4: metrics of accuracy and why they suit"),
    ("Calibration", VALIDATION, "2(g), 3: accuracy"),
    ("Grades", VALIDATION, "2(g), 3: accuracy"),
    ("Intervals", f"{VALIDATION}, back-testing", "2(g), 3: accuracy, degrees of confidence"),
    ("Stability", MONITORING, "2(g), 3, 9: robustness, post-market monitoring"),
    ("Segments", VALIDATION, "3: accuracy for specific groups"),
    ("Fairness between groups", VALIDATION, "2(g), 3: potentially discriminatory impacts"),
    ("Sensitivity and direction", SOUNDNESS, "2(b), 2(g): design, robustness"),
    ("Steadiness of explanations", SOUNDNESS, "2(e), 3: interpreting the output"),
    ("What innovation columns add", SOUNDNESS, "2(b): design choices and their reasons"),
    ("Limits of use", "governance and controls", "3, 5: limitations, foreseeable risks"),
)

ALWAYS = (
    "Only funded projects are known: those turned away are not in the data, and may be riskier.",
    "A quote for a project whose values lie outside the support below is an extrapolation.",
    "The level of the cycle is that of the months before the split; it must be refitted.",
    "Refits of this pack are small: they compare columns and samples, not versions.",
    "Not measured: reject inference; whom a quoted rate turns away; loss given default out of "
    "time; prices of instruments other than term loans.",
)


def section(evidence: Evidence) -> Section:
    """Return the limits, and the table of duties."""
    said = list(limits(evidence))
    rows = [(str(at), one) for at, one in enumerate(said, 1)]
    return Section(
        name="limits",
        title="Limits of use",
        light=Light.GREY,
        verdict="Simulated projects: the figures say how well a simulation's truth is found, and "
        "nothing about a market."
        if evidence.model.card["data"]["simulated"]
        else f"{len(said)} limits hold; a price outside of the support is an extrapolation.",
        figures={"limits": said, "support": support(evidence)},
        tables=[
            Table("Limits", ("", "what"), rows, wordy=True),
            _supported(evidence),
            Table(
                "Which duty a section serves",
                ("section", "SR 26-2 / OCC 2026-13", "EU AI Act, Annex IV"),
                DUTIES,
                "A section helps to meet a duty; it does not by itself. Annex III 5(b) of the AI "
                "Act speaks of natural persons: whether it binds a lender to firms is the lender's "
                "question. SR 26-2 is principles and binds nobody by itself.",
                wordy=True,
            ),
        ],
    )


def limits(evidence: Evidence) -> Iterator[str]:
    """Yield each limit in a sentence."""
    card, weight = evidence.model.card, evidence.test.weight
    if card["data"]["simulated"]:
        yield "The projects do not exist: no figure here speaks of real borrowers."
    unseen = [h for h in HORIZONS_MONTHS if h not in evidence.horizons]
    if unseen:
        told = ", ".join(map(str, unseen))
        yield f"Not observed: defaults by month {told}. No test project was followed so long."
    if card["split"]["labels"] == "mature":
        yield "Mature labels reach beyond the split, so the level is no forecast."
    if not np.allclose(weight, weight[0]):
        yield "Projects carry weights: tests by grade count effective projects (Kish 1965)."
    if card["interval"]["tau"] is None:
        yield "Too few cohorts to measure how far groups stray: intervals hold the bag alone."
    yield from ALWAYS


def support(evidence: Evidence) -> dict[str, dict[str, float | None]]:
    """Return the 1st and 99th percentile of each number in training, and how much is missing."""
    train = evidence.fitted.split.train.frame
    found: dict[str, dict[str, float | None]] = {}
    for column in evidence.column_set.columns:
        values = train[column.name]
        ends: list[float | None] = [None, None]
        if column.numeric and values.drop_nulls().len():
            ends = [values.quantile(share, "nearest") for share in (0.01, 0.99)]
        found[column.name] = {
            "low": ends[0],
            "high": ends[1],
            "missing": values.null_count() / max(len(values), 1),
        }
    return found


def _supported(evidence: Evidence) -> Table:
    rows = [
        (
            name,
            "–" if one["low"] is None else f"{one['low']:,.4g}",
            "–" if one["high"] is None else f"{one['high']:,.4g}",
            f"{one['missing']:.1%}",
        )
        for name, one in support(evidence).items()
    ]
    head = ("column", "1st percentile", "99th percentile", "missing")
    return Table("Support: values of the training projects", head, rows)
