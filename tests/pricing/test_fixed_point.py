from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.capital.irb import AssetClass, constants, risk_weight
from pricing.errors import InputError, ModelError, PolicyError
from pricing.fixed_point import STEEPEST, Ints, Limits, smallest, smallest_of_rows
from tests.pricing.cases import STANDARD, Floats

Map = Callable[[float], float]
WIDTH = 1e-6


def pd_at(rate: float) -> float:
    """Return the PD of the design note on pricing, section 1."""
    log_odds = math.log(0.03 / 0.97) + 0.08 * (rate - 0.05) * 100
    return 1 / (1 + math.exp(-log_odds))


def rate_at(pd: float) -> float:
    """Return FTP + PD LGD + κ RW (h/(1-τ) - r_C) + opex, the one-period sum of that section."""
    basel = constants(AssetClass.CORPORATE, lgd=0.4, sales_millions=5)
    capital = 0.105 * risk_weight(pd=pd, maturity_years=2.5, basel=basel) * (0.12 / 0.75 - 0.02)
    return 0.025 + pd * 0.4 + capital + 0.008


def test_the_published_loan_costs_what_its_own_rate_makes_of_it() -> None:
    # design note on pricing, section 1, computed with SciPy; 5.7750 % without feedback
    rate = smallest(lambda r: rate_at(pd_at(r)), start=0.0, cap=0.3)
    assert rate_at(0.03) == pytest.approx(0.057750, rel=0, abs=5e-7)
    assert rate == pytest.approx(0.058812939, rel=0, abs=5e-10)
    assert pd_at(rate) == pytest.approx(0.032121059, rel=0, abs=5e-10)


def test_the_exact_rate_of_one_period_is_another_one() -> None:
    """Charging only those who survive costs more: it is not the published formula."""

    def exact(r: float) -> float:
        pd = pd_at(r)
        return (1 + rate_at(pd) - pd * 0.4 - pd * (1 - 0.4)) / (1 - pd) - 1

    assert smallest(exact, start=0.0, cap=0.3) > 0.0605


def test_where_the_spiral_has_no_end_the_refusal_says_where_it_was() -> None:
    with pytest.raises(PolicyError) as refusal:
        smallest(lambda r: 0.1 + 1.5 * r, start=0.0, cap=0.3)
    assert str(refusal.value) == (
        "no viable price up to the cap of 0.3: every smaller one asks for more than itself; "
        "at 0.25 the risk asks for 0.475, with a slope of 1.5"
    )


def test_a_fixed_point_above_the_cap_is_no_answer() -> None:
    assert smallest(lambda r: 0.1 + 0.5 * r, start=0.0, cap=0.2001) == pytest.approx(0.2)
    with pytest.raises(PolicyError, match=r"the cap of 0\.19"):
        smallest(lambda r: 0.1 + 0.5 * r, start=0.0, cap=0.19)


@pytest.mark.parametrize("gap", [0.0, 1e-9, 1e-6])
def test_a_map_that_touches_the_diagonal_is_refused(gap: float) -> None:
    with pytest.raises(PolicyError, match=r"1000 steps did not reach it; .* a slope of 0\.99"):
        smallest(lambda r: r + (r - 1) ** 2 + gap, start=0.5, cap=10.0)


def test_past_a_narrow_gap_the_next_fixed_point_is_found() -> None:
    """0.01 above the diagonal at 1; the cubic crosses it later, at a root of its own."""

    def image(r: float) -> float:
        return r + 0.01 + 0.2 * (r - 1) ** 2 * (3 - r)

    roots = np.roots([-0.2, 1.0, -1.4, 0.6 + 0.01])
    expected = max(root.real for root in roots if abs(root.imag) < 1e-12)
    assert smallest(image, start=0.5, cap=10.0) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("slope", [0.0, 0.5, STEEPEST - 0.001, STEEPEST + 0.001, 0.999])
def test_a_slope_near_one_is_no_stable_price(slope: float) -> None:
    def image(r: float) -> float:
        return 1 + slope * (r - 1)

    if slope < STEEPEST:
        assert smallest(image, start=0.0, cap=2.0) == pytest.approx(1, rel=0, abs=1e-10)
    else:
        with pytest.raises(PolicyError, match=r"stable|steps"):
            smallest(image, start=0.0, cap=2.0)


def test_a_steep_fixed_point_met_at_the_start_is_refused_too() -> None:
    with pytest.raises(PolicyError, match=r"not be stable.* a slope of 0\.999"):
        smallest(lambda r: 1 + 0.999 * (r - 1), start=1.0, cap=2.0)


@pytest.mark.parametrize("knee", [1.0, 1.0 + 3e-7, 1.0 - 3e-7])
def test_a_knee_at_the_fixed_point_does_not_stop_it(knee: float) -> None:
    def image(r: float) -> float:
        return 1 + 0.3 * (r - 1) if r < knee else 1 + 0.3 * (knee - 1) + 0.9 * (r - knee)

    expected = max(1.0, 7 - 6 * knee)
    assert smallest(image, start=0.0, cap=2.0) == pytest.approx(expected, rel=0, abs=1e-10)


