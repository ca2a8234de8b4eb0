from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from features.book import DEFAULTED
from models.interval import Drift
from tests.training import books
from training import cohorts
from training.cohorts import Cohorts, coverage, gather, measure, ranks, tau_of
from training.fit import fit
from training.options import Options
from training.periods import Floats
from training.trees import Trees

QUARTERS = 16


def world(
    *, tau: float, sd_bag: float = 0.0, bias: float = 0.0, each: int = 200, seed: int = 0
) -> Cohorts:
    """Return cohorts of a world in which foretold logits are out by a planted deviation.

    Sixteen quarters of ten tenths, `each` projects in a cohort; two members of the bag stand
    apart by `sd_bag`, and so does the bag from the truth.
    """
    dice = np.random.default_rng(seed)
    n = QUARTERS * cohorts.TENTHS * each
    month = np.repeat(np.arange(QUARTERS) * 3, cohorts.TENTHS * each)
    z = np.tile(np.sort(dice.normal(-2.2, 0.9, cohorts.TENTHS * each)), QUARTERS)
    cohort = np.repeat(np.arange(QUARTERS * cohorts.TENTHS), each)
    strays = dice.normal(bias, np.hypot(tau, sd_bag), QUARTERS * cohorts.TENTHS)
    fell = dice.random(n) < expit(z + strays[cohort])
    members = np.array([-1.0, 1.0]) * sd_bag / np.sqrt(2)  # of two: deviation sd_bag
    return Cohorts.of(expit(z), [expit(z + members[:, None])], fell, np.ones(n), month)


@pytest.mark.parametrize("planted", [0.1, 0.2, 0.4])
def test_a_planted_deviation_is_found(planted: float) -> None:
    found = [tau_of(world(tau=planted, seed=seed)) for seed in range(4)]
    assert np.mean(found) == pytest.approx(planted, rel=0.15)


def test_chance_alone_is_no_deviation() -> None:
    assert np.mean([tau_of(world(tau=0.0, seed=seed)) for seed in range(4)]) < 0.05


def test_what_the_bag_explains_is_not_explained_again() -> None:
    found = [tau_of(world(tau=0.2, sd_bag=0.25, seed=seed)) for seed in range(4)]
    assert np.mean(found) == pytest.approx(0.2, rel=0.2)


def test_a_level_that_is_off_counts_since_quotes_are_centred_on_what_was_foretold() -> None:
    assert tau_of(world(tau=0.0, bias=-0.3)) == pytest.approx(0.3, rel=0.15)


@pytest.mark.parametrize(("tau", "sd_bag"), [(0.0, 0.0), (0.2, 0.0), (0.2, 0.25), (0.5, 0.1)])
def test_nine_cohorts_in_ten_of_later_quarters_lie_in_their_interval(
    tau: float, sd_bag: float
) -> None:
    found = [measure(world(tau=tau, sd_bag=sd_bag, seed=seed)) for seed in range(4)]
    assert all(one.held_out == QUARTERS * cohorts.TENTHS / 2 for one in found)
    covered = float(np.mean([one.coverage for one in found if one.coverage is not None]))
    assert 0.85 < covered < 0.95


def test_chance_alone_covers_too_little_where_the_world_strays() -> None:
    found = measure(world(tau=0.4))
    assert found.coverage is not None
    assert found.coverage_by_chance is not None
    assert found.coverage_by_chance < 0.75 < found.coverage


def test_a_coverage_can_be_too_low_and_too_high() -> None:
    strayed = world(tau=0.4)
    assert coverage(strayed, tau=0.1) < 0.85
    assert coverage(strayed, tau=1.5) > 0.97


def test_ranks_of_a_right_model_are_uniform() -> None:
    rank = np.concatenate([ranks(world(tau=0.3, seed=s), tau=0.3) for s in range(6)])
    counted, _ = np.histogram(rank, np.linspace(0, 1, 11))
    # 960 ranks, 96 in a tenth: four standard deviations of a binomial count are 37
    assert np.abs(counted - len(rank) / 10).max() < 37


def test_too_few_cohorts_or_defaults_tell_nothing() -> None:
    strayed = world(tau=0.3)
    for few in (strayed.take(strayed.quarter < 3), replace(strayed, k=strayed.k * 1e-3)):
        found = measure(few)
        assert (found.tau, found.coverage, found.cohorts) == (None, None, len(few))


def test_a_card_holds_what_a_quote_reads() -> None:
    told = json.loads(json.dumps({"interval": measure(world(tau=0.2)).card}, allow_nan=False))
    assert Drift.of(told) == Drift(told["interval"]["tau"], 24)
    assert told["interval"]["tau"] == pytest.approx(0.2, rel=0.3)
    assert Drift.of({"interval": measure(world(tau=0.2).take(np.zeros(160, bool))).card}) == Drift()


def test_a_weight_of_two_for_everybody_changes_nothing() -> None:
    z = np.random.default_rng(0).normal(-2, 1, 4000)
    fell, month = np.random.default_rng(1).random(4000) < expit(z), np.arange(4000) % 24
    one, two = (
        Cohorts.of(expit(z), [expit(z)[None]], fell, np.full(4000, weight), month)
        for weight in (1.0, 2.0)
    )
    np.testing.assert_allclose(one.k, two.k, rtol=0, atol=1e-9)
    np.testing.assert_allclose(one.share, two.share, rtol=0, atol=1e-12)


def test_cohorts_are_tenths_of_the_score_in_quarters_of_origination() -> None:
    strayed = world(tau=0.0, each=50)
    assert len(strayed) == QUARTERS * cohorts.TENTHS
    assert (strayed.n == 50).all()
    unmoved = strayed.share[:, cohorts.SHIFTS == 0][:, 0].reshape(QUARTERS, cohorts.TENTHS)
    assert (np.diff(unmoved, axis=1) > 0).all()


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
    found = cohorts.judge(fitted, fitted.margins(x))
    assert found.cohorts == 4 * cohorts.TENTHS  # a year of test, all of it followed for two
    assert found.tau is None or 0 <= found.tau < cohorts.WIDEST
