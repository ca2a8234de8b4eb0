from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import lightgbm
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import logit

from models.hazard import CAUSES
from models.interval import LEVEL, Drift, Interval, ends, slopes
from models.leaves import Bag, boxes
from models.members import Members
from models.tables import Tables
from pricing.errors import InputError, ModelError
from pricing.look import Priced, ends_of
from pricing.survival import incidence
from tests.models.trees import BUCKETS, Floats, bag, booster, projects

COLUMNS = 6
EDGES = (0, 6, 12, 24, 60)
X = projects(600, COLUMNS)
BAG = bag(*(booster(X[seed::3], seed=seed) for seed in range(3)), booster(X, depth=2))
EXITS = bag(booster(X, trees=4, seed=7))
Z_90 = 1.6448536269514722  # the normal's 95 % quantile, from tables


def tables(*bags: Bag) -> Tables:
    rows = [*bags, *[None] * (len(CAUSES) - len(bags))]
    laid = boxes(rows, columns=COLUMNS, buckets=BUCKETS, absent=[0.0, -4.5, 0.0])
    return Tables.build(laid, projects(40, COLUMNS, seed=5), np.ones(40))


TABLES = tables(BAG, EXITS)
MEMBERS = Members.of(TABLES, BAG)
MARGINS = np.log([[0.003, 0.004, 0.005, 0.002], [0.001, 0.002, 0.008, 0.01], [0.8] * 4])


def by_member(x: Floats) -> Floats:
    """Return the log-hazards of default as LightGBM itself predicts them: (members, K)."""
    at_ages = np.column_stack([np.tile(x, (BUCKETS, 1)), np.arange(BUCKETS, dtype=np.float64)])
    grown = (lightgbm.Booster(model_str=text) for text in BAG.boosters)
    return np.array([one.predict(at_ages, raw_score=True) for one in grown]) + BAG.baseline


def logit_pd(margins: Floats, months: int, edges: tuple[int, ...] = EDGES) -> float:
    return float(logit(incidence(margins[None], edges, months)[0, months]))


def shifted(by: float) -> Floats:
    return MARGINS + by * np.array([[1.0], [0.0], [0.0]])


def test_the_spread_is_that_of_lightgbms_own_members() -> None:
    weights = np.random.default_rng(3).uniform(0, 1, BUCKETS)
    for x in X[:50]:
        expected = np.std(by_member(x) @ weights, ddof=1)
        given = MEMBERS.spread(TABLES.read(x).row, weights)
        assert given == pytest.approx(expected, rel=1e-9)


def test_the_spread_with_slopes_is_that_of_the_members_logits_to_first_order() -> None:
    for x in X[:50]:
        reading = TABLES.read(x)
        given = MEMBERS.spread(reading.row, slopes(reading.margins, EDGES, months=24))
        each = np.array([[member, *reading.margins[1:]] for member in by_member(x)])
        exact = np.std([logit_pd(margins, 24) for margins in each], ddof=1)
        assert given == pytest.approx(exact, rel=0.15, abs=0.01)


def test_a_bag_of_one_has_no_spread() -> None:
    alone = bag(booster(X))
    laid = tables(alone)
    row = laid.read(X[0]).row
    assert Members.of(laid, alone).spread(row, np.ones(BUCKETS)) == 0.0


def test_a_cause_without_a_bag_has_no_spread() -> None:
    rows = [None, EXITS, None]
    laid = boxes(rows, columns=COLUMNS, buckets=BUCKETS, absent=[-5.0, -4.5, 0.0])
    constant = Tables.build(laid, X[:40], np.ones(40))
    assert Members.of(constant, None).spread(constant.read(X[0]).row, np.ones(BUCKETS)) == 0.0


def test_members_of_another_bag_are_refused() -> None:
    with pytest.raises(ModelError, match="leaves in the tables"):
        Members.of(TABLES, EXITS)


@pytest.mark.parametrize("months", [6, 20, 24, 60])
def test_slopes_are_the_derivatives_of_the_logit(months: int) -> None:
    margins = TABLES.read(X[1]).margins
    step = 1e-6
    for k, slope in enumerate(slopes(margins, EDGES, months=months)):
        up, down = margins.copy(), margins.copy()
        up[0, k] += step
        down[0, k] -= step
        difference = (logit_pd(up, months) - logit_pd(down, months)) / (2 * step)
        assert slope == pytest.approx(difference, rel=1e-6, abs=1e-8)


@dataclass(frozen=True)
class Loss:
    """Expected defaults within the term, in basis points: what rises with the hazard."""

    months: int = 60

    def figures(self, margins: Floats) -> Floats:
        return 1e4 * self.pds(margins)

    def pds(self, margins: Floats) -> Floats:
        return incidence(margins, EDGES, self.months)[:, self.months]


