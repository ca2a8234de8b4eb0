"""The two long commands, step by step: make a version from a file, judge a model on a file."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from features import sets
from features.book import Book, read_book
from models import artifact, registry
from models.hazard import HazardModel
from models.registry import Version
from pricing import policy
from pricing.errors import InputError, ModelError
from training import say, space, split
from training.evaluate import Measure, evaluate
from training.fit import Fitted, fit
from training.options import Family, Options
from training.settings import Settings
from training.split import Labels
from training.tuned import Tuned

if TYPE_CHECKING:
    from models.registry import MlflowClient

RESAMPLES, FEW_RESAMPLES = 200, 50
QUICK_DEPTH = 4
ROOT = Path(__file__).parent.parent
RUN = re.compile(r"[0-9a-f]{32}")  # of MLflow


@dataclass(frozen=True)
class Order:
    """What to fit."""

    columns: str  # name of an embedded column set, or a path
    data: Path
    simulated: bool
    labels: Labels
    seed: int
    quick: bool
    family: Family | None  # None: that of the tuned sizes, or else trees
    depth: int | None  # of the trees of default; None lets the fit choose
    threads: int
    tuned: str | None = None  # file of tuned sizes, or the run of the search that found them

    def options(self, name: str, found: Tuned | None = None) -> Options:
        """Return the options of the fit.

        Args:
            name: of the registered model.
            found: the tuned sizes.
        """
        chosen = Options(
            name=name,
            seed=self.seed,
            threads=self.threads,
            labels=self.labels,
            family=self.family or Family.BOOSTED,
        )
        if found is not None:
            chosen = space.tuned(chosen, found)
        if self.depth is not None:
            deep = replace(chosen.default, depth=self.depth)
            chosen = replace(chosen, default=deep, depths=(self.depth,))
        if not self.quick:
            return chosen
        return replace(
            chosen,
            default=replace(chosen.default, members=2, rounds=60),
            depths=chosen.depths if self.depth or found else (QUICK_DEPTH,),
            exit=replace(chosen.exit, members=1, rounds=30),
            lgd=replace(chosen.lgd, members=1, rounds=20),
            network=replace(chosen.network, members=2, pairs=20, epochs=8),
            background=2000,
        )


def make(order: Order, settings: Settings, folder: Path) -> Version:
    """Read, fit, judge, seal, draw, record and register; print what came out.

    Args:
        order: what to fit.
        settings: where to record it.
        folder: an empty one, for the files on their way.
    """
    _ready(settings)
    column_set = sets.load(order.columns)
    book = read_book(order.data, column_set)
    with registry.client(settings.uri) as client:
        from training import pack, track  # they import MLflow, after `client` has settled it

        track.reach(client)
        found = _tuned(order, folder)
        source = pack.Source(
            data=order.data,
            simulated=order.simulated,
            commit=commit(),
            policy=policy.text(settings.policy, currency=column_set.currency),
            champion=_champion(client, settings),
        )
        fitted = _fit(book, order.options(settings.model, found))
        with _Bar("judging and drawing", pack.STEPS) as told:
            packed = pack.pack(
                fitted,
                book,
                source,
                folder,
                resamples=FEW_RESAMPLES if order.quick else RESAMPLES,
                told=told,
            )
        with _Bar("recording", 1) as told:
            wanted = pack.entry(packed, fitted, source, settings.model)
            version = track.record(client, wanted, settings.artifacts)
            told("recorded")
    judged = packed.study
    say.figures(_title(fitted, order), judged.measures, judged.benchmark, judged.gains)
    say.registered(version)
    return version


def judge(
    which: str, folder: Path | None, data: Path, out: Path | None, settings: Settings
) -> tuple[Measure, ...]:
    """Judge a model on the loans of a file that it has not learnt from; print the figures.

    Args:
        which: a registered version, unless there is a folder.
        folder: of a model.
        data: the file.
        out: where to write every figure as CSV.
        settings: where the registry is.
    """
    if folder is None:
        with registry.client(settings.uri) as client:
            found = registry.version(client, settings.model, which)
            if found is None:
                expected = f'a version of {settings.model} (its number, an alias or "latest")'
                raise InputError.of("version", expected, which)
            folder = registry.fetch(client, found, settings.copies)
    model = artifact.read(folder)
    book = unseen(model, read_book(data, model.column_set))
    margins = model.margins(model.encoder.matrix(book.frame))
    measures = evaluate(margins, book, resamples=RESAMPLES)
    say.figures(f"{model.name} {model.digest[:8]} on {len(book):,} loans of {data}", measures)
    if out is not None:
        table = [
            {"metric": m.metric, "horizon_months": m.horizon_months, "vintage": m.vintage}
            | {"value": m.interval.value, "low": m.interval.low, "high": m.interval.high}
            | {"projects": m.projects, "defaults": m.defaults}
            for m in measures
        ]
        pl.DataFrame(table, infer_schema_length=None).write_csv(out)
    return measures


def unseen(model: HazardModel, book: Book) -> Book:
    """Return the loans that the model has not learnt from.

    Of its own file those are its test window; of any other, all that began in it or later.
    """
    if book.digest == model.card["data"]["digest"]:
        return split.by_time(book, labels=Labels.MATURE).test
    year, month = (int(part) for part in model.card["split"]["test_from"].split("-"))
    later = book.originated >= (year - 1970) * 12 + month - 1
    if not later.any():
        since = model.card["split"]["test_from"]
        raise InputError.of("data", f"loans originated from {since} on, unseen in training", "none")
    return book.take(later)


def commit() -> str:
    """Return the commit of the checkout, marked if files have changed since; or "unknown"."""
    try:
        found = [
            subprocess.run(
                ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain"))
        ]
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found[0] + ("-changed" if found[1] else "")


def _tuned(order: Order, folder: Path) -> Tuned | None:
    """Return the tuned sizes that were asked for, out of their file or their run."""
    from training import track

    if order.tuned is None:
        return None
    file = Path(order.tuned)
    if RUN.fullmatch(order.tuned) and not file.exists():
        name = f"{(order.family or Family.BOOSTED).value}.toml"
        file = track.file_of(order.tuned, name, folder / "tuned")
    found = Tuned.read(file)
    if order.family not in (None, Family(found.family)):
        raise InputError.of("family", f"{found.family}, as tuned, or left out", order.family)
    if order.depth is not None:
        raise InputError.of("depth", "left out where sizes are tuned", order.depth)
    return found


def _fit(book: Book, options: Options) -> Fitted:
    with say.progress() as bars:
        task = bars.add_task("fitting", total=None)
        return fit(
            book,
            options,
            lambda what, done, steps: bars.update(
                task, description=f"fitting: {what}", completed=done, total=steps
            ),
        )


def _champion(client: MlflowClient, settings: Settings) -> HazardModel | None:
    """Return the model that serves now, to be met by the new one; None if there is none."""
    found = registry.version(client, settings.model, settings.alias)
    if found is None:
        return None
    try:
        folder = registry.fetch(client, found, settings.copies)
        return artifact.read(folder, found.digest)
    except ModelError as error:
        say.unmet(found, error)
        return None


class _Bar:
    """A progress bar that is told each step when it is done."""

    def __init__(self, what: str, steps: int) -> None:
        self._bars = say.progress()
        self._what, self._steps = what, steps

    def __enter__(self) -> Callable[[str], None]:
        self._bars.start()
        task = self._bars.add_task(self._what, total=self._steps)
        return lambda step: self._bars.update(task, advance=1, description=f"{self._what}: {step}")

    def __exit__(self, *_: object) -> None:
        self._bars.stop()


def _ready(settings: Settings) -> None:
    settings.var.mkdir(parents=True, exist_ok=True)
    if settings.uri.startswith("sqlite:///"):
        Path(settings.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)


def _title(fitted: Fitted, order: Order) -> str:
    when = fitted.card["split"]
    test = f"{len(fitted.split.test):,} loans of {when['test_from']} to {when['test_to']}"
    return f"{'SIMULATED: ' if order.simulated else ''}out of time, {test}, 90 % intervals"
