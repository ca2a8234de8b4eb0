"""Exact values of groups: by brute force, in every family, and what is made of them."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise, permutations
from typing import Any

import numpy as np
import pytest

from features.simulate import simulate
from models import artifact, groups
from models.additive import Additive, Network, hats, knots_of, peaks
from models.audit import EXACT_GROUPS, PATH, Audit
from models.explain import attribute
from models.hazard import HazardModel, Reading
from models.leaves import Floats, boxes
from models.pricer import Pricer
from models.shapley import shapley, split
from models.tables import Tables
from pricing.arrange import arranged
from pricing.feedback import Feedback
from pricing.instrument import Instrument
from pricing.instruments.equity import Equity
from pricing.instruments.guarantee import Guarantee
from pricing.instruments.term_loan import TermLoan
from pricing.policy import load
from pricing.schedule import Terms
from pricing.survival import DEFAULT
from tests.models.trees import BUCKETS, bag, booster, margins_by_lightgbm, projects

COLUMNS = 6
GROUP = np.array([0, 1, 0, 2, 1, 3])  # columns 0 and 2 are one group, 1 and 4 another
EDGES = (0, 6, 12, 24, 36)
X = projects(600, COLUMNS)
BAG = bag(booster(X, seed=1), booster(X, seed=2))
EXITS = bag(booster(X, seed=3, depth=2))
BACKGROUND = projects(40, COLUMNS, seed=5)
WEIGHT = np.random.default_rng(6).uniform(0.2, 3.0, len(BACKGROUND))
OVERLAY = np.zeros((3, BUCKETS))
OVERLAY[DEFAULT] = 0.2
POLICY = load(currency="EUR")
LOAN = TermLoan(Terms(1e6, 36, "linear")).priced(POLICY, EDGES)
DEALS = (
    TermLoan(Terms(1e6, 36, "annuity", payment_months=3)),
    Guarantee(Terms(1e6, 24, "bullet"), covered_share=0.8),
    Equity(amount=1e6, ownership=0.2, horizon_months=36, exit_value=2e7, discount_rate=0.2),
)


class SmallSet:
    """The little of a column set that an audit reads."""

    groups_told = ("a", "b", "c", "d")
    group_of = tuple(GROUP.tolist())


def network(scale: float = 0.3) -> Network:
    dice = np.random.default_rng(11)
    pairs = np.array([[0, 1], [0, 2], [3, 4]])  # of two groups, of one, of two
    return Network(
        knots_of(BACKGROUND, 5),
        knots_of(BACKGROUND, 4),
        pairs,
        peaks(np.array(EDGES), (3.0, 30.0)),
        np.full((2, BUCKETS), -2.0),
        scale * dice.normal(size=(2, COLUMNS, 6, 2)),
        scale * dice.normal(size=(2, len(pairs), 5, 5, 2)),
    )


NETWORK = network()


def by_formula(x: Floats) -> Floats:
    """Return (n, K) log hazards of the network, plainly."""
    fine, coarse = hats(x, NETWORK.knots), hats(x, NETWORK.coarse)
    shapes = np.einsum("rcn,cnj->rj", fine, NETWORK.mains.mean(axis=0))
    for p, (i, j) in enumerate(NETWORK.pairs):
        plane = NETWORK.planes.mean(axis=0)[p]
        shapes += np.einsum("ra,rb,abj->rj", coarse[:, i], coarse[:, j], plane)
    return np.asarray(NETWORK.baseline.mean(axis=0) + shapes @ NETWORK.basis)


def model(family: str, overlay: Floats = OVERLAY) -> HazardModel:
    trees = BAG if family != "network" else None
    laid = boxes([trees, EXITS, None], columns=COLUMNS, buckets=BUCKETS, absent=[0.0, -np.inf, 0.4])
    net = None if family == "boosted" else Additive.build(NETWORK, BACKGROUND, WEIGHT)
    return HazardModel(
        card={"name": "small"},
        column_set=SmallSet(),  # type: ignore[arg-type]  # a small real thing
        encoder=None,  # type: ignore[arg-type]  # rows are encoded
        overlay=overlay,
        tables=Tables.build(laid, BACKGROUND, WEIGHT, GROUP),
        members=None,  # type: ignore[arg-type]  # nothing is asked of them
        drift=None,  # type: ignore[arg-type]
        peers=None,  # type: ignore[arg-type]
        digest="",
        network=net,
    )


def mean_margins(family: str, x: Floats, coalition: int) -> Floats:
    """Return a coalition's mean margins (3, K) over all hybrids, by LightGBM and by formula."""
    hybrids = np.where(coalition >> GROUP & 1, x, BACKGROUND)
    margins = np.full((len(hybrids), 3, BUCKETS), 0.4)
    margins[:, 0] = 0.0
    if family != "network":
        margins[:, 0] += margins_by_lightgbm(BAG, hybrids)
    if family != "boosted":
        margins[:, 0] += by_formula(hybrids)
    margins[:, 1] = margins_by_lightgbm(EXITS, hybrids)
    return np.asarray(np.average(margins, axis=0, weights=WEIGHT))


