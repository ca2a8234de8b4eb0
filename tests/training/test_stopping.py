from __future__ import annotations

import numpy as np
import pytest

from tests.training import books
from tests.training.test_boost import NO_BLANKS, SIGNS, matrix
from training import stopping
from training.periods import Periods
from training.trees import Trees

TREES = Trees(1, 300, 5, 0.3, min_events=2.0)


def periods(loans: int) -> Periods:
    book = books.book(loans)
    return Periods.of(matrix(book), book, cause="default")


def choose(of: Periods, depths: tuple[int, ...] = (2, 5)) -> stopping.Stopping:
    return stopping.choose(
        of, signs=SIGNS, trees=TREES, depths=depths, blanks=NO_BLANKS, seed=0, threads=1
    )


def test_the_latest_vintages_judge_and_no_earlier_one() -> None:
    of = periods(6000)
    held = stopping.latest(of)
    assert held is not None
    assert of.originated[held].min() > of.originated[~held].max()
    assert of.events[held].sum() >= stopping.HELD_EVENTS
    assert 0.14 < held.mean() < 0.36


def test_growing_stops_before_it_learns_noise() -> None:
    found = choose(periods(6000))
    assert found.how == "later vintages"
    assert 1 <= found.rounds < TREES.rounds
    assert found.score is not None
    assert found.score[found.depth] == min(found.score.values())


@pytest.mark.parametrize(("loans", "path"), [(300, 6.0), (800, None), (2000, 12.0)])
def test_a_book_too_small_to_ask_gets_shallow_trees_as_many_as_its_events_bear(
    loans: int, path: float | None
) -> None:
    of = periods(loans)
    found = choose(of)
    assert found.how.startswith("fixed")
    told = path or stopping.PATH_AN_EVENT * of.events.sum()
    assert 6.0 <= told <= 12.0
    assert (found.rounds, found.depth) == (round(told / TREES.learning_rate), 3)


def test_the_score_does_not_see_the_level() -> None:
    dice = np.random.default_rng(0)
    expected = dice.gamma(2, 0.01, 5000)
    events, weight = dice.poisson(expected).astype(float), dice.choice([1.0, 3.0], 5000)

    def score(mu: np.ndarray) -> float:
        return stopping.deviance_apart_from_level(mu, events=events, weight=weight)

    assert score(7 * expected) == pytest.approx(score(expected), rel=1e-12)
    assert score(dice.permutation(expected)) > score(expected)
