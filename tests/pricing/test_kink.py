from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.kink import crossings
from tests.pricing.cases import Floats


@given(st.floats(0.001, 0.999), st.floats(0.1, 50.0))
def test_a_crossing_is_found_to_the_last_digits(at: float, steepness: float) -> None:
    found = crossings(lambda s: np.expm1(steepness * (s - at))[:, None])
    assert found == pytest.approx([at], rel=0, abs=1e-14)


def test_crossings_of_several_gauges_come_in_order() -> None:
    def gauges(at: Floats) -> Floats:
        return np.stack([np.sin(3 * math.pi * at + 0.3), 0.5 - at], axis=1)

    expected = [(1 - 0.3 / math.pi) / 3, 0.5, (2 - 0.3 / math.pi) / 3, (3 - 0.3 / math.pi) / 3]
    assert crossings(gauges) == pytest.approx(expected, rel=0, abs=1e-14)


def test_a_gauge_of_one_sign_has_no_crossing() -> None:
    assert crossings(lambda s: (s + 1)[:, None]) == []
    assert crossings(lambda s: np.zeros((len(s), 2))) == []
