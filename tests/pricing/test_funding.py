from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.funding import LAST_MONTH, FundingCurve
from pricing.schedule import LONGEST_TERM


def test_a_flat_curve_discounts_exponentially() -> None:
    discount = FundingCurve(((12, 0.03),)).discount
    assert discount[0] == 1
    # exp(-0.09), by any table of the exponential
    assert discount[2 * 36] == pytest.approx(0.913931, rel=0, abs=5e-7)
    assert discount[2 * 36 + 1] == pytest.approx(math.exp(-0.03 * 36.5 / 12), rel=1e-15)


def test_zero_rates_are_linear_between_points_and_flat_outside() -> None:
    curve = FundingCurve(((12, 0.02), (36, 0.03)))
    rates = curve.zero_rate(np.array([1.0, 12.0, 18.0, 36.0, 100.0]))
    np.testing.assert_allclose(rates, [0.02, 0.02, 0.0225, 0.03, 0.03], rtol=1e-15)


@given(st.lists(st.floats(0.0, 0.1), min_size=1, max_size=8))
def test_the_curve_passes_through_its_points(rates: list[float]) -> None:
    points = tuple((12 * (i + 1), rate) for i, rate in enumerate(rates))
    discount = FundingCurve(points).discount
    for months, rate in points:
        assert discount[2 * months] == pytest.approx(math.exp(-rate * months / 12), rel=1e-14)


def test_the_curve_reaches_the_longest_term() -> None:
    assert LAST_MONTH >= LONGEST_TERM


def test_discount_factors_cannot_be_changed_by_accident() -> None:
    discount = FundingCurve(((12, 0.03),)).discount
    with pytest.raises(ValueError, match="read-only"):
        discount[0] = 2.0
