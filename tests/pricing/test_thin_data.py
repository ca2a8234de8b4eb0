from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from pricing.errors import InputError
from pricing.ifrs9.cycle import moved
from pricing.survival import curves
from pricing.thin_data import loading, upper_bound
from tests.pricing.cases import EDGES, Floats, flat, margins


@pytest.mark.parametrize(
    ("confidence", "percent"), [(0.75, 0.276875), (0.90, 0.459458), (0.95, 0.597355)]
)
def test_five_hundred_firms_without_a_default_have_the_published_bound(
    confidence: float, percent: float
) -> None:
    # design note on pricing, section 8, computed with SciPy; 1 - (1 - γ)^(1/n)
    bound = upper_bound(firms=500, defaults=0, confidence=confidence)
    assert 100 * bound == pytest.approx(percent, rel=0, abs=5e-7)


@given(st.integers(1, 5000), st.data(), st.floats(0.01, 0.999))
def test_at_the_bound_so_few_defaults_are_as_likely_as_agreed(
    firms: int, data: st.DataObject, confidence: float
) -> None:
    defaults = data.draw(st.integers(0, firms - 1))
    bound = upper_bound(firms=firms, defaults=defaults, confidence=confidence)
    assert binom.cdf(defaults, firms, bound) == pytest.approx(1 - confidence, rel=1e-6)


def test_the_bound_rises_with_defaults_and_confidence_and_falls_with_firms() -> None:
    plain = upper_bound(firms=500, defaults=2, confidence=0.9)
    assert upper_bound(firms=500, defaults=3, confidence=0.9) > plain
    assert upper_bound(firms=500, defaults=2, confidence=0.95) > plain
    assert upper_bound(firms=600, defaults=2, confidence=0.9) < plain
    assert plain > 2 / 500


def test_where_all_have_failed_nothing_lower_is_certain() -> None:
    assert upper_bound(firms=3, defaults=3, confidence=0.5) == 1.0


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        upper_bound(firms=0, defaults=-1, confidence=1.0)
    assert [fault.field for fault in raised.value.faults] == ["firms", "defaults", "confidence"]
    with pytest.raises(InputError, match="defaults must be a whole number from 0 to firms=5"):
        upper_bound(firms=5, defaults=6, confidence=0.9)


@given(margins(), st.floats(0.0, 0.9))
def test_a_loaded_curve_is_never_below_the_floor_nor_below_itself(
    m: Floats, floor_pd: float
) -> None:
    by = loading(m, EDGES, floor_pd=floor_pd)
    pd = float(curves(m, EDGES, 12).default[-1])
    loaded = float(curves(moved(m, by), EDGES, 12).default[-1])
    assert by >= 0
    assert loaded == pytest.approx(max(pd, floor_pd), rel=1e-9)


def test_a_curve_above_the_floor_is_left_alone() -> None:
    m = flat(annual_hazard=0.03, lgd=0.4)
    assert loading(m, EDGES, floor_pd=0.02) == 0.0
    assert loading(m, EDGES, floor_pd=0.0) == 0.0
    assert loading(m, EDGES, floor_pd=0.05) > 0


@pytest.mark.parametrize("floor_pd", [-0.01, 1.0, math.nan])
def test_a_floor_that_is_no_probability_is_refused(floor_pd: float) -> None:
    with pytest.raises(InputError, match=r"floor_pd must be in \[0, 1\)"):
        loading(flat(annual_hazard=0.03, lgd=0.4), EDGES, floor_pd=floor_pd)
