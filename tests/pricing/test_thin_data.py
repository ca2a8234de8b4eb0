from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from pricing.errors import InputError
from pricing.thin_data import upper_bound


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
