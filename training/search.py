"""A search among the sizes of one family, on the folds of the training window, kept in a file.

A choice is tried fold by fold, the cheapest first, and given up when its mean so far is below the
median of what other choices had by then. Whatever ends a search (its time, Ctrl-C, a kill), the
next one with the same folder goes on where it ended, and comes to the same trials as one that was
never ended: the dice of a trial depend on the seed and on how many trials are done, on nothing
else.

Sources: Akiba et al. (2019), Optuna; Bergstra et al. (2011), tree-structured Parzen estimators;
Golovin et al. (2017), Google Vizier, section 3.2.2 (the median rule).
"""

from __future__ import annotations

import fcntl
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from pricing.errors import Fault, InputError
from training import space, verdict
from training.boost import member_seed
from training.options import Family, Options
from training.verdict import Ground, Verdict

TRIALS, LOCK = "trials.db", "lock"
UNSIFTED = 8  # first trials that are drawn by chance, and the first that none is given up for
FIXED = "fixed_params"  # where Optuna keeps what a trial that was put in the queue must choose
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class Tried:
    """One choice and what became of it.

    Attributes:
        number: of the trial among those that are done.
        choice: by "part.name".
        pruned: whether it was given up before the last fold.
        gains: of each fold it was judged on, in nats a default.
        auc: its mean over these folds, by horizon in months, where it could be told.
        began: seconds since January 1970.
        seconds: that it took.
    """

    number: int
    choice: Mapping[str, int | float]
    pruned: bool
    gains: tuple[float, ...]
    auc: Mapping[int, float]
    began: float
    seconds: float

    @property
    def gain(self) -> float:
        """Return the mean over the folds it was judged on."""
        return float(np.mean(self.gains))


class OutOfTimeError(Exception):
    """The time of the search is over."""


