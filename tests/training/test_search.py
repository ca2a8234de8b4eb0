from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from pricing.errors import InputError
from tests.conftest import ROOT
from tests.training import books
from training import search, space, verdict
from training.folds import rolling
from training.options import Family, Options
from training.search import OutOfTimeError, Search, Tried
from training.shape import Shape
from training.split import by_time
from training.trees import DEEPEST, Trees
from training.verdict import Ground

FEW = Options(
    default=Trees(1, 40, 3, 0.2), depths=(3,), network=Shape(members=1, pairs=4, epochs=4)
)
POOR = {"default.depth": 2, "default.column_share": 0.2, "default.l2": 50.0}
IDENTITY = {"data": "0" * 64, "folds": "three"}


def grounds() -> tuple[Ground, ...]:
    return tuple(Ground.of(fold, 20) for fold in rolling(by_time(books.book(4000)), 3))


@pytest.fixture(scope="module")
def ground() -> tuple[Ground, ...]:
    return grounds()


@pytest.fixture(scope="module")
def whole(ground: tuple[Ground, ...], tmp_path_factory: pytest.TempPathFactory) -> Search:
    """Return a search of ten trials that nobody interrupted, and one of a poor choice."""
    made = begun(tmp_path_factory.mktemp("whole"), ground)
    with search.alone(made.folder):
        run(made, 10)
        storage = f"sqlite:///{made.folder / search.TRIALS}"
        optuna.load_study(study_name="boosted", storage=storage).enqueue_trial(POOR)
        run(made, 11)
    return made


def begun(folder: Path, ground: tuple[Ground, ...], family: Family = Family.BOOSTED) -> Search:
    return Search(folder, family, ground, FEW, IDENTITY)


def run(of: Search, trials: int, told: Callable[[str], None] = lambda step: None) -> None:
    of.run(trials=trials, told=told, tried=lambda _: None)


def choices(of: Search) -> list[tuple[object, ...]]:
    return [(each.number, dict(each.choice), each.gains, each.pruned) for each in of.tried()]


def test_the_first_choice_is_the_one_as_shipped_and_the_best_is_no_worse(whole: Search) -> None:
    tried, best = whole.tried(), whole.best()
    assert tried[0].choice == space.shipped(Family.BOOSTED, FEW)
    assert best is not None
    assert best.gain == max(each.gain for each in tried if not each.pruned) >= tried[0].gain
    assert len({str(each.choice) for each in tried}) == 11


def test_the_same_seed_gives_the_same_trials(
    whole: Search, ground: tuple[Ground, ...], tmp_path: Path
) -> None:
    again = begun(tmp_path, ground)
    with search.alone(tmp_path):
        run(again, 3)
    assert choices(again) == choices(whole)[:3]
    other = replace(begun(tmp_path / "other", ground), options=replace(FEW, seed=21))
    with search.alone(other.folder):
        run(other, 2)
    assert other.tried()[1].choice != whole.tried()[1].choice


def test_a_choice_below_the_median_is_given_up_and_said_to_be(whole: Search) -> None:
    *others, poor = whole.tried()
    assert POOR.items() <= poor.choice.items()
    assert poor.pruned
    assert len(poor.gains) == 1
    assert poor.gains[0] < np.median([each.gains[0] for each in others if not each.pruned])
    assert all(len(each.gains) == 3 and each.seconds > 0 for each in others if not each.pruned)


def test_the_best_is_kept_fold_by_fold_and_judged_again_where_it_is_lost(
    whole: Search,
) -> None:
    best = whole.best()
    assert best is not None
    kept = whole.verdicts(best, lambda step: None)
    assert tuple(each.gain() for each in kept) == best.gains
    (whole.folder / "boosted-best.npz").unlink()
    again = whole.verdicts(best, lambda step: None)
    assert verdict.gain(again) == pytest.approx(best.gain, rel=1e-12)


def test_a_search_of_other_data_is_refused_by_name(whole: Search) -> None:
    other = replace(whole, identity={"data": "1" * 64, "folds": "four"})
    with pytest.raises(InputError) as error:
        other.check()
    assert [fault.field for fault in error.value.faults] == ["study: data", "study: folds"]
    with pytest.raises(InputError):
        run(other, 20)
    assert len(whole.tried()) == 11


