from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from training import cohorts
from training.cohorts import Cohorts, common_of, coverage, ranks, tau_of

QUARTERS = 16


def world(
    *,
    tau: float,
    common: float = 0.0,
    sd_bag: float = 0.0,
    bias: float = 0.0,
    each: int = 200,
    seed: int = 0,
    quarters: int = QUARTERS,
) -> Cohorts:
    """Return cohorts of a world in which foretold logits are out by a planted deviation.

    Quarters of ten tenths, `each` projects in a cohort; a whole quarter strays by `common`, a
    cohort by `tau`; two members of the bag stand apart by `sd_bag`, and so does the bag from the
    truth.
    """
    dice = np.random.default_rng(seed)
    n = quarters * cohorts.TENTHS * each
    month = np.repeat(np.arange(quarters) * 3, cohorts.TENTHS * each)
    z = np.tile(np.sort(dice.normal(-2.2, 0.9, cohorts.TENTHS * each)), quarters)
    cohort = np.repeat(np.arange(quarters * cohorts.TENTHS), each)
    strays = dice.normal(bias, np.hypot(tau, sd_bag), quarters * cohorts.TENTHS)
    strays += np.repeat(dice.normal(0, common, quarters), cohorts.TENTHS)
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


def test_a_coverage_can_be_too_low_and_too_high() -> None:
    strayed = world(tau=0.4)
    assert coverage(strayed, tau=0.1) < 0.85
    assert coverage(strayed, tau=1.5) > 0.97


def test_ranks_of_a_right_model_are_uniform() -> None:
    rank = np.concatenate([ranks(world(tau=0.3, seed=s), tau=0.3) for s in range(6)])
    counted, _ = np.histogram(rank, np.linspace(0, 1, 11))
    # 960 ranks, 96 in a tenth: four standard deviations of a binomial count are 37
    assert np.abs(counted - len(rank) / 10).max() < 37


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


@pytest.mark.parametrize(("common", "own"), [(0.4, 0.1), (0.1, 0.4), (0.3, 0.3)])
def test_what_moves_whole_quarters_is_told_from_what_moves_groups(
    common: float, own: float
) -> None:
    found = []
    for seed in range(4):
        strayed = world(tau=own, common=common, quarters=48, seed=seed)
        tau = tau_of(strayed)
        found.append((tau, common_of(strayed, tau=tau)))
    tau, quarter = np.mean(found, axis=0)
    assert tau == pytest.approx(np.hypot(common, own), rel=0.15)
    assert quarter == pytest.approx(common, abs=0.08)


def test_without_any_deviation_none_is_common() -> None:
    assert common_of(world(tau=0.0), tau=0.0) == 0.0
