from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training import books
from training import verdict
from training.folds import rolling
from training.options import Options
from training.split import by_time
from training.stopping import deviance_apart_from_level
from training.trees import Trees
from training.verdict import Ground, Verdict

FEW = Options(default=Trees(1, 40, 3, 0.2), depths=(3,))


@pytest.fixture(scope="module")
def judged() -> list[Verdict]:
    folds = rolling(by_time(books.book(4000)), 2)
    return [Ground.of(fold, 20).judge(FEW, lambda step: None) for fold in folds]


def made(dice: np.random.Generator, hazard: np.ndarray) -> Verdict:
    """Return a verdict on one month at risk each, of events drawn from known hazards."""
    truth = np.exp(dice.normal(-3, 1, len(hazard)))
    fell = (dice.random(len(hazard)) < truth).astype(float)
    flat = -np.log(len(hazard))
    return Verdict(
        truth * hazard, fell * np.log(truth * hazard), fell, np.ones(len(fell)), flat, {}
    )


def test_the_true_hazards_gain_most_whatever_the_level() -> None:
    truth = made(np.random.default_rng(0), np.ones(20_000))
    noisy = made(np.random.default_rng(0), np.exp(np.random.default_rng(1).normal(0, 0.5, 20_000)))
    higher = replace(
        truth, expected=7 * truth.expected, spoken=truth.spoken + truth.fell * np.log(7)
    )
    assert truth.gain() > noisy.gain() > 0
    assert higher.gain() == pytest.approx(truth.gain(), rel=1e-12)


def test_hazards_by_age_alone_gain_nothing() -> None:
    fold = rolling(by_time(books.book(4000)), 2)[0]
    never = replace(FEW, default=Trees(1, 1, 1, 1e-9))
    found = Ground.of(fold, 20).judge(never, lambda step: None)
    assert found.gain() == pytest.approx(0, abs=1e-3)  # the bag's ages are those of its sample


def test_a_gain_is_the_deviance_that_growing_stops_by(judged: list[Verdict]) -> None:
    one = judged[0]
    mu = one.expected
    told = np.where(one.fell > 0, one.spoken, 0)
    score = np.log((one.weight * mu).sum()) - (one.weight * told).sum() / (one.weight @ one.fell)
    assert one.gain() == pytest.approx(-score - one.base, rel=1e-12)
    dice = np.random.default_rng(2)
    mu, events = dice.gamma(2, 0.1, 500), dice.poisson(0.2, 500).astype(float)
    by_stopping = deviance_apart_from_level(mu, events=events, weight=np.ones(500))
    here = Verdict(mu, events * np.log(mu), events, np.ones(500), 0.0, {}).gain()
    assert here == pytest.approx(-by_stopping, rel=1e-12)


def test_a_difference_with_itself_is_nothing_and_with_noise_is_told_apart() -> None:
    ones = np.ones(4000)
    a = [made(np.random.default_rng(fold), ones) for fold in range(3)]
    noise = np.exp(np.random.default_rng(9).normal(0, 1, 4000))
    b = [made(np.random.default_rng(fold), noise) for fold in range(3)]
    none = verdict.paired(a, a, resamples=20)
    assert (none.value, none.low, none.high) == (0, 0, 0)
    assert verdict.paired(a, b, resamples=50).low > 0


def test_verdicts_are_kept_as_they_were(judged: list[Verdict], tmp_path: Path) -> None:
    verdict.save(tmp_path / "kept.npz", judged)
    again = verdict.load(tmp_path / "kept.npz")
    assert [each.gain() for each in again] == [each.gain() for each in judged]
    assert verdict.mean_auc(again) == verdict.mean_auc(judged)
    assert 0.5 < verdict.mean_auc(judged)[36] < 1
    assert [file.name for file in tmp_path.iterdir()] == ["kept.npz"]
