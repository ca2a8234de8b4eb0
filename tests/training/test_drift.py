from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from features.book import DEFAULTED
from models.interval import Drift
from tests.training import books
from tests.training.test_cohorts import QUARTERS, world
from training import cohorts, drift, origins
from training.cohorts import SHIFTS
from training.drift import gather, measure
from training.fit import fit
from training.options import Options
from training.periods import Floats
from training.split import name_of
from training.trees import Trees


@pytest.mark.parametrize(("tau", "sd_bag"), [(0.0, 0.0), (0.2, 0.0), (0.2, 0.25), (0.5, 0.1)])
def test_nine_cohorts_in_ten_of_the_other_half_lie_in_their_interval(
    tau: float, sd_bag: float
) -> None:
    found = [measure([world(tau=tau, sd_bag=sd_bag, seed=seed)]) for seed in range(4)]
    halves = [QUARTERS * cohorts.TENTHS / 2] * 2
    assert all([part.cohorts for part in one.origins] == halves for one in found)
    covered = float(np.mean([one.coverage for one in found if one.coverage is not None]))
    assert 0.85 < covered < 0.95


def test_chance_alone_covers_too_little_where_the_world_strays() -> None:
    found = measure([world(tau=0.4)])
    assert found.coverage is not None
    assert found.coverage_by_chance is not None
    assert found.coverage_by_chance < 0.75 < found.coverage


def test_too_few_cohorts_or_defaults_tell_nothing() -> None:
    strayed = world(tau=0.3)
    for few in (strayed.take(strayed.quarter < 3), replace(strayed, k=strayed.k * 1e-3)):
        found = measure([few])
        assert (found.tau, found.coverage, found.cohorts) == (None, None, len(few))


def test_a_card_holds_what_a_quote_reads() -> None:
    told = json.loads(json.dumps({"interval": measure([world(tau=0.2)]).card}, allow_nan=False))
    assert Drift.of(told) == Drift(told["interval"]["tau"], 24)
    assert told["interval"]["tau"] == pytest.approx(0.2, rel=0.3)
    assert (
        Drift.of({"interval": measure([world(tau=0.2).take(np.zeros(160, bool))]).card}) == Drift()
    )


def flat(book_length: int, log_default: float) -> Floats:
    rows = np.array([log_default, -4.2, 0.0])[:, None]
    return np.tile(rows, (book_length, 1, len(books.EDGES) - 1))


def test_only_projects_followed_to_the_horizon_are_gathered() -> None:
    book = books.book(4000)
    found = gather(flat(len(book), -4.4), [flat(len(book), -4.4)[None, :, 0]], book)
    old = book.originated + 24 <= (book.originated + book.age_months).max()
    fell = (book.event == DEFAULTED) & (book.age_months <= 24)
    assert found.n.sum() == old.sum()
    assert found.k.sum() == pytest.approx((old & fell).sum(), abs=1e-6)


def test_members_that_differ_by_a_level_stand_apart_by_its_deviation() -> None:
    book = books.book(2000)
    members = np.array([flat(len(book), -7.0 + move)[:, 0] for move in (-0.2, 0.0, 0.2)])
    found = gather(flat(len(book), -7.0), [members], book)
    # log-hazards and the logit of a small PD move alike, by 1 + a few per cent
    assert found.sd_bag == pytest.approx(0.2, rel=0.02)


def test_an_overlay_is_added_to_every_member() -> None:
    book = books.book(2000)
    members = np.array([flat(len(book), -5.0 + move)[:, 0] for move in (-0.2, 0.2)])
    level = 0.7
    with_level = gather(flat(len(book), -5.0 + level), [members], book)
    moved = gather(flat(len(book), -5.0 + level), [members + level], book)
    np.testing.assert_allclose(with_level.sd_bag, moved.sd_bag, rtol=0, atol=1e-12)
    np.testing.assert_allclose(logit(with_level.share), logit(moved.share), rtol=0, atol=1e-9)


def test_a_fit_is_judged_on_its_test_window() -> None:
    small = Trees(3, 20, 3, 0.2)
    options = Options(default=small, depths=(3,), exit=small, lgd=small, background=500)
    fitted = fit(books.book(6000), options)
    x = fitted.encoder.matrix(fitted.split.test.frame)
    found = drift.judge(fitted, fitted.margins(x), [])
    assert found.cohorts == 4 * cohorts.TENTHS  # a year of test, all of it followed for two
    assert found.tau is None or 0 <= found.tau < cohorts.WIDEST


@pytest.mark.parametrize(("common", "own"), [(0.3, 0.1), (0.2, 0.2)])
def test_nine_cohorts_in_ten_lie_in_their_interval_where_whole_quarters_stray(
    common: float, own: float
) -> None:
    covered = []
    for seed in range(6):
        parts = [
            world(tau=own, common=common, quarters=4, seed=10 * seed + year) for year in range(8)
        ]
        covered.append(measure(parts).coverage)
    assert 0.87 < np.mean([one for one in covered if one is not None]) < 0.95


def test_an_origin_is_tried_with_the_tau_of_the_others() -> None:
    calm = [world(tau=0.05, quarters=4, seed=year) for year in range(5)]
    wild = world(tau=0.9, quarters=4, seed=9)
    found = measure([*calm, wild])
    assert found.origins[-1].coverage < 0.6 < 0.95 < min(one.coverage for one in found.origins[:5])


def test_observed_over_expected_is_told_by_origin() -> None:
    high, low = (world(tau=0.0, bias=bias, quarters=4) for bias in (0.5, -0.5))
    told = measure([high, low]).origins
    assert told[0].observed_over_expected > 1.3
    assert told[1].observed_over_expected < 0.75
    expected = high.n @ high.share[:, SHIFTS == 0.0][:, 0]
    assert told[0].observed_over_expected == pytest.approx(high.k.sum() / expected, rel=1e-12)


def test_origins_learn_from_what_was_known_and_foretell_the_next_year() -> None:
    book = books.book(12_000, delay=4)
    small = Trees(2, 20, 3, 0.2)
    options = Options(default=small, depths=(3,), exit=small, lgd=small, background=500)
    fitted, told = fit(book, options), list[str]()
    found = origins.roll(fitted, book, told.append)
    assert len(told) == origins.MOST
    # a window of 72 months has one origin that has seen 60 of them
    assert [name_of(one.month) for one in found] == ["2005-01"]
    (one,) = found
    assert name_of(int(one.book.originated.min())) == "2005-01"
    assert name_of(int(one.book.originated.max())) == "2005-12"
    cohorts_of = gather(one.margins, one.kinds, one.book)
    ratio = cohorts_of.k.sum() / (cohorts_of.n @ cohorts_of.share[:, SHIFTS == 0.0][:, 0])
    assert ratio == pytest.approx(1.0, abs=0.25)  # no economy in this world
    told_of = drift.judge(
        fitted, fitted.margins(fitted.encoder.matrix(fitted.split.test.frame)), found
    )
    assert [tried.first for tried in told_of.origins] == ["2005-01", "2006-01"]


def test_no_outcome_after_an_origin_moves_what_it_foretold() -> None:
    book = books.book(12_000)
    small = Trees(2, 20, 3, 0.2)
    options = Options(default=small, depths=(3,), exit=small, lgd=small, background=500)
    fitted = fit(book, options)
    (before,) = origins.roll(fitted, book, lambda step: None)
    later = book.originated + book.age_months >= before.month
    other = replace(book, event=np.where(later, DEFAULTED, book.event).astype(np.int8))
    (after,) = origins.roll(fitted, other, lambda step: None)
    np.testing.assert_array_equal(before.margins, after.margins)
