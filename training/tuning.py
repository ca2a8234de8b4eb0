"""The command that searches: which folds, how long, families side by side, and what is recorded."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from features import sets
from features.book import Book, read_book
from models import registry
from pricing.errors import InputError
from training import say, search, space, verdict
from training.folds import rolling
from training.metrics import Interval
from training.options import Family, Options
from training.search import OutOfTimeError, Search, Tried
from training.settings import Settings
from training.split import Labels, Split, by_time, name_of
from training.tuned import Tuned
from training.verdict import Ground, Verdict

if TYPE_CHECKING:
    from training.track import Figure, Log

MEMBERS, NETWORKS = 3, 1  # of a trial; a fit has more, which helps every choice alike
RESAMPLES = 200
FOUND = "found"  # folder of the files that `fit --tuned` reads
OBJECTIVE = "log-likelihood a default at the level that suits a fold, less that by age alone, nats"


@dataclass(frozen=True)
class Request:
    """What to search.

    Attributes:
        columns: name of an embedded column set, or a path.
        data: the file.
        labels: that may be learnt from.
        families: whose sizes are looked for, one after the other.
        folds: how many.
        minutes: after which the search ends, all families together.
        trials: of a family, at which it is done; None has no end but the time's.
        seed: of every draw.
        threads: of LightGBM.
        study: name of the search; None makes one of what it is of.
    """

    columns: str
    data: Path
    labels: Labels
    families: tuple[Family, ...]
    folds: int
    minutes: float
    trials: int | None
    seed: int
    threads: int
    study: str | None


@dataclass(frozen=True)
class Contender:
    """A family after its search: its best, beside itself as shipped and beside the best of all.

    Attributes:
        family: whose.
        best: of its trials.
        trials: how many were judged on all folds.
        pruned: how many were given up before.
        gained: over the family as shipped, paired, 90 %.
        behind: less the best family, likewise; zero for the best itself.
    """

    family: Family
    best: Tried
    trials: int
    pruned: int
    gained: Interval
    behind: Interval


def tune(request: Request, settings: Settings) -> tuple[Contender, ...]:
    """Search until the time is over, compare the families, write and record what was found.

    Args:
        request: what to search.
        settings: where to record it.

    Raises:
        InputError: the folds have too few defaults, or the named study is of something else.
        KeyboardInterrupt: as it came, after what was found by then is written and recorded.
    """
    column_set = sets.load(request.columns)
    parts = by_time(read_book(request.data, column_set), labels=request.labels)
    folds = rolling(parts, request.folds)
    identity = _identity(request, parts.train, [fold.name for fold in folds])
    folder = (
        settings.var / "tuning" / (request.study or f"{column_set.name}-{_digest(identity)[:8]}")
    )
    tags = {"study": folder.name, "identity": _digest(identity)}
    with search.alone(folder), registry.client(settings.uri) as client:
        from training.track import Log  # it imports MLflow, after `client` has settled it

        searches = [
            Search(
                folder=folder,
                family=family,
                grounds=tuple(Ground.of(fold, request.seed) for fold in folds),
                options=_options(request),
                identity=identity,
            )
            for family in request.families
        ]
        for each in searches:
            each.check()
        log = Log.open(client, f"{settings.model} tuning", tags, settings.artifacts)
        stopped = _run(searches, request, log)
        found = _contenders(searches)
        if not found and not stopped:
            expected = "enough for a trial on all folds (asked again, the search goes on)"
            raise InputError.of("minutes", expected, request.minutes)
        _write(folder, found, parts, identity)
        log.close(_figures(found), folder / FOUND)
    say.contenders(
        f"{folder.name}: {len(folds)} folds, {folds[0].name} ... {folds[-1].name}", found
    )
    say.tuned(folder / FOUND, [one.family.value for one in found])
    if stopped:
        raise KeyboardInterrupt
    return found


def _options(request: Request) -> Options:
    """Return what every trial shares: as shipped, but with few members."""
    plain = Options(seed=request.seed, threads=request.threads, labels=request.labels)
    return replace(
        plain,
        default=replace(plain.default, members=MEMBERS),
        network=replace(plain.network, members=NETWORKS),
    )


def _identity(request: Request, train: Book, folds: Sequence[str]) -> dict[str, str]:
    """Return what trials must have in common to be compared."""
    column_set = train.column_set
    spaces = {of: [asdict(one) for one in found] for of, found in space.SPACE.items()}
    return {
        "data": train.digest,
        "columns": hashlib.sha256(sets.to_toml(column_set).encode()).hexdigest(),
        "labels": request.labels.value,
        "folds": ", ".join(folds),
        "seed": str(request.seed),
        "space": _digest({"spaces": spaces, "options": asdict(_options(request))}),
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _run(searches: Sequence[Search], request: Request, log: Log) -> bool:
    """Search one family after the other, each in its share of the time left.

    Returns:
        Whether somebody pressed Ctrl-C.
    """
    end = time.monotonic() + 60 * request.minutes
    known = log.names()
    try:
        for number, each in enumerate(searches):
            share = (end - time.monotonic()) / (len(searches) - number)
            with _Watch(each.family.value, share) as told, suppress(OutOfTimeError):
                _record(log, known, each)
                each.shipped(told)
                each.run(trials=request.trials, told=told, tried=partial(_record, log, known))
    except KeyboardInterrupt:
        return True
    return False


class _Watch:
    """A progress bar of the time, which ends a search when it is over."""

    def __init__(self, what: str, seconds: float) -> None:
        self._bars = say.progress()
        self._what, self._seconds = what, seconds
        self._began = time.monotonic()

    def __enter__(self) -> Callable[[str], None]:
        self._bars.start()
        task = self._bars.add_task(self._what, total=self._seconds)

        def told(step: str) -> None:
            passed = time.monotonic() - self._began
            self._bars.update(task, completed=passed, description=f"{self._what}: {step}")
            if passed > self._seconds:
                raise OutOfTimeError

        return told

    def __exit__(self, *_: object) -> None:
        self._bars.stop()


def _record(log: Log, known: set[str], of: Search) -> None:
    """Write the trials that the log does not hold yet."""
    from training.track import Figure, Trial

    for tried in of.tried():
        name = f"{of.family.value} {tried.number}"
        if name in known:
            continue
        folds = [Figure("fold/gain", gain, step) for step, gain in enumerate(tried.gains)]
        ranked = [Figure(f"auc_{months}m", auc) for months, auc in tried.auc.items()]
        log.add(
            Trial(
                name=name,
                parameters={key: str(value) for key, value in tried.choice.items()},
                figures=[
                    Figure("gain", tried.gain),
                    Figure("seconds", tried.seconds),
                    *folds,
                    *ranked,
                ],
                tags={"family": of.family.value, "pruned": str(tried.pruned).lower()},
                began=tried.began,
                seconds=tried.seconds,
            )
        )
        known.add(name)


def _contenders(searches: Sequence[Search]) -> tuple[Contender, ...]:
    """Return the families that have a trial on all folds, the best first."""
    kept = [(each, best) for each in searches if (best := each.best()) is not None]
    kept.sort(key=lambda pair: -pair[1].gain)
    judged = [each.verdicts(best, lambda step: None) for each, best in kept]
    return tuple(
        Contender(
            family=each.family,
            best=best,
            trials=sum(not tried.pruned for tried in each.tried()),
            pruned=sum(tried.pruned for tried in each.tried()),
            gained=_paired(ours, each.shipped(lambda step: None)),
            behind=_paired(ours, judged[0]),
        )
        for (each, best), ours in zip(kept, judged, strict=True)
    )


def _paired(ours: Sequence[Verdict], theirs: Sequence[Verdict]) -> Interval:
    return verdict.paired(ours, theirs, resamples=RESAMPLES)


def _write(
    folder: Path, found: Sequence[Contender], parts: Split, identity: Mapping[str, str]
) -> None:
    (folder / FOUND).mkdir(exist_ok=True)
    column_set = parts.train.column_set
    for one in found:
        said = Tuned(
            family=one.family.value,
            chosen=one.best.choice,
            study=folder.name,
            data=identity["data"],
            column_set=f"{column_set.name} {column_set.version}",
            columns=identity["columns"],
            labels=identity["labels"],
            folds=tuple(identity["folds"].split(", ")),
            until=name_of(parts.test_from),
            seed=int(identity["seed"]),
            objective=OBJECTIVE,
            gain=one.best.gain,
            shipped_gain=one.best.gain - one.gained.value,
            trials=one.trials,
            pruned=one.pruned,
        )
        (folder / FOUND / f"{one.family.value}.toml").write_text(said.text(), encoding="utf-8")


def _figures(found: Sequence[Contender]) -> list[Figure]:
    from training.track import Figure

    return [
        figure
        for one in found
        for figure in (
            Figure(f"{one.family.value}/gain", one.best.gain),
            Figure(f"{one.family.value}/gain_over_shipped", one.gained.value),
            Figure(f"{one.family.value}/trials", one.trials),
            Figure(f"{one.family.value}/pruned", one.pruned),
        )
    ]
