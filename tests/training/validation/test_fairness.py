from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pricing import policy
from training.validation import fairness
from training.validation.evidence import Evidence
from training.validation.fairness import difference, within_cap
from training.validation.section import Light


def test_every_level_of_a_protected_column_is_compared(evidence: Evidence) -> None:
    found = fairness.section(evidence)
    levels = {level["name"]: level for level in found.figures["sector"]}
    assert set(levels) == {"a", "b", "c", "d"}
    # sector c is made riskier by 0.3 on the log-hazard
    assert max(levels, key=lambda name: levels[name]["spread_bps"]) == "c"
    assert levels["c"]["column_bps"] > max(levels[name]["column_bps"] for name in "abd")


def test_a_set_without_a_mark_says_so(evidence: Evidence) -> None:
    columns = tuple(replace(column, protected=False) for column in evidence.column_set.columns)
    plain = replace(evidence.column_set, columns=columns)
    found = fairness.section(replace(evidence, model=replace(evidence.model, column_set=plain)))
    assert found.light is Light.GREY
    assert "protected = true" in found.verdict


def test_a_level_approved_less_than_four_fifths_as_often_is_red(evidence: Evidence) -> None:
    (column,) = (c for c in evidence.column_set.columns if c.protected)
    (level, *_) = fairness.compared(evidence, column)
    assert replace(level, against_best=0.79).light is Light.RED
    assert replace(level, against_best=0.81).light is not Light.RED
    assert replace(level, against_best=1.0, strays=True).light is Light.AMBER


def test_shares_are_of_those_whom_the_cap_lets_pass(evidence: Evidence) -> None:
    cap = float(np.quantile(evidence.spreads_bps, 0.5))
    strict = replace(evidence, policy=replace(evidence.policy, spread_cap_bps=cap))
    (column,) = (c for c in evidence.column_set.columns if c.protected)
    found = {level.name: level for level in fairness.compared(strict, column)}
    assert max(level.against_best for level in found.values()) == 1
    share = sum(level.approved * level.priced for level in found.values())
    assert share / len(evidence.chosen) == pytest.approx(0.5, abs=0.01)


def test_without_a_cap_everybody_is_approved() -> None:
    open_ended = replace(policy.load(currency="EUR"), spread_cap_bps=None)
    assert within_cap(np.array([10.0, 1e6]), open_ended).all()
    capped = replace(open_ended, spread_cap_bps=100.0)
    assert within_cap(np.array([10.0, 100.0, 1e6]), capped).tolist() == [True, False, False]


def test_a_difference_of_means_has_welchs_interval() -> None:
    # means 2 and 5, variances 1 and 4 of 3 each: standard error sqrt(1/3 + 4/3) = 1.290994
    found = difference(np.array([1.0, 2.0, 3.0]), np.array([3.0, 5.0, 7.0]))
    assert found.value == -3
    assert found.high - found.value == pytest.approx(1.6448536 * 1.290994, abs=1e-5)