class Worth(Loss):
    """What falls as the hazard rises."""

    def figures(self, margins: Floats) -> Floats:
        return 1e4 - super().figures(margins)


def interval(instrument: Priced, *, sd_bag: float, drift: Drift, level: float = LEVEL) -> Interval:
    """Return the interval of a quote of an instrument."""
    between = ends(MARGINS, EDGES, sd_bag=sd_bag, drift=drift, level=level)
    return Interval.of(ends_of(instrument, between), sd_bag=sd_bag, drift=drift, level=level)


def quoted(
    *, sd_bag: float = 0.2, tau: float | None = 0.15, months: int = 24, level: float = LEVEL
) -> Interval:
    return interval(Loss(months), sd_bag=sd_bag, drift=Drift(tau, 24), level=level)


def span(ends: Interval) -> tuple[float, float]:
    """Return the ends of the probability of default, where both have a price."""
    assert ends.pd_low is not None
    assert ends.pd_high is not None
    return ends.pd_low, ends.pd_high


def test_the_ends_of_pd_are_so_many_deviations_from_it_on_the_logit() -> None:
    middle = logit_pd(MARGINS, 24, EDGES)
    ends = quoted(sd_bag=0.3, tau=0.4)
    for end, sign in zip(span(ends), (-1, 1), strict=True):
        assert logit(end) == pytest.approx(middle + sign * Z_90 * 0.5, abs=1e-9)


def test_a_price_is_at_the_margins_that_give_the_ends_of_pd() -> None:
    ends = quoted(months=60)
    assert ends.low_bps == pytest.approx(1e4 * span(ends)[0], abs=1e-9)
    assert ends.high_bps == pytest.approx(1e4 * span(ends)[1], abs=1e-9)


def test_the_ends_are_one_shift_of_all_hazards_of_default_away() -> None:
    ends, target = quoted(months=60), logit(span(quoted(months=24))[1])
    margins = shifted(brentq(lambda by: logit_pd(shifted(by), 24) - target, 0, 2))
    assert span(ends)[1] == pytest.approx(incidence(margins[None], EDGES, 60)[0, 60], abs=1e-9)


def test_without_doubt_the_interval_is_a_point() -> None:
    ends = quoted(sd_bag=0.0, tau=0.0, months=60)
    assert span(ends)[0] == span(ends)[1] == incidence(MARGINS[None], EDGES, 60)[0, 60]
    assert ends.low_bps == ends.high_bps == 1e4 * span(ends)[0]


def test_a_higher_level_is_a_wider_interval() -> None:
    levels = [quoted(level=level, months=36) for level in (0.5, 0.8, 0.9, 0.95, 0.99)]
    for narrow, wide in pairwise(levels):
        assert span(wide)[0] < span(narrow)[0] < span(narrow)[1] < span(wide)[1]
        assert (wide.low_bps or 0.0) < (narrow.low_bps or 0.0)
        assert (wide.high_bps or 0.0) > (narrow.high_bps or 0.0)


def test_without_cohorts_the_interval_is_the_bags_and_says_so() -> None:
    alone, both = quoted(tau=None), quoted(tau=0.3)
    assert (alone.contains, both.contains) == ("bag", "bag_and_cohorts")
    assert alone.tau is None
    assert span(alone)[1] == span(quoted(tau=0.0))[1] < span(both)[1]


def test_the_low_end_is_the_lower_figure_also_where_risk_lowers_it() -> None:
    worth = interval(Worth(24), sd_bag=0.2, drift=Drift(0.1))
    assert span(worth)[0] < span(worth)[1]
    assert (worth.low_bps or 0.0) < (worth.high_bps or 0.0)


def test_the_horizon_is_cut_to_the_ages_that_the_model_knows() -> None:
    longer = interval(Loss(), sd_bag=0.2, drift=Drift(None, 240))
    middle = logit_pd(MARGINS, 60)
    assert logit(span(longer)[1]) == pytest.approx(middle + Z_90 * 0.2, abs=1e-9)


@pytest.mark.parametrize("level", [0.0, 1.0, math.nan])
def test_a_level_is_a_probability_between_none_and_all(level: float) -> None:
    with pytest.raises(InputError, match="level"):
        quoted(level=level)


@pytest.mark.parametrize("given", [-0.1, "0.2", math.nan, math.inf])
def test_a_card_whose_tau_is_no_deviation_is_refused(given: object) -> None:
    with pytest.raises(ModelError, match=r"interval\.tau"):
        Drift.of({"interval": {"tau": given}})


def test_a_card_without_an_interval_has_no_drift() -> None:
    assert Drift.of({}) == Drift(None, 24)
    assert Drift.of({"interval": {"tau": None, "horizon_months": 12}}) == Drift(None, 12)
