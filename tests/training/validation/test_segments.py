from __future__ import annotations

import numpy as np
import pytest

from training.metrics import Forecast
from training.validation.evidence import Evidence
from training.validation.segments import levels, section, segment


def test_a_segment_has_wilsons_interval_over_its_forecast() -> None:
    # Wilson's 90 % interval of 50 in 100 is [0.4188, 0.5812]; over a forecast of 0.4
    fell = (np.arange(100) < 50).astype(np.float64)
    found = segment("c", "a", Forecast.of(np.full(100, 0.4), fell, np.ones(100)))
    assert found.ratio.value == pytest.approx(1.25)
    assert (found.ratio.low, found.ratio.high) == pytest.approx(
        (0.4188 / 0.4, 0.5812 / 0.4), abs=1e-3
    )
    assert found.strays(0.9)
    assert not found.strays(1.2)
    assert found.auc.value == 0.5


def test_every_project_has_one_level_of_a_column(evidence: Evidence) -> None:
    for column in evidence.column_set.columns:
        inside = np.array([who for _, who in levels(evidence.test, column)])
        assert (inside.sum(axis=0) == 1).all(), column.name


def test_a_number_is_cut_into_thirds_and_missing_ones(evidence: Evidence) -> None:
    (patents,) = (c for c in evidence.column_set.columns if c.name == "patents")
    names = {name for name, _ in levels(evidence.test, patents)}
    assert names == {"third 1", "third 2", "third 3", "(missing)"}


def test_the_levels_of_the_category_are_the_segments(evidence: Evidence) -> None:
    found = section(evidence).figures["segments"]
    assert {one["column"] for one in found} <= {"sector"}
    assert all(one["defaults"] >= 30 for one in found)