@dataclass(frozen=True)
class Search:
    """The trials of one family.

    Attributes:
        folder: of the whole search, all families.
        family: whose sizes are looked for.
        grounds: the folds, the earliest first.
        options: that every trial shares, with few members.
        identity: what the trials are of; a search of anything else is refused.
    """

    folder: Path
    family: Family
    grounds: Sequence[Ground]
    options: Options
    identity: Mapping[str, str]

    def check(self) -> None:
        """Refuse trials of anything else.

        Raises:
            InputError: the folder holds such; says what is another.
        """
        self._study()

    def run(
        self, *, trials: int | None, told: Callable[[str], None], tried: Callable[[Search], None]
    ) -> None:
        """Try one choice after the other.

        Args:
            trials: at which the search is done, those of earlier runs counted; None has no end.
            told: of every step; raises `OutOfTimeError` to end the search.
            tried: called whenever a trial is done.

        Raises:
            OutOfTimeError: as `told` did.
        """
        study = self._study()
        while trials is None or len(self._done(study)) < trials:
            self._try(study, told)
            tried(self)

    def tried(self) -> list[Tried]:
        """Return the trials that are done, in their order."""
        return [_tried(number, each) for number, each in enumerate(self._done(self._study()))]

    def best(self) -> Tried | None:
        """Return the best of the trials that were judged on all folds; None if there is none."""
        whole = [each for each in self.tried() if not each.pruned]
        return max(whole, key=lambda each: each.gain, default=None)

    def verdicts(self, best: Tried, told: Callable[[str], None]) -> list[Verdict]:
        """Return what the best is worth, fold by fold; judged again where it was not kept."""
        if self._best.exists():
            kept = verdict.load(self._best)
            if verdict.gain(kept) == best.gain:
                return kept
        return self._judged(self._options(best.choice), self._best, told)

    def shipped(self, told: Callable[[str], None]) -> list[Verdict]:
        """Return what the family as shipped is worth, fold by fold; judged once and kept."""
        file = self.folder / f"{self.family.value}-shipped.npz"
        if not file.exists():
            return self._judged(replace(self.options, family=self.family), file, told)
        return verdict.load(file)

    def _judged(self, options: Options, file: Path, told: Callable[[str], None]) -> list[Verdict]:
        verdicts = [ground.judge(options, told) for ground in self.grounds]
        verdict.save(file, verdicts)
        return verdicts

    @property
    def _best(self) -> Path:
        return self.folder / f"{self.family.value}-best.npz"

    def _options(self, choice: Mapping[str, int | float]) -> Options:
        return space.chosen(replace(self.options, family=self.family), choice)

    def _study(self) -> optuna.Study:
        """Open the trials, and take up what a killed process left undone."""
        with _quiet():
            study = optuna.create_study(
                storage=f"sqlite:///{self.folder / TRIALS}",
                study_name=self.family.value,
                direction="maximize",
                load_if_exists=True,
                pruner=optuna.pruners.MedianPruner(n_startup_trials=UNSIFTED),
            )
        known = study.user_attrs.get("identity")
        if known is None:
            study.set_user_attr("identity", dict(self.identity))
            study.enqueue_trial(space.shipped(self.family, self.options))
        elif known != self.identity:
            raise InputError(_apart(self.identity, known))
        return study

    def _done(self, study: optuna.Study) -> list[FrozenTrial]:
        done = study.get_trials(deepcopy=False, states=DONE)
        return sorted(done, key=lambda trial: trial.user_attrs["rank"])

    def _try(self, study: optuna.Study, told: Callable[[str], None]) -> None:
        rank = len(self._done(study))
        with _quiet():
            study.sampler = optuna.samplers.TPESampler(
                seed=member_seed(self.options.seed, rank),
                n_startup_trials=UNSIFTED,
                multivariate=True,
            )
            trial = study.ask()
            choice = {d.key: d.tidy(_asked(trial, d)) for d in space.SPACE[self.family]}
        trial.set_user_attr("rank", rank)
        trial.set_user_attr("choice", choice)
        began, verdicts = time.time(), list[Verdict]()
        for step, ground in enumerate(self.grounds):
            verdicts.append(ground.judge(self._options(choice), told))
            trial.report(verdict.gain(verdicts), step)
            if step + 1 < len(self.grounds) and trial.should_prune():
                break
        trial.set_user_attr("gains", [each.gain() for each in verdicts])
        trial.set_user_attr("auc", {str(h): a for h, a in verdict.mean_auc(verdicts).items()})
        trial.set_user_attr("time", [began, time.time() - began])
        if len(verdicts) < len(self.grounds):
            study.tell(trial, state=TrialState.PRUNED)
            return
        best, gain = self.best(), verdict.gain(verdicts)
        if best is None or gain > best.gain:
            verdict.save(self._best, verdicts)
        study.tell(trial, gain)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a search's folder, made if absent; what an earlier process left undone is asked again.

    Raises:
        InputError: another process searches there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            expected = "one that no other process is searching"
            raise InputError.of("study", expected, folder.name) from None
        _take_up(folder)
        yield


def _take_up(folder: Path) -> None:
    """Ask again what was under way when a process ended: nobody else can be at it."""
    if not (folder / TRIALS).exists():
        return
    storage = f"sqlite:///{folder / TRIALS}"
    with _quiet():
        for name in optuna.get_all_study_names(storage):
            study = optuna.load_study(study_name=name, storage=storage)
            for left in study.get_trials(states=(TrialState.RUNNING,)):
                study.tell(left.number, state=TrialState.FAIL)
                if FIXED in left.system_attrs:  # other choices fall again from the same dice
                    study.enqueue_trial(left.system_attrs[FIXED])


def _asked(trial: optuna.Trial, dimension: space.Dimension) -> float:
    low, high, log = dimension.low, dimension.high, dimension.log
    if dimension.whole:
        return trial.suggest_int(dimension.key, int(low), int(high), log=log)
    return trial.suggest_float(dimension.key, low, high, log=log)


def _tried(number: int, trial: FrozenTrial) -> Tried:
    said: dict[str, Any] = trial.user_attrs
    return Tried(
        number=number,
        choice=said["choice"],
        pruned=trial.state is TrialState.PRUNED,
        gains=tuple(said["gains"]),
        auc={int(horizon): value for horizon, value in said["auc"].items()},
        began=said["time"][0],
        seconds=said["time"][1],
    )


def _apart(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[Fault]:
    keys = sorted(key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key))
    return [
        Fault(f"study: {key}", f"{theirs.get(key)}, as it began", str(ours.get(key)))
        for key in keys
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's word on what is experimental, and its log, from the terminal."""
    optuna.logging.set_verbosity(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
