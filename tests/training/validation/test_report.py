from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from serving.console.phrases import phrase
from training.validation import discrimination, innovation, limits, refits, report, sensitivity
from training.validation.evidence import Evidence
from training.validation.refits import halves, refit, without_innovation
from training.validation.report import Report
from training.validation.section import Light
from training.validation.steadiness import apart

ASKED = (
    "lineage leakage discrimination calibration grades intervals stability segments fairness "
    "sensitivity steadiness innovation limits"
).split()


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def found(evidence: Evidence, told: list[str]) -> Report:
    return report.validate(evidence, told.append)


class Outward(HTMLParser):
    """Gathers scripts, and every address that is neither data nor a place on the page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [tag] if tag in ("script", "link", "iframe") else []
        for name, value in attrs:
            inward = str(value).startswith(("#", "data:image/"))
            self.found += [str(value)] if name in ("src", "href") and not inward else []


def outward(page: str) -> list[str]:
    reader = Outward()
    reader.feed(page)
    return reader.found + re.findall(r"https?://|@import|url\(", page)


def test_every_section_is_there_and_opens_with_a_verdict(found: Report) -> None:
    assert [one.name for one in found.sections] == ASKED
    for one in found.sections:
        assert one.verdict.endswith("."), one.verdict


def test_every_verdict_is_known_in_chinese(found: Report) -> None:
    for one in found.sections:
        assert phrase(one.verdict, "zh").endswith("。"), one.verdict


def test_the_json_holds_every_verdict_and_no_figure_that_json_does_not_know(
    found: Report,
) -> None:
    document = json.loads(found.text(), parse_constant=lambda name: pytest.fail(name))
    assert list(document) == ASKED
    assert document["discrimination"]["by_horizon"]["36"]["model"]["auc"]["value"] > 0.6
    assert document["sensitivity"]["violations"] == {"debt": 0, "cash": 0}


def test_the_page_needs_nothing_from_outside(found: Report) -> None:
    page = found.page("seedrate  ·  small 1")
    assert outward(page) == []
    assert all(f'id="{name}"' in page for name in ASKED)
    assert page.count("data:image/svg+xml;base64,") == 2
    assert outward('<script src="https://x.example/a.js"></script>') != []


def test_a_name_cannot_write_into_the_page(found: Report) -> None:
    assert "<script>" not in found.page("<script>alert(1)</script>")


def test_each_long_step_is_told(found: Report, told: list[str]) -> None:
    assert found.sections
    assert len(told) == report.STEPS


def test_ranking_is_green_only_above_both_benchmarks(evidence: Evidence) -> None:
    section = discrimination.section(evidence)
    gains = section.figures["gains"]
    assert set(gains) == {"linear", "scorecard"}
    sure = all(gain["auc_36m"].low > 0 for gain in gains.values())
    assert (section.light is Light.GREEN) == sure


def test_halves_share_no_training_project(evidence: Evidence) -> None:
    first, second = halves(evidence.book, evidence.fitted.split)
    early = evidence.book.originated < evidence.fitted.split.test_from
    assert not (first & second & early).any()
    assert (first & early).sum() == pytest.approx((second & early).sum(), abs=1)


def test_a_set_without_innovation_keeps_the_order_of_the_others(evidence: Evidence) -> None:
    less = without_innovation(evidence.column_set)
    assert less is not None
    assert less.names == ("debt", "cash", "size", "sector", "must")
    assert without_innovation(less) is None


def test_a_column_of_noise_adds_nothing_for_sure(evidence: Evidence) -> None:
    # in the small world patents say nothing of the outcome
    section = innovation.section(evidence, refit(evidence, lambda step: None))
    gain = section.figures["gain"]
    assert section.light is Light.AMBER
    assert gain["gini"].low < 0.02
    assert section.figures["columns"] == ["patents"]
    assert section.figures["spread_change_bps"].value > 0


def test_explanations_that_agree_are_no_distance_apart() -> None:
    parts = np.random.default_rng(0).normal(0, 20, size=(50, 8))
    same = apart(parts, parts)
    assert same["mean_bps"] == 0
    assert same["signs"] == same["top"] == 1
    assert same["ranks"] == pytest.approx(1)
    assert apart(parts, -parts)["signs"] == 0
    assert apart(parts, 0 * parts)["relative"] == pytest.approx(2)


def test_a_step_against_a_direction_is_red(evidence: Evidence) -> None:
    assert sensitivity.section(evidence).light is Light.GREEN
    broken = sensitivity.section(replace(evidence, violations={"debt": 3}))
    assert broken.light is Light.RED
    assert "3 steps went against it" in broken.verdict


def test_debt_raises_the_spread_and_cash_lowers_it(evidence: Evidence) -> None:
    answers = sensitivity.section(evidence).figures["answers"]
    swings = {one["name"]: one["swing_bps"] for one in answers}
    assert swings["debt"] > 0 > swings["cash"]


def test_horizons_that_nobody_reached_are_named_as_a_limit(evidence: Evidence) -> None:
    said = list(limits.limits(evidence))
    assert any("by month 60" in one for one in said)
    assert not any("do not exist" in one for one in said)


def test_refits_that_cannot_learn_are_said_to_be_missing(evidence: Evidence) -> None:
    assert innovation.section(evidence, None).light is Light.GREY
    assert refits.MOST >= 10_000
