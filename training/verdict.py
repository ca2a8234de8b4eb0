"""What a choice of options is worth on a fold: log-likelihood a default, and ranking beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.encode import Encoder
from pricing.survival import DEFAULT
from training import metrics
from training.causes import Causes
from training.evaluate import HORIZONS_MONTHS, Foretold
from training.fit import Learner
from training.folds import Fold
from training.metrics import Interval
from training.options import Options
from training.periods import Floats, Periods

RANKED = 30  # defaults within a horizon, below which no AUC is told


@dataclass(frozen=True)
class Verdict:
    """One fold, judged.

    With w weights, e months at risk, d defaults and h the foretold hazards, the log-likelihood a
    default at the level c that suits the fold best is, up to a constant of the data,

        l(h) = (sum w d log h) / (sum w d) - log( sum w e h ),

    the profile of the Poisson likelihood of `training/boost.py`. The level of next year's economy
    is the overlay's matter (`training/overlay.py`): no size of a tree foretells it.

    Attributes:
        expected: (n,) months at risk times hazard, summed over the ages of each judged project.
        spoken: (n,) log hazard at the age of its default, 0 of a project without one.
        fell: (n,) whether it defaulted.
        weight: (n,).
        base: l of the hazards by age alone, which no column enters.
        auc: by horizon in months, where enough defaulted within it.
    """

    expected: Floats
    spoken: Floats
    fell: Floats
    weight: Floats
    base: float
    auc: Mapping[int, float]

    def gain(self, times: Floats | float = 1.0) -> float:
        """Return l less that of the ages alone, in nats a default: higher is better.

        Args:
            times: (n,) how often each project counts.
        """
        weight = self.weight * times
        return _profile(self.expected, self.spoken, self.fell, weight) - self.base


def gain(verdicts: Sequence[Verdict]) -> float:
    """Return the mean over folds, in nats a default."""
    return float(np.mean([verdict.gain() for verdict in verdicts]))


def mean_auc(verdicts: Sequence[Verdict]) -> dict[int, float]:
    """Return the mean AUC by horizon in months, over the folds that can tell it."""
    found = {h: [v.auc[h] for v in verdicts if h in v.auc] for h in HORIZONS_MONTHS}
    return {horizon: float(np.mean(some)) for horizon, some in found.items() if some}


def paired(ours: Sequence[Verdict], theirs: Sequence[Verdict], *, resamples: int) -> Interval:
    """Return the difference of the gains, with its 90 % bootstrap interval over projects.

    In each fold both are counted on the same projects, drawn with replacement.

    Args:
        ours: of every fold.
        theirs: of the same folds.
        resamples: of the bootstrap.
    """
    drawn = np.mean(
        [
            [a.gain(times) - b.gain(times) for times in metrics.draws(len(a.fell), resamples, fold)]
            for fold, (a, b) in enumerate(zip(ours, theirs, strict=True))
        ],
        axis=0,
    )
    low, high = np.quantile(drawn, [0.05, 0.95])
    return Interval(gain(ours) - gain(theirs), float(low), float(high))


def save(file: Path, verdicts: Sequence[Verdict]) -> None:
    """Write the verdicts on all folds as plain arrays."""
    held = {
        f"{fold}.{name}": np.asarray(getattr(verdict, name))
        for fold, verdict in enumerate(verdicts)
        for name in ("expected", "spoken", "fell", "weight", "base")
    }
    ranked = {f"{fold}.auc": np.array([*v.auc.items()]) for fold, v in enumerate(verdicts)}
    part = file.with_suffix(".part.npz")
    np.savez(part, allow_pickle=False, **held, **ranked)
    part.replace(file)


def load(file: Path) -> list[Verdict]:
    """Read what `save` wrote."""
    with np.load(file, allow_pickle=False) as held:
        count = len({name.partition(".")[0] for name in held})
        return [
            Verdict(
                expected=held[f"{fold}.expected"],
                spoken=held[f"{fold}.spoken"],
                fell=held[f"{fold}.fell"],
                weight=held[f"{fold}.weight"],
                base=float(held[f"{fold}.base"]),
                auc={int(h): float(auc) for h, auc in held[f"{fold}.auc"].reshape(-1, 2)},
            )
            for fold in range(count)
        ]


@dataclass(frozen=True)
class Ground:
    """A fold, encoded once for all options that are tried on it.

    Attributes:
        fold: as it was cut.
        x: (n, columns) what is learnt from.
        seen: (m, columns) what is judged, as quotes would be encoded.
    """

    fold: Fold
    x: Floats
    seen: Floats

    @classmethod
    def of(cls, fold: Fold, seed: int) -> Ground:
        """Encode a fold by what its learning side knows."""
        learn = fold.learn.weighed
        encoder, x = Encoder.fit(learn, learn.column_set.age_edges_months, seed)
        return cls(fold, x, encoder.matrix(fold.judge.frame))

    def judge(self, options: Options, told: Callable[[str], None]) -> Verdict:
        """Learn the hazard of default by the options, and judge it.

        Args:
            options: of the fit.
            told: of each step when it is done.
        """
        causes, _, _ = Learner(self.fold.learn.weighed, self.x, options, told).hazard()
        return self._verdict(causes, options.threads)

    def _verdict(self, causes: Causes, threads: int) -> Verdict:
        judged = self.fold.judge
        margins = causes.margins(self.seen, threads=threads)
        periods = Periods.of(self.seen, judged.weighed, cause="default")
        ages = np.broadcast_to(self._ages, periods.months.shape)
        foretold = Foretold.of(margins, judged)
        return Verdict(
            *_sums(periods, margins[:, DEFAULT]),
            fell=periods.events.sum(axis=1),
            weight=periods.weight,
            base=_profile(*_sums(periods, ages), periods.events.sum(axis=1), periods.weight),
            auc=dict(_ranked(foretold)),
        )

    @property
    def _ages(self) -> Floats:
        return Periods.of(self.x, self.fold.learn.weighed, cause="default").baseline  # (K,)


def _sums(periods: Periods, log_hazard: Floats) -> tuple[Floats, Floats]:
    expected = (periods.months * np.exp(log_hazard)).sum(axis=1)
    return expected, (periods.events * log_hazard).sum(axis=1)


def _profile(expected: Floats, spoken: Floats, fell: Floats, weight: Floats) -> float:
    return float(weight @ spoken / (weight @ fell) - np.log(weight @ expected))


def _ranked(foretold: Foretold) -> Iterator[tuple[int, float]]:
    for horizon in HORIZONS_MONTHS:
        followed = foretold.followed(horizon)
        if followed.any():
            forecast = foretold.forecast(horizon, followed)
            if min(forecast.y.sum(), (1 - forecast.y).sum()) >= RANKED:
                yield horizon, metrics.auc(forecast)
