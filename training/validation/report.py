"""The pack as a page and as JSON: sections in order, the page complete in itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.validation import (
    backtest,
    calibration,
    discrimination,
    fairness,
    innovation,
    intervals,
    leakage,
    limits,
    lineage,
    refits,
    segments,
    sensitivity,
    stability,
    steadiness,
)
from training.validation.evidence import Evidence
from training.validation.section import Section, finite

JSON, HTML = "validation.json", "validation.html"
TEMPLATE = "report.html.j2"
STEPS = 5  # that are told


@dataclass(frozen=True)
class Report:
    """What was found, section by section."""

    title: str
    sections: Sequence[Section]

    def text(self) -> str:
        """Return every number as JSON."""
        document = {
            one.name: {"title": one.title, "light": one.light.value, "verdict": one.verdict}
            | finite(one.figures)
            for one in self.sections
        }
        return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def page(self, stamp: str) -> str:
        """Return the page: no script, and nothing that is fetched.

        Args:
            stamp: what the page is of, in a line.
        """
        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        template = environment.get_template(TEMPLATE)
        return template.render(title=self.title, stamp=stamp, sections=self.sections)

    def write(self, folder: Path, stamp: str) -> None:
        """Write page and JSON into a folder that exists."""
        (folder / JSON).write_text(self.text(), encoding="utf-8")
        (folder / HTML).write_text(self.page(stamp), encoding="utf-8")


def validate(evidence: Evidence, told: Callable[[str], None]) -> Report:
    """Ask every section.

    Args:
        evidence: of a version that is not yet sealed.
        told: of each long step when it is done, STEPS times.
    """
    first = [
        lineage.section(evidence),
        leakage.section(evidence),
        discrimination.section(evidence),
        calibration.section(evidence),
        backtest.section(evidence),
        intervals.section(evidence),
        stability.section(evidence),
        segments.section(evidence),
        fairness.section(evidence),
        sensitivity.section(evidence),
    ]
    told("figures of the validation pack")
    again = refits.refit(evidence, told)
    last = [
        steadiness.section(evidence, again),
        innovation.section(evidence, again),
        limits.section(evidence),
    ]
    told("validation pack")
    return Report(f"Validation of {evidence.model.name}", [*first, *last])
