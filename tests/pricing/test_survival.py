from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import InputError
from pricing.survival import as_ages, curves, incidence
from tests.pricing.cases import BUCKETS, EDGES, Floats, flat, margins


def test_constant_hazards_compete_in_proportion() -> None:
    """F(t) = h_d/(h_d + h_x) (1 - exp(-(h_d + h_x) t)); Kalbfleisch & Prentice, ch. 8."""
    paths = curves(flat(annual_hazard=0.06, lgd=0.4, annual_exits=0.12), EDGES, 120)
    months = np.arange(121)
    gone = 1 - np.exp(-0.015 * months)
    np.testing.assert_allclose(paths.survival, 1 - gone, rtol=0, atol=1e-14)
    np.testing.assert_allclose(paths.default, gone / 3, rtol=0, atol=1e-14)
    np.testing.assert_allclose(paths.exit, gone * 2 / 3, rtol=0, atol=1e-14)


def test_each_month_uses_the_hazard_of_its_age() -> None:
    hazards = np.array([0.01, 0.02, 0.03])
    three = np.array([np.log(hazards), [-math.inf] * 3, [0.0] * 3])
    paths = curves(three, (0, 2, 3, 6), 5)
    expected = np.exp(-np.cumsum([0.0, 0.01, 0.01, 0.02, 0.03, 0.03]))
    np.testing.assert_allclose(paths.survival, expected, rtol=1e-14)


@given(margins(default=(-12.0, 2.0)), st.integers(0, 120))
def test_everyone_is_alive_defaulted_or_gone(m: Floats, months: int) -> None:
    paths = curves(m, EDGES, months)
    total = paths.survival + paths.default + paths.exit
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-13)
    assert (np.diff(paths.default) >= 0).all()
    assert (np.diff(paths.survival) <= 0).all()


@given(st.lists(margins(), min_size=1, max_size=4))
def test_the_batch_says_what_every_row_says_alone(rows: list[Floats]) -> None:
    together = incidence(np.stack(rows), EDGES, 60)
    for row, line in zip(rows, together, strict=True):
        np.testing.assert_array_equal(line, curves(row, EDGES, 60).default)


def test_without_any_hazard_everyone_stays() -> None:
    never = np.array([[-math.inf] * BUCKETS, [-math.inf] * BUCKETS, [0.0] * BUCKETS])
    paths = curves(never, EDGES, 120)
    assert paths.survival.tolist() == [1.0] * 121
    assert paths.default.tolist() == [0.0] * 121


def test_read_only_and_strided_margins_are_taken_alike() -> None:
    m = flat(annual_hazard=0.06, lgd=0.4)
    locked = m.copy()
    locked.setflags(write=False)
    expected = curves(m, EDGES, 24).default
    for other in (locked, np.asfortranarray(m), np.repeat(m, 2, axis=1)[:, ::2]):
        np.testing.assert_array_equal(curves(other, EDGES, 24).default, expected)


def test_months_beyond_the_last_age_are_refused() -> None:
    with pytest.raises(
        InputError, match="months must be from 0 to the last age, 120, however: 121"
    ):
        curves(flat(annual_hazard=0.06, lgd=0.4), EDGES, 121)


def test_margins_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"margins must be of shape \(rows, 3, 9\)"):
        incidence(np.zeros((2, 3, BUCKETS + 1)), EDGES, 12)
    with pytest.raises(InputError, match="margins"):
        incidence(np.zeros((2, 2, BUCKETS)), EDGES, 12)


@pytest.mark.parametrize("edges", [(1, 6), (0,), (0, 6, 6), (0, 12, 6), ((0, 1), (2, 3))])
def test_ages_that_do_not_rise_from_nil_are_refused(edges: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="edges must be whole months rising from 0"):
        as_ages(edges)