def by_brute_force(worth: Floats) -> Floats:
    """Return the mean gain of every player over all orders in which they may come."""
    n = len(worth).bit_length() - 1
    gains = np.zeros(n)
    for order in permutations(range(n)):
        reached = np.cumsum([0, *(1 << i for i in order)])
        for player, (before, after) in zip(order, pairwise(reached), strict=True):
            gains[player] += worth[after] - worth[before]
    return np.asarray(gains / math.factorial(n))


def audited(of: HazardModel, x: Floats, instrument: Any = LOAN) -> Audit:
    reading = of.read(x)
    found = Audit.of(of, reading, instrument, attribute(of, reading, instrument))
    assert found is not None
    return found


@pytest.mark.parametrize("family", ["boosted", "network", "blended"])
@pytest.mark.parametrize("row", range(4))
def test_every_coalition_and_value_is_that_of_brute_force(family: str, row: int) -> None:
    """Six columns in four groups, a tenth of the values missing."""
    x, of = X[row], model(family)
    expected = np.array([mean_margins(family, x, coalition) for coalition in range(16)])
    given = of.coalitions(of.read(x))
    assert given is not None
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-9)
    worth = LOAN.figures(np.concatenate([expected, expected + OVERLAY]))
    found = audited(of, x)
    values = [*found.groups_bps.tolist(), found.macro_bps]
    np.testing.assert_allclose(values, by_brute_force(worth), rtol=0, atol=1e-9 * abs(worth).max())


@pytest.mark.parametrize("deal", DEALS, ids=lambda deal: deal.kind)
def test_the_values_of_every_instrument_add_up_to_its_figure(deal: Any) -> None:
    of, instrument = model("blended"), deal.priced(POLICY, EDGES)
    for x in X[:20]:
        found = audited(of, x, instrument)
        whole = found.base_bps + found.groups_bps.sum() + found.macro_bps
        figure = instrument.figures((of.read(x).margins + of.overlay)[None])[0]
        assert whole == pytest.approx(figure, rel=1e-12, abs=1e-8)


def test_a_group_that_no_leaf_asks_for_is_worth_exactly_nothing() -> None:
    silent = X.copy()
    silent[:, 5] = 0.0  # the only column of the last group
    laid = boxes(
        [bag(booster(silent)), None, None],
        columns=COLUMNS,
        buckets=BUCKETS,
        absent=[0.0, -np.inf, 0.4],
    )
    tables = Tables.build(laid, BACKGROUND, WEIGHT, GROUP)
    dividends = tables.group_dividends(tables.read(X[0]).row)
    values = shapley(LOAN.figures(groups.coalitions(dividends)))
    assert values[3] == 0.0
    assert (np.abs(values[:3]) > 1e-3).all()


def test_equal_groups_have_equal_values() -> None:
    worth = np.array([1.0, 4.0, 4.0, 11.0, 2.0, 7.0, 7.0, 19.0])  # the first two are alike
    first, second, third = shapley(worth)
    assert first == pytest.approx(second, abs=1e-12)
    assert first + second + third == pytest.approx(18.0, abs=1e-12)


def test_an_overlay_of_nothing_is_no_player() -> None:
    assert audited(model("boosted", np.zeros((3, BUCKETS))), X[0]).macro_bps == 0.0


def test_more_groups_than_can_be_priced_are_not_audited() -> None:
    laid = boxes([BAG, None, None], columns=6, buckets=BUCKETS, absent=[0.0, -np.inf, 0.4])
    many = Tables.build(laid, BACKGROUND, WEIGHT, np.arange(6) + groups.MOST_GROUPS)
    assert many.dividends is None
    of = replace(model("boosted"), tables=many)
    reading = of.read(X[0])
    assert Audit.of(of, reading, LOAN, attribute(of, reading, LOAN)) is None


def test_a_rate_that_feeds_back_is_audited_too() -> None:
    rules = replace(POLICY, feedback=Feedback(0.02, 300.0), spread_cap_bps=90_000.0)
    instrument = arranged(DEALS[0], None, rules, EDGES)
    mild = next(x for x in X if LOAN.figures(model("boosted").read(x).margins[None])[0] < 900)
    of = model("boosted")
    found = audited(of, mild, instrument)
    figure = instrument.figures((of.read(mild).margins + of.overlay)[None])[0]
    whole = found.base_bps + found.groups_bps.sum() + found.macro_bps
    assert whole == pytest.approx(figure, abs=1e-6)