def test_two_processes_do_not_search_in_one_folder(tmp_path: Path) -> None:
    with (
        search.alone(tmp_path),
        pytest.raises(InputError, match="no other process"),
        search.alone(tmp_path),
    ):
        pass


class Over:
    """Ends a search at its n-th step, by an exception of choice."""

    def __init__(self, steps: int, error: type[BaseException]) -> None:
        self.steps, self.error = steps, error

    def __call__(self, step: str) -> None:
        self.steps -= 1
        if not self.steps:
            raise self.error


@pytest.mark.parametrize("error", [OutOfTimeError, KeyboardInterrupt])
def test_what_was_under_way_when_time_was_over_is_tried_again(
    whole: Search, ground: tuple[Ground, ...], tmp_path: Path, error: type[BaseException]
) -> None:
    ended = begun(tmp_path, ground)
    with search.alone(tmp_path), pytest.raises(error):
        run(ended, 4, Over(9, error))  # in the second trial
    assert len(ended.tried()) == 1
    with search.alone(tmp_path):
        run(ended, 4)
    assert choices(ended) == choices(whole)[:4]


KILLED = """
import sys
from pathlib import Path
from tests.training.test_search import begun, grounds, run
from training import search

made = begun(Path(sys.argv[1]), grounds())
with search.alone(made.folder):
    run(made, 1000, lambda step: print(step, flush=True))
"""


def test_a_killed_search_goes_on_to_the_trials_it_would_have_come_to(
    whole: Search, ground: tuple[Ground, ...], tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    resumed = begun(tmp_path, ground)
    deadline = time.monotonic() + 120
    assert process.stdout is not None
    while time.monotonic() < deadline and process.stdout.readline():
        if (tmp_path / search.TRIALS).exists() and len(resumed.tried()) >= 3:
            break
    process.stdout.readline()  # the next trial is under way
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    process.stdout.close()
    done = len(resumed.tried())
    assert 3 <= done < 10
    with search.alone(tmp_path):
        run(resumed, 10)
    assert choices(resumed) == choices(whole)[:10]


@pytest.mark.parametrize("done", [0, 2])
def test_a_search_killed_in_the_middle_of_a_choice_chooses_the_same_again(
    whole: Search, ground: tuple[Ground, ...], tmp_path: Path, done: int
) -> None:
    resumed = begun(tmp_path, ground)
    with search.alone(tmp_path):
        run(resumed, done)
        storage = f"sqlite:///{tmp_path / search.TRIALS}"
        resumed.check()
        cut = optuna.load_study(study_name="boosted", storage=storage).ask()
        cut.suggest_int("default.depth", 2, DEEPEST)
    with search.alone(tmp_path):
        run(resumed, 3)
    assert choices(resumed) == choices(whole)[:3]


@pytest.mark.parametrize("family", [Family.NETWORK, Family.BLENDED])
def test_every_family_has_sizes_of_its_own(
    family: Family, ground: tuple[Ground, ...], tmp_path: Path
) -> None:
    made = begun(tmp_path, ground, family)
    with search.alone(tmp_path):
        run(made, 2)
    tried: list[Tried] = made.tried()
    assert set(tried[1].choice) == {dimension.key for dimension in space.SPACE[family]}
    assert tried[0].gain != tried[1].gain
    options = space.chosen(FEW, tried[1].choice)
    assert options.network.pairs == tried[1].choice["network.pairs"]


def test_a_chosen_pace_brings_its_rounds_and_a_chosen_depth_is_the_only_one() -> None:
    made = space.chosen(Options(), {"default.learning_rate": 0.06, "default.depth": 4})
    assert (made.default.rounds, made.depths, made.default.depth) == (400, (4,), 4)
    assert made.exit == Options().exit
    assert space.chosen(Options(), {}) == Options()


def test_a_choice_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"default\.bins"):
        space.chosen(Options(), {"default.bins": 3})


def test_every_size_that_may_be_chosen_can_be_served() -> None:
    for dimension in space.TREES:
        for end in (dimension.low, dimension.high):
            space.chosen(Options(), {dimension.key: dimension.tidy(end)})
    assert max(d.high for d in space.TREES if d.name == "depth") == DEEPEST
