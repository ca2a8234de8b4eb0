from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.capital.irb import AssetClass
from pricing.credit import Credit
from pricing.errors import ModelError
from pricing.instrument import Instrument, Price
from pricing.instruments.term_loan import TermLoan
from pricing.path import path_weights
from pricing.schedule import Terms
from pricing.survival import DEFAULT, EXIT
from tests.pricing.cases import (
    BUCKETS,
    EDGES,
    KINDS,
    STANDARD,
    Floats,
    flat,
    loan,
    margins,
    terms,
)


def explained(weights: Floats, start: Floats, end: Floats) -> float:
    """Return Σ w (end - start), summed exactly, with -inf to -inf as no move."""
    moves = [0.0 if a == b else b - a for a, b in zip(start.flat, end.flat, strict=True)]
    return math.fsum(w * move for w, move in zip(weights.flat, moves, strict=True))


def assert_explained(instrument: Instrument, start: Floats, end: Floats) -> None:
    weights, low, high = path_weights(instrument, start, end)
    residue_bps = high - low - explained(weights, start, end)
    before, after = instrument.figures(np.stack([start, end]))
    left = after - before - explained(weights, start, end)
    assert abs(left) <= 2e-9
    assert abs(residue_bps) <= 1e-9


@dataclass
class Fake:
    """An instrument of two functions; it counts how often gradients are asked for."""

    value: Callable[[Floats], float]
    slope: Callable[[Floats], Floats]
    bends: tuple[float, ...] = ()
    asked: int = 0
    figure: ClassVar[str] = "fake_bps"

    def figures(self, margins: Floats) -> Floats:
        return np.array([self.value(m) for m in margins])

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        self.asked += 1
        return self.figures(margins), np.stack([self.slope(m) for m in margins])

    def kinks(self, start: Floats, move: Floats) -> Sequence[float]:
        return self.bends

    def pds(self, margins: Floats) -> Floats:
        raise AssertionError("a path asks for no probability of default")

    def price(self, margins: Floats) -> Price:
        raise AssertionError("a path asks for no whole price")


def one(*values: float) -> Floats:
    """Return (3, 1) margins."""
    return np.array(values)[:, None]


def logistic(m: Floats) -> float:
    """Return 1e4 · 0.4 / (1 + exp(-sum of the margins)): design note on pricing, section 7."""
    return 4000 / (1 + math.exp(-float(m.sum())))


def logistic_slope(m: Floats) -> Floats:
    share = logistic(m) / 4000
    return np.full(m.shape, 4000 * share * (1 - share))


def test_two_parts_of_a_log_odds_share_the_move_in_proportion_along_the_line() -> None:
    # -4 + 1.0 - 0.5. Same section: base 71.945 bp, price 117.249 bp; in proportion +90.6082 and
    # -45.3041. Where a price depends on one sum alone, Aumann-Shapley is the proportional split.
    base, end = one(-4, 0, 0), one(-4, 1.0, -0.5)
    weights, *_ = path_weights(Fake(logistic, logistic_slope), base, end)
    assert logistic(base) == pytest.approx(71.945, rel=0, abs=5e-4)
    assert logistic(end) == pytest.approx(117.249, rel=0, abs=5e-4)
    shares = (weights * (end - base))[:, 0]
    assert shares == pytest.approx([0, 90.6082, -45.3041], rel=0, abs=6e-5)


def test_the_exact_shapley_value_of_the_price_is_another_one() -> None:
    # same source: +95.5299 and -50.2258, over both orders in which the parts may come
    none, both = logistic(one(-4, 0, 0)), logistic(one(-4, 1.0, -0.5))
    first, second = logistic(one(-4, 1.0, 0)), logistic(one(-4, 0, -0.5))
    assert ((first - none) + (both - second)) / 2 == pytest.approx(95.5299, rel=0, abs=5e-5)
    assert ((second - none) + (both - first)) / 2 == pytest.approx(-50.2258, rel=0, abs=5e-5)


def product(m: Floats) -> float:
    """Return x y z, of which Aumann-Shapley from the origin gives every factor a third."""
    return float(m.prod())


def product_slope(m: Floats) -> Floats:
    x, y, z = m[:, 0]
    return one(y * z, x * z, x * y)


def test_three_factors_share_their_product_evenly() -> None:
    """Known by heart: ∫ s² y z ds · x = xyz/3."""
    end = one(2.0, 3.0, 5.0)
    weights, low, high = path_weights(Fake(product, product_slope), one(0, 0, 0), end)
    residue_bps = high - low - explained(weights, one(0, 0, 0), end)
    assert (weights * end)[:, 0] == pytest.approx([10, 10, 10], rel=1e-13)
    assert abs(residue_bps) < 1e-12


@pytest.mark.parametrize(("announced", "most"), [((1 / 3,), 3), ((), 100)])
def test_a_kink_is_found_and_found_soon_where_it_is_announced(
    announced: tuple[float, ...], most: int
) -> None:
    bent = Fake(
        lambda m: abs(float(m[0, 0]) - 1 / 3),
        lambda m: one(math.copysign(1.0, float(m[0, 0]) - 1 / 3), 0, 0),
        announced,
    )
    weights, low, high = path_weights(bent, one(0, 0, 0), one(1, 0, 0))
    residue_bps = high - low - explained(weights, one(0, 0, 0), one(1, 0, 0))
    assert abs(residue_bps) <= 1e-9
    assert bent.asked <= most


def test_a_wrong_adjoint_shows_in_the_residue() -> None:
    liar = Fake(product, lambda m: product_slope(m) * 1.0001)
    end = one(2.0, 3.0, 5.0)
    weights, low, high = path_weights(liar, one(0, 0, 0), end)
    residue_bps = high - low - explained(weights, one(0, 0, 0), end)
    assert residue_bps == pytest.approx(-0.003, rel=1e-6)
    with pytest.raises(AssertionError):
        assert_explained(liar, one(0, 0, 0), end)


