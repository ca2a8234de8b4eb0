from __future__ import annotations

from fractions import Fraction
from operator import mul

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import InputError
from pricing.fund import Fund

CALLED = np.array([100.0, 50, 0, 0, 0, 0])
DISTRIBUTED = np.array([0.0, 0, 20, 60, 90, 50])
INDEX = np.array([100.0, 105, 98, 110, 121, 130])


def test_the_multiples_are_the_published_ones() -> None:
    """Design note on pricing, section 6; its tenth digit of the PME is not that of the fraction."""
    fund = Fund(CALLED, DISTRIBUTED, INDEX)
    assert fund.pme == pytest.approx(1.2721618562, rel=0, abs=5e-10)
    grown = [Fraction(130, int(level)) for level in INDEX]
    paid, called = (sum(map(mul, map(int, flows), grown)) for flows in (DISTRIBUTED, CALLED))
    assert fund.pme == pytest.approx(float(paid / called), rel=1e-14)
    assert fund.dpi == pytest.approx(1.4667, rel=0, abs=5e-5)
    assert fund.tvpi == fund.dpi


@given(st.floats(0.5, 2.0), st.integers(2, 12))
def test_a_fund_that_buys_the_index_is_its_equivalent(growth: float, dates: int) -> None:
    index = np.array([growth**date for date in range(dates)])
    called, distributed = np.zeros(dates), np.zeros(dates)
    called[0], distributed[-1] = 1.0, index[-1] / index[0]
    assert Fund(called, distributed, index).pme == pytest.approx(1.0, rel=1e-12)


def test_what_is_still_held_counts_as_paid_out_on_the_last_day() -> None:
    held = Fund(CALLED, np.array([0.0, 0, 20, 60, 90, 0]), INDEX, value=50.0)
    assert held.pme == pytest.approx(Fund(CALLED, DISTRIBUTED, INDEX).pme, rel=1e-12)
    assert held.tvpi == pytest.approx(220 / 150)
    assert held.dpi == pytest.approx(170 / 150)


def test_every_field_at_fault_is_named() -> None:
    with pytest.raises(InputError) as error:
        Fund(np.array([0.0, 0.0]), np.array([-1.0, 1.0]), np.array([1.0]), value=float("nan"))
    fields = [fault.field for fault in error.value.faults]
    assert fields == ["fund.called", "fund.distributed", "fund.index", "fund.value"]
