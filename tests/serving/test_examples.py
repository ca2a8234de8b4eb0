"""The request bodies in examples/ are requests that their column sets accept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from features.project import faults
from features.sets import load
from serving.contract import Contract

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.json"))


def body(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_a_sound_project_and_a_sound_deal(name: str) -> None:
    column_set = load("sba" if name == "sba" else "early_stage")
    assert faults(column_set, body(name)["project"]) == []
    Contract.of(column_set).read(body(name))


def test_the_example_with_missing_sources_is_the_good_one_without_patent_office_and_tax() -> None:
    good, silent = body("good"), body("missing_sources")
    withheld = {
        column.name
        for column in load("early_stage").columns
        if column.source in ("patent_office", "tax")
    }
    kept = {name: value for name, value in good["project"].items() if name not in withheld}
    assert silent["project"] == kept
    assert silent["instrument"] == good["instrument"]
    assert withheld <= set(good["project"])