def test_a_map_that_falls_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"more risk would lower it; at 1 .* for 0\.5"):
        smallest(lambda r: 1 - r / 2, start=0.0, cap=2.0)


def test_a_map_too_rough_for_the_tolerance_is_refused() -> None:
    signs = itertools.cycle((1e-9, -1e-9))
    with pytest.raises(PolicyError, match=r"rounding hides it; at 1\D"):
        smallest(lambda r: 1 + (r - 1) / 2 + next(signs), start=0.0, cap=2.0)


def test_a_start_above_its_image_is_the_caller_s_fault() -> None:
    with pytest.raises(InputError, match="start must be at or below its image"):
        smallest(lambda r: r / 2, start=1.0, cap=2.0)


def test_an_image_that_is_no_number_is_the_model_s_fault() -> None:
    with pytest.raises(ModelError, match="a price that is a number"):
        smallest(lambda r: math.nan, start=1.0, cap=2.0)


def assert_smallest(image: Map, root: float) -> None:
    """A fixed point, and none on a fine grid below it."""
    assert abs(image(root) - root) <= 1e-12
    for r in np.linspace(0.0, root - WIDTH, 2000) if root > WIDTH else ():
        assert image(float(r)) > r


@st.composite
def maps(draw: st.DrawFn) -> Map:
    """Draw a line and up to three smooth steps on [0, 1], none of which falls."""
    base, slope = draw(st.floats(0.0, 0.3)), draw(st.floats(0.0, 0.6))
    step = st.tuples(st.floats(0.0, 0.4), st.floats(0.0, 1.0), st.floats(0.005, 0.3))
    steps = draw(st.lists(step, max_size=3))

    def image(r: float) -> float:
        rises = (height * (1 + math.tanh((r - at) / wide)) / 2 for height, at, wide in steps)
        return base + slope * r + sum(rises)

    return image


@given(maps())
def test_any_map_that_does_not_fall_has_its_smallest_fixed_point_found_or_none(
    image: Map,
) -> None:
    try:
        root = smallest(image, start=0.0, cap=1.0)
    except PolicyError as refusal:
        assert_rightly_refused(image, str(refusal))
    else:
        assert_smallest(image, root)


def assert_rightly_refused(image: Map, why: str) -> None:
    """Nowhere up to the cap does the map reach the diagonal, or it hardly leaves it there."""
    grid = [float(r) for r in np.linspace(0.0, 1.0, 20_001)]
    gaps = [image(r) - r for r in grid]
    met = next((i for i, gap in enumerate(gaps) if gap <= 0), None)
    if "every smaller one" in why:
        assert met is None
    elif "stable" in why:
        assert met is not None
        assert (image(grid[met] + WIDTH) - image(grid[met])) / WIDTH > STEEPEST - 0.05
    else:
        assert "steps" in why
        assert min(gaps[: met or len(gaps)]) < 2e-3


def bend(r: float) -> float:
    """Return a map with the fixed points 0.2, 0.5 and 0.8."""
    return r - 2 * (r - 0.2) * (r - 0.5) * (r - 0.8)


def test_of_three_fixed_points_the_smallest_is_found() -> None:
    assert smallest(bend, start=0.0, cap=1.0) == pytest.approx(0.2, rel=0, abs=1e-11)


def test_the_check_can_fail() -> None:
    with pytest.raises(AssertionError):
        assert_smallest(bend, 0.8)
    with pytest.raises(AssertionError):
        assert_smallest(bend, 0.2 + 1e-9)
    with pytest.raises(AssertionError):
        assert_rightly_refused(bend, "every smaller one")


@given(st.lists(st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 0.4)), min_size=1, max_size=6))
def test_rows_are_solved_as_if_each_were_alone(lines: list[tuple[float, float]]) -> None:
    base, slope = np.array(lines).T
    limits = Limits(cap=1.0)

    def of(chosen: Floats | slice) -> Floats:
        b, s = base[chosen], slope[chosen]
        return smallest_of_rows(
            lambda r, rows: b[rows] + s[rows] * np.sqrt(1e-3 + r),
            start=np.zeros(len(b)),
            limits=limits,
        )

    together = of(slice(None))
    assert [of(slice(i, i + 1))[0] for i in range(len(lines))] == together.tolist()


def test_rows_that_are_done_are_not_asked_again() -> None:
    asked: list[int] = []

    slopes = np.array([0.0, 0.9])

    def image(r: Floats, rows: Ints) -> Floats:
        asked.append(len(rows))
        moved: Floats = 1 + slopes[rows] * (r - 1)
        return moved

    smallest_of_rows(image, start=np.zeros(2), limits=Limits(cap=2.0))
    assert asked[0] == 2
    assert asked.count(1) > 100


def test_no_rows_have_no_fixed_points() -> None:
    nothing = smallest_of_rows(lambda r, rows: r, start=np.empty(0), limits=Limits(cap=1.0))
    assert nothing.shape == (0,)


def test_a_gentle_map_takes_few_steps() -> None:
    asked = []

    def image(r: float) -> float:
        asked.append(r)
        return rate_at(pd_at(r))

    smallest(image, start=0.0, cap=STANDARD.hurdle_rate)
    assert len(asked) <= 12