@given(terms(), margins(), margins())
def test_the_weights_explain_any_move_of_any_loan(
    given_terms: Terms, start: Floats, end: Floats
) -> None:
    end[EXIT] = np.where(np.isinf(start[EXIT]), -math.inf, np.maximum(end[EXIT], -9.0))
    assert_explained(TermLoan(given_terms).priced(STANDARD, EDGES), start, end)


@settings(max_examples=40)
@given(terms(), st.floats(-16, -11), st.floats(-7, 2), st.booleans())
def test_the_weights_explain_a_move_across_the_floor_of_pd(
    given_terms: Terms, low: float, high: float, fall: bool
) -> None:
    good, bad = flat(annual_hazard=0.01, lgd=0.4), flat(annual_hazard=0.01, lgd=0.6)
    good[DEFAULT], bad[DEFAULT] = low, high
    loan = TermLoan(given_terms).priced(STANDARD, EDGES)
    start, end = (bad, good) if fall else (good, bad)
    assert len(loan.kinks(start, _move(start, end))) > 0
    assert_explained(loan, start, end)


def _move(start: Floats, end: Floats) -> Floats:
    """Return end - start, nil where both are the same, also infinite."""
    move = np.zeros(start.shape)
    return np.subtract(end, start, out=move, where=start != end)


@settings(max_examples=40)
@given(st.sampled_from(KINDS), margins(default=(-25.0, -15.0)), margins(default=(0.0, 4.0)))
def test_the_weights_explain_even_extreme_moves(kind: Terms, good: Floats, bad: Floats) -> None:
    bad[EXIT] = np.where(np.isinf(good[EXIT]), -math.inf, np.maximum(bad[EXIT], -9.0))
    loan = TermLoan(kind).priced(STANDARD, EDGES)
    assert_explained(loan, good, bad)
    assert_explained(loan, bad, good)


@pytest.mark.parametrize("months", [18, 20, 22, 100, 108, 112])
def test_the_weights_explain_an_annuity_whose_life_crosses_a_bound_of_maturity(
    months: int,
) -> None:
    good, bad = flat(annual_hazard=0.002, lgd=0.4), flat(annual_hazard=4.0, lgd=0.8)
    loan = TermLoan(Terms(1e6, months, "annuity")).priced(STANDARD, EDGES)
    assert_explained(loan, good, bad)


def test_some_annuity_does_cross_a_bound_of_maturity() -> None:
    good, bad = flat(annual_hazard=0.002, lgd=0.4), flat(annual_hazard=4.0, lgd=0.8)
    loan = TermLoan(Terms(1e6, 22, "annuity")).priced(STANDARD, EDGES)
    years = [loan.price(m).maturity_years for m in (good, bad)]
    assert years[0] < 1 < years[1]
    assert len(loan.kinks(good, _move(good, bad))) == 1


def test_other_classes_have_their_kinks_found_too() -> None:
    under = replace(STANDARD, asset_class=AssetClass.OTHER_RETAIL)
    good, bad = flat(annual_hazard=1e-5, lgd=0.4), flat(annual_hazard=0.2, lgd=0.6)
    assert_explained(TermLoan(KINDS[6]).priced(under, EDGES), good, bad)


def test_a_common_move_takes_one_look_and_the_floor_a_few() -> None:
    class Counting(Credit):
        asked = 0

        def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
            type(self).asked += 1
            return super().gradients(margins)

    start = flat(annual_hazard=0.06, lgd=0.45, annual_exits=0.15)
    counting = loan(Terms(1e6, 60, "annuity"), kind=Counting)
    path_weights(counting, start, flat(annual_hazard=0.02, lgd=0.4, annual_exits=0.1))
    assert Counting.asked == 1
    path_weights(counting, start, flat(annual_hazard=2e-4, lgd=0.4, annual_exits=0.1))
    assert Counting.asked <= 12


def test_nothing_moves_nothing_is_explained() -> None:
    m = flat(annual_hazard=0.06, lgd=0.45)
    weights, low, high = path_weights(TermLoan(KINDS[0]).priced(STANDARD, EDGES), m, m)
    residue_bps = high - low - explained(weights, m, m)
    assert residue_bps == 0
    assert explained(weights, m, m) == 0
    assert np.isfinite(weights).all()


def test_exits_that_never_happen_have_no_weight() -> None:
    start, end = flat(annual_hazard=0.06, lgd=0.45), flat(annual_hazard=0.03, lgd=0.45)
    weights, *_ = path_weights(TermLoan(KINDS[6]).priced(STANDARD, EDGES), start, end)
    assert weights[EXIT].tolist() == [0.0] * BUCKETS


def test_a_figure_that_is_no_number_is_refused() -> None:
    start, end = flat(annual_hazard=0.06, lgd=0.45), flat(annual_hazard=0.03, lgd=0.45)
    nowhere = Fake(lambda m: math.nan, np.zeros_like)
    with pytest.raises(ModelError, match="finite figure"):
        path_weights(nowhere, start, end)


@pytest.mark.parametrize("value", [-math.inf, math.nan])
def test_a_margin_infinite_at_one_end_only_is_refused(value: float) -> None:
    start = flat(annual_hazard=0.06, lgd=0.45, annual_exits=0.1)
    end = start.copy()
    end[EXIT, 0] = value
    with pytest.raises(ModelError, match="infinite at both ends"):
        path_weights(TermLoan(KINDS[0]).priced(STANDARD, EDGES), start, end)