def test_a_coalition_without_a_price_leaves_nothing_to_audit() -> None:
    """A mixture of two projects may be dearer than both, and than the cap."""
    of, feedback = model("boosted"), Feedback(0.002, 300.0)

    def capped(cap_bps: float) -> Instrument:
        rules = replace(POLICY, feedback=feedback, spread_cap_bps=cap_bps)
        return arranged(DEALS[0], None, rules, EDGES)

    def found(cap_bps: float) -> Audit | None:
        parts = attribute(of, reading, capped(cap_bps))
        return Audit.of(of, reading, capped(cap_bps), parts)

    for x in X:
        reading = of.read(x)
        margins = of.coalitions(reading)
        assert margins is not None
        worth = capped(90_000.0).figures(np.concatenate([margins, margins + of.overlay]))
        ends, dearest = max(worth[0], worth[-1]), worth.max()
        if dearest > 1.3 * ends:
            break
    assert found(dearest + 1.0) is not None
    assert found((1.2 * ends + dearest) / 2) is None


def test_a_wrong_contribution_raises_the_alarm_and_a_right_one_does_not() -> None:
    of = model("boosted")
    right = audited(of, X[1])
    assert not right.alarm
    reading = of.read(X[1])
    parts = attribute(of, reading, LOAN)
    moved = parts.columns_bps.copy()
    by = 3 * right.limit_bps  # from the first group to the third: the sum stays
    moved[0], moved[3] = moved[0] - by, moved[3] + by
    found = Audit.of(of, reading, LOAN, parts._replace(columns_bps=moved))
    assert found is not None
    assert found.alarm


@pytest.mark.parametrize(
    ("shares", "total"),
    [([1.0, 2.0], 30.0), ([5.0, -5.0], 1.0), ([1e-12, -3e-13], 50.0), ([0.0, 0.0], 7.0)],
)
def test_a_split_adds_up_and_moves_no_share_by_more_than_the_difference(
    shares: list[float], total: float
) -> None:
    given = np.array(shares)
    found = split(given, total)
    assert found.sum() == pytest.approx(total, abs=1e-9)
    assert (np.abs(found - given) <= abs(total - given.sum()) + 1e-9).all()


@pytest.fixture(scope="module")
def pricer(model_folder: Any) -> Pricer:
    read = artifact.read(model_folder)
    return Pricer(read, load(currency=read.currency))


def test_dear_quotes_publish_exact_groups_to_the_cent_and_everything_adds_up(
    pricer: Pricer,
) -> None:
    """Over random projects and all instruments; amounts are decimal strings."""
    names = [column.name for column in pricer.model.column_set.asked]
    table = simulate(120, seed=9).table().select(names)
    methods = set()
    for number, project in enumerate(table.to_dicts()):
        quote = pricer.quote(project, DEALS[number % 3], audit=True)
        told = quote.document()["explanation"]
        methods.add(told["method"])
        items = sum(Decimal(item["bps"]) for item in told["items"])
        lines = sum(Decimal(line["bps"]) for line in told["lines"])
        assert Decimal(told["base_bps"]) + items + lines == Decimal(told["total_bps"])
        published = {group["group"]: group["bps"] for group in told["groups"]}
        exact = {group["group"]: group["bps"] for group in told["audit"]["groups"]}
        dear = abs(quote.waterfall.figure) > 200_000
        assert told["method"] == (EXACT_GROUPS if dear else PATH)
        assert (published == exact) == dear
        assert quote.audit is not None
        for name, bps in zip(
            pricer.model.column_set.groups_told, quote.audit.groups_bps, strict=True
        ):
            assert float(exact[name]) == pytest.approx(bps, abs=0.0101)
    assert methods == {PATH, EXACT_GROUPS}


def test_a_cheap_quote_is_audited_only_if_asked(pricer: Pricer) -> None:
    names = [column.name for column in pricer.model.column_set.asked]
    for project in simulate(30, seed=9).table().select(names).to_dicts():
        quote = pricer.quote(project, DEALS[0])
        assert (quote.audit is None) == (abs(quote.waterfall.figure) <= 200_000)
        assert ("audit" in quote.document()["explanation"]) == (quote.audit is not None)
        asked = pricer.quote(project, DEALS[0], audit=True)
        assert asked.document()["explanation"]["items"] == quote.document()["explanation"]["items"]


def test_coalitions_end_at_the_project_and_begin_at_the_reference(pricer: Pricer) -> None:
    read = pricer.model
    reading: Reading = read.read(read.encoder.row({}, DEALS[0].terms))
    worth = read.coalitions(reading)
    assert worth is not None
    np.testing.assert_allclose(worth[-1], reading.margins, rtol=0, atol=1e-11)
    np.testing.assert_allclose(worth[0], read.base, rtol=0, atol=1e-11)
