"""From what, when and how the version was made."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from training.card import flat
from training.validation.evidence import Evidence
from training.validation.section import Light, Section, Table

LIBRARIES = ("lightgbm", "numpy", "polars", "scipy", "torch", "numba", "shap", "mlflow")


def section(evidence: Evidence) -> Section:
    """Return the origin of the version, as its card says it."""
    card, column_set = evidence.model.card, evidence.column_set
    data, window, counts = card["data"], card["split"], card["counts"]
    versions = {"python": platform.python_version()} | {
        name: metadata.version(name) for name in LIBRARIES
    }
    clean = card["commit"] != "unknown" and not str(card["commit"]).endswith("-changed")
    kind = "simulated projects" if data["simulated"] else "loans"
    verdict = (
        f"Learnt from {counts['train']['projects']:,} {kind} of {window['train_from']} on, judged "
        f"on {counts['test']['projects']:,} of {window['test_from']} to {window['test_to']}, "
        f"labels {window['labels']}."
    )
    if not clean:
        verdict += " The code's commit is not one that can be fetched again."
    parameters = list(flat(card["parameters"]).items())
    facts = {
        "file": data["file"],
        "SHA-256 of the file": data["digest"],
        "simulated": "yes" if data["simulated"] else "no",
        "rows of the file that count": f"{len(evidence.book):,}",
        "column set": f"{column_set.name} {column_set.version}, {len(column_set.columns)} columns",
        "currency": column_set.currency,
        "commit of the code": card["commit"],
        "family": card["family"],
        "sizes": _sizes(card["parameters"]),
    }
    return Section(
        name="lineage",
        title="Data and lineage",
        light=Light.GREEN if clean else Light.AMBER,
        verdict=verdict,
        figures={
            "data": data,
            "rows": len(evidence.book),
            "split": window,
            "counts": counts,
            "column_set": card["column_set"],
            "columns": list(column_set.names),
            "commit": card["commit"],
            "libraries": versions,
            "parameters": card["parameters"],
        },
        tables=[
            Table("Origin", ("", "what"), list(facts.items()), wordy=True),
            _counts(counts),
            Table("Libraries", ("name", "version"), list(versions.items()), wordy=True),
            Table("Parameters of the fit", ("name", "value"), parameters, wordy=True),
        ],
    )


def _sizes(parameters: Mapping[str, Any]) -> str:
    """Say who chose the sizes of the model."""
    tuned = parameters["tuned"]
    if tuned is None:
        return "as shipped, or by hand"
    return (
        f"tuned on {len(tuned['folds'])} rolling-origin folds inside the training window, "
        f"{tuned['folds'][0]} ... {tuned['folds'][-1]}, none of it from {tuned['until']} on: "
        f"search {tuned['study']}, {tuned['trials']} trials and {tuned['pruned']} given up, on the "
        f"file of SHA-256 {tuned['data'][:12]}, labels {tuned['labels']}"
    )


def _counts(counts: Mapping[str, Mapping[str, float]]) -> Table:
    rows = [
        (side, *(f"{one[key]:,.0f}" for key in ("projects", "weight", "defaults", "exits")))
        for side, one in counts.items()
    ]
    return Table("Projects", ("window", "projects", "weight", "defaults", "exits"), rows)
