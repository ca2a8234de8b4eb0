from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from pricing.errors import InputError
from pricing.ifrs9.cycle import (
    Cycle,
    default_within,
    moved,
    point_in_time,
    reaching,
    read,
    through_the_cycle,
)
from pricing.survival import curves
from tests.pricing.cases import BUCKETS, EDGES, Floats, flat, margins

RHO = 0.12
YEARLY = default_within(EDGES)
pds, states = st.floats(1e-6, 0.9), st.floats(-3.0, 3.0)
correlations = st.floats(0.01, 0.6)


@pytest.mark.parametrize(("z", "expected"), [(-1.0, 0.0343773), (0.0, 0.0142874), (1.0, 0.0052551)])
def test_good_and_bad_years_have_the_published_pds(z: float, expected: float) -> None:
    # design note on pricing, section 3: TTC 2 %, rho 0.12, computed with SciPy
    pd = point_in_time(pd=0.02, z=z, correlation=RHO)
    assert pd == pytest.approx(expected, rel=0, abs=5e-8)


@given(pd=pds, z=states, rho=correlations)
def test_through_the_cycle_undoes_point_in_time(pd: float, z: float, rho: float) -> None:
    year = point_in_time(pd=pd, z=z, correlation=rho)
    assert through_the_cycle(pd=year, z=z, correlation=rho) == pytest.approx(pd, rel=1e-6)


def test_all_years_together_have_the_pd_through_the_cycle() -> None:
    def density(z: float) -> float:
        year = point_in_time(pd=0.02, z=z, correlation=RHO)
        return year * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    assert quad(density, -10, 10)[0] == pytest.approx(0.02, rel=1e-9)


@given(pd=pds, rho=correlations, pair=st.tuples(states, states))
def test_a_better_year_never_has_the_higher_pd(
    pd: float, rho: float, pair: tuple[float, float]
) -> None:
    worse, better = (point_in_time(pd=pd, z=z, correlation=rho) for z in sorted(pair))
    assert better <= worse


def test_certainties_stay_certain() -> None:
    assert [point_in_time(pd=pd, z=-1.0, correlation=RHO) for pd in (0.0, 1.0)] == [0.0, 1.0]


@given(margins(), st.floats(1e-6, 0.999))
def test_a_shifted_curve_has_the_target_as_its_pd(m: Floats, target: float) -> None:
    by = reaching(YEARLY, m, target)
    assert curves(moved(m, by), EDGES, 12).default[-1] == pytest.approx(target, rel=1e-9)


@given(margins(), st.floats(-3.0, 3.0), st.sampled_from([6, 12, 60]))
def test_the_shift_is_the_one_that_was_made(m: Floats, by: float, months: int) -> None:
    target = float(curves(moved(m, by), EDGES, months).default[-1])
    assert reaching(default_within(EDGES, months), m, target) == pytest.approx(by, abs=1e-6)


def test_without_exits_the_shift_is_known_in_closed_form() -> None:
    # 1 - exp(-h exp(a)) = PD  =>  a = ln(-ln(1 - PD) / h)
    m = flat(annual_hazard=0.03, lgd=0.4)
    expected = math.log(-math.log1p(-0.08) / 0.03)
    assert reaching(YEARLY, m, 0.08) == pytest.approx(expected, abs=1e-12)


def test_only_the_hazard_of_default_moves() -> None:
    m = flat(annual_hazard=0.03, lgd=0.4, annual_exits=0.1)
    again = moved(np.stack([m, m]), 0.3)
    assert (again[:, 0] == m[0] + 0.3).all()
    assert (again[:, 1:] == m[1:]).all()


def test_a_curve_moves_from_todays_state_to_the_pd_of_a_bad_year() -> None:
    # design note on pricing, section 3: TTC 2 %, Z = +1: 0.52551 %, Z = -1: 3.43773 %
    m = flat(annual_hazard=0.03, lgd=0.4, annual_exits=0.1)
    today = moved(m, reaching(YEARLY, m, 0.0052551))
    cycle = Cycle(correlation=RHO, z=1.0)
    assert cycle.through(YEARLY(today)) == pytest.approx(0.02, rel=1e-5)
    bad = cycle.at(today, YEARLY, z=-1.0)
    assert curves(bad, EDGES, 12).default[-1] == pytest.approx(0.0343773, rel=1e-5)


@given(margins(), states, correlations)
def test_todays_state_is_where_a_curve_stays(m: Floats, z: float, rho: float) -> None:
    same = Cycle(rho, z).at(m, YEARLY, z=z)
    np.testing.assert_allclose(same, m, rtol=0, atol=1e-6)


def test_who_can_never_default_never_will() -> None:
    never = np.array([[-math.inf] * BUCKETS, [-3.0] * BUCKETS, [0.0] * BUCKETS])
    assert Cycle(RHO, 0.0).at(never, YEARLY, z=-3.0) is never


def test_less_than_a_year_is_moved_by_what_is_left() -> None:
    m = np.array([[-5.0], [-math.inf], [0.0]])
    left = default_within((0, 6))
    assert left(m) == float(curves(m, (0, 6), 6).default[-1])
    assert left(Cycle(RHO, 0.0).at(m, left, z=-1.0)) > left(m)


def test_every_fault_of_the_section_is_told_at_once() -> None:
    _, faults = read({"correlation": 1.0, "zz": 0})
    assert {fault.field for fault in faults} == {
        "policy.cycle.correlation",
        "policy.cycle.z",
        "policy.cycle.zz",
    }
    assert [fault.field for fault in read(0.12)[1]] == ["policy.cycle"]


@pytest.mark.parametrize("target", [0.0, 1.0, -0.1, math.nan])
def test_a_target_that_is_no_probability_is_refused(target: float) -> None:
    with pytest.raises(InputError, match=r"target_pd must be in \(0, 1\)"):
        reaching(YEARLY, flat(annual_hazard=0.03, lgd=0.4), target)


def test_who_can_never_default_cannot_be_moved() -> None:
    never = np.array([[-math.inf] * BUCKETS, [-3.0] * BUCKETS, [0.0] * BUCKETS])
    with pytest.raises(InputError, match="that a shift of the hazard can reach"):
        reaching(YEARLY, never, 0.02)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        point_in_time(pd=1.5, z=math.inf, correlation=0.0)
    assert [fault.field for fault in raised.value.faults] == ["pd", "z", "correlation"]
