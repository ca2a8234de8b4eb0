from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.basis_points import largest_remainder, text, texts, with_rest
from pricing.errors import InputError

parts = st.lists(st.floats(-5e4, 5e4), max_size=60)


@given(parts)
def test_the_hundredths_add_up_to_the_rounded_total(parts_bps: list[float]) -> None:
    total_bps = math.fsum(parts_bps)
    whole = largest_remainder(parts_bps, total_bps)
    assert sum(whole) == round(100 * total_bps)
    assert all(isinstance(part, int) for part in whole)


@given(parts)
def test_no_part_moves_by_more_than_a_hundredth(parts_bps: list[float]) -> None:
    for whole, part in zip(
        largest_remainder(parts_bps, math.fsum(parts_bps)), parts_bps, strict=True
    ):
        assert abs(Fraction(whole) - 100 * Fraction(part)) <= 1 + Fraction(1, 10**6)


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=60))
def test_parts_that_are_whole_already_stay(hundredths: list[int]) -> None:
    parts_bps = [part / 100 for part in hundredths]
    assert largest_remainder(parts_bps, sum(hundredths) / 100) == hundredths


def test_seats_are_given_as_hamilton_gave_them() -> None:
    # 10 seats for 5,100 votes, by hand: quotas 2.941, 2.941, 1.765, 0.980, 0.980 and 0.392
    votes = (1500, 1500, 900, 500, 500, 200)
    assert largest_remainder([vote / 5100 / 10 for vote in votes], 0.1) == [3, 3, 2, 1, 1, 0]


def test_the_first_of_equals_is_rounded_up() -> None:
    assert largest_remainder([0.005, 0.005], 0.01) == [1, 0]


@pytest.mark.parametrize("total_bps", [1.02, 0.98, math.nan, math.inf])
def test_parts_of_another_total_are_refused(total_bps: float) -> None:
    with pytest.raises(InputError, match="parts_bps must be parts of"):
        largest_remainder([0.5, 0.5], total_bps)


def test_a_rounding_residue_is_taken_in() -> None:
    assert largest_remainder([0.333, 0.667], 1.0 + 9e-7) == [33, 67]


@given(st.lists(st.floats(-1e4, 1e4), max_size=45), st.floats(-1e4, 1e4))
def test_a_rest_closes_every_gap(parts: list[float], total_bps: float) -> None:
    *whole, rest = with_rest(np.array(parts, np.float64), total_bps).tolist()
    assert sum(whole) + rest == round(100 * total_bps)
    exact = [*parts, total_bps - math.fsum(parts)]
    assert all(abs(a - 100 * b) <= 1 + 1e-6 for a, b in zip([*whole, rest], exact, strict=True))


def test_a_part_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="parts_bps must be parts of"):
        with_rest(np.array([1.0, math.nan]), 1.0)


def test_nothing_adds_up_to_nothing() -> None:
    assert largest_remainder([], 0.0) == []


@given(st.integers(-(10**9), 10**9))
def test_the_text_is_the_number(hundredths: int) -> None:
    printed = text(hundredths)
    assert Fraction(printed) == Fraction(hundredths, 100)
    assert printed[-3] == "."


@given(st.lists(st.integers(-(10**9), 10**9), max_size=60))
def test_a_list_is_printed_as_its_parts_are(hundredths: list[int]) -> None:
    assert texts(hundredths) == [text(part) for part in hundredths]
