"""Our families beside what others would build: same split, same columns, one process a model.

python -m benchmarks.peers                       every model, on real loans and simulated projects
python -m benchmarks.peers --data sba --only "XGBoost Cox" --only boosted
python -m benchmarks.peers --data simulated --world 1 --only CatBoost --only blended

What is found is kept in var/peers, a model at a time: a run that was stopped goes on where it was,
and --again forgets the models that it names. Peers that are not installed are left out and named;
`pip install '.[peers]'` brings them. Times are of the processor, one thread: what else the machine
does meanwhile counts little.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rivals import PEERS
from benchmarks.task import MONTHS, Fitted, Floats, Task
from features.book import EXITED, Book, read_book
from features.encode import Encoder
from features.sets import load
from features.simulate import simulate
from models.artifact import read
from models.explain import attribute
from pricing import policy
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms
from pricing.survival import incidence
from training import metrics, split
from training.evaluate import BRIER_STEP_MONTHS, Foretold
from training.fit import Fitted as Ours
from training.fit import fit
from training.metrics import Forecast, Interval
from training.options import Family, Options
from training.split import Labels, Split

DATA = ("sba", "simulated")
HORIZONS = (12, 36, 60)
SERVED = (Family.BOOSTED, Family.NETWORK, Family.BLENDED)
MODELS = (*(family.value for family in Family), *PEERS)
PROJECTS = 20_000
LIMIT_S = 900  # of the processor, a fit; after it the peer is given half of the projects
LEAST_SHARE = 1 / 16
RESAMPLES = 200
LOAN = Terms(amount=1e6, term_months=36, repayment="linear")
ASKED = 50  # explanations that are timed


@dataclass(frozen=True)
class Source:
    """A data set.

    Attributes:
        name: "sba", with mature labels, or "simulated", with labels as known.
        var: the folder of what is simulated and found.
        projects: to simulate.
        world: the seed of the simulation.
    """

    name: str
    var: Path
    projects: int = PROJECTS
    world: int = 0

    @property
    def file(self) -> Path:
        """Return the file; projects are simulated on the first use."""
        if self.name == "sba":
            folder = Path(os.environ.get("SEEDRATE_DATA", "../shared/data"))
            return folder / "sba_national_casecontrol.parquet"
        file = self.var / f"simulated-{self.projects}{self._other_world}.parquet"
        if not file.is_file():
            self.var.mkdir(parents=True, exist_ok=True)
            simulate(self.projects, seed=self.world).table().write_parquet(file)
        return file

    @property
    def labels(self) -> Labels:
        """Return which outcomes may be learnt from."""
        return Labels.MATURE if self.name == "sba" else Labels.AS_KNOWN

    @property
    def book(self) -> Book:
        """Read the file."""
        return read_book(self.file, load("sba" if self.name == "sba" else "early_stage"))

    def kept(self, model: str) -> Path:
        """Return where what a model did is kept, without the ending."""
        return self.var / f"{self.name}{self._other_world}" / model.replace(" ", "-")

    @property
    def _other_world(self) -> str:
        return f"-world-{self.world}" if self.world else ""

    def keep(self, model: str, found: Found) -> None:
        """Keep what a model did."""
        self.kept(model).parent.mkdir(parents=True, exist_ok=True)
        np.save(self.kept(model).with_suffix(".npy"), found.pd, allow_pickle=False)
        text = json.dumps(found.said, indent=1) + "\n"
        self.kept(model).with_suffix(".json").write_text(text, encoding="utf-8")

    def found(self, model: str) -> Found | None:
        """Return what a model did, if that is kept."""
        said = self.kept(model).with_suffix(".json")
        if not said.is_file():
            return None
        pd = np.load(said.with_suffix(".npy"), allow_pickle=False)
        return Found(pd, json.loads(said.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Found:
    """What one model did.

    Attributes:
        pd: (n, MONTHS + 1) of the test projects; NaN where it says nothing.
        said: seconds, memory, note; see `measure`.
    """

    pd: Floats
    said: dict[str, Any]


def main(sources: Sequence[Source], only: Sequence[str], again: bool) -> None:
    """Fit what is not known yet, then print a table for each data set."""
    for source in sources:
        if not source.file.is_file():
            print(f"{source.name}: no {source.file.name}; set SEEDRATE_DATA to its folder")
            continue
        wanted = [model for model in only or MODELS if installed(model)]
        for model in wanted:
            if again:
                source.kept(model).with_suffix(".json").unlink(missing_ok=True)
            if source.found(model) is None:
                _fitted_apart(source, model)
        found = {model: each for model in MODELS if (each := source.found(model)) is not None}
        test = split.by_time(source.book, labels=source.labels).test
        print("\n".join(["", f"**{source.name}**", "", *table(found, test), ""]))
        for model in only or MODELS:
            if model not in wanted:
                print(f"{model}: {PEERS[model].module} is not installed")


def installed(model: str) -> bool:
    """Return whether a model's library is there."""
    module = PEERS[model].module if model in PEERS else ""
    return not module or find_spec(module) is not None


def table(found: dict[str, Found], test: Book) -> Iterator[str]:
    """Yield the lines of the table, ours first; differences are of our best, paired by project."""
    ours = [family.value for family in SERVED if family.value in found]
    forecasts = {model: _forecasts(each.pd, test) for model, each in found.items()}
    best = max(ours, key=lambda model: metrics.auc(forecasts[model][36]), default=None)
    heads = [*(f"AUC {h}" for h in HORIZONS), "Brier 6-60", "log loss 36 / 60", "fit, s"]
    heads += ["explained row, ms", "memory, MB"]
    heads += [f"{best} less it: AUC {h}" for h in HORIZONS[1:]] if best else []
    yield f"| model | {' | '.join(heads)} | how |"
    yield f"|{'---|' * (len(heads) + 2)}"
    for model, each in found.items():
        by = forecasts[model]
        cells = [_number(metrics.auc, by.get(h)) for h in HORIZONS]
        grid = [by.get(h) for h in range(BRIER_STEP_MONTHS, MONTHS + 1, BRIER_STEP_MONTHS)]
        whole = [one for one in grid if one is not None]
        cells.append(_tidy(np.mean([metrics.brier(f) for f in whole])) if all(grid) else "")
        cells.append(" / ".join(_number(metrics.log_loss, by.get(h)) for h in HORIZONS[1:]))
        said = each.said
        cells += [f"{said['seconds']:.0f}", said["explained"], f"{said['megabytes']:.0f}"]
        for horizon in HORIZONS[1:] if best else []:
            mine, theirs = forecasts[str(best)].get(horizon), by.get(horizon)
            cells.append("" if model == best else _gap(mine, theirs))
        yield f"| {model} | {' | '.join(cells)} | {said['note']} |"


def measure(source: Source, model: str, share: float) -> Found:
    """Fit one model in this process and ask it for every test project.

    Args:
        source: the data.
        model: ours or a peer.
        share: of the training projects that a peer is given, in (0, 1].
    """
    book = source.book
    if model in PEERS:
        task, x = task_of(split.by_time(book, labels=source.labels), share)
        began = time.process_time()
        fitted = PEERS[model].fit(task)
        seconds = time.process_time() - began
        note = fitted.note if share == 1 else f"{fitted.note}, {len(task.x):,} projects"
        pd, explained = fitted.pd(x), _explained(fitted, x)
    else:
        began = time.process_time()
        ours = fit(book, Options(family=Family(model), labels=source.labels))
        seconds = time.process_time() - began
        x = ours.encoder.matrix(ours.split.test.frame)
        pd = incidence(ours.margins(x), ours.column_set.age_edges_months, MONTHS)
        explained, note = _priced(ours, x), "encoding, exit and loss too"
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said = {"seconds": seconds, "megabytes": megabytes, "explained": explained, "note": note}
    return Found(pd, said)


def _fitted_apart(source: Source, model: str) -> None:
    """Measure a model in a process of its own, on ever fewer projects until it is quick enough."""
    share = 1.0
    while share:
        now = time.strftime("%H:%M:%S")
        print(f"{now} {source.name}: {model}, {share:.0%} of the projects", flush=True)
        command = [sys.executable, "-m", "benchmarks.peers", "--data", source.name]
        command += ["--only", model, "--share", str(share), "--var", str(source.var)]
        command += ["--projects", str(source.projects), "--world", str(source.world)]
        environ = os.environ | {"OMP_NUM_THREADS": "1"}
        if subprocess.run(command, preexec_fn=_limited, env=environ).returncode == 0:
            return
        share = share / 2 if model in PEERS and share > LEAST_SHARE else 0.0
    print(f"{source.name}: {model} gave nothing", flush=True)


def _limited() -> None:
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))


def task_of(parts: Split, share: float) -> tuple[Task, Floats]:
    """Return the training projects as peers are given them, and the test projects encoded."""
    train, columns = parts.train.weighed, parts.train.column_set
    edges = np.array(columns.age_edges_months, np.int64)
    encoder, x = Encoder.fit(train, columns.age_edges_months, Options().seed)
    seen_to = (train.originated + train.age_months).max()
    watched = seen_to - train.originated
    months = np.where(train.event == EXITED, watched, train.age_months)
    fell = train.event == 1
    task = Task(
        x,
        np.minimum(months, edges[-1]).astype(np.float64),
        watched.astype(np.float64),
        fell & (months <= edges[-1]),
        train.weight,
        train.originated,
        edges,
    )
    some = np.random.default_rng(0).random(len(x)) < share
    return task.take(some & (months > 0)), encoder.matrix(parts.test.frame)


def _forecasts(pd: Floats, test: Book) -> dict[int, Forecast]:
    """Return the forecasts of every horizon that was followed and foretold."""
    longest = test.column_set.age_edges_months[-1]
    padded = np.pad(pd, ((0, 0), (0, longest - MONTHS)), mode="edge")
    foretold = Foretold(padded, test, Foretold.of(_nothing(test), test).term_months)
    out = {}
    for horizon in range(BRIER_STEP_MONTHS, MONTHS + 1, BRIER_STEP_MONTHS):
        seen = foretold.followed(horizon)
        if seen.any() and np.isfinite(pd[:, horizon]).all():
            out[horizon] = foretold.forecast(horizon, seen)
    return out


def _nothing(test: Book) -> Floats:
    return np.full((len(test), 3, len(test.column_set.age_edges_months) - 1), -np.inf)


def _explained(fitted: Fitted, x: Floats) -> str:
    explain = fitted.explain
    if explain is None:
        return "nothing offered"
    calls = [lambda at=at: explain(x[at : at + 1]) for at in range(ASKED)]
    return f"{_mean_ms(calls):.2f}: {fitted.of}"


def _priced(ours: Ours, x: Floats) -> str:
    """Return how long an explained price of a written model takes."""
    with tempfile.TemporaryDirectory() as folder:
        ours.write(Path(folder) / "model")
        model = read(Path(folder) / "model")
    loan = TermLoan(LOAN).priced(policy.load(currency=model.currency), model.edges)
    calls = [lambda at=at: attribute(model, model.read(x[at]), loan) for at in range(ASKED)]
    return f"{_mean_ms(calls):.2f}: price"


def _mean_ms(calls: Sequence[Callable[[], object]]) -> float:
    """Return the mean time of the processor that a call takes, after a first one."""
    calls[0]()
    began = time.process_time()
    for call in calls:
        call()
    return 1e3 * (time.process_time() - began) / len(calls)


def _number(metric: metrics.Metric, forecast: Forecast | None) -> str:
    return "" if forecast is None else _tidy(metric(forecast))


def _gap(ours: Forecast | None, theirs: Forecast | None) -> str:
    if ours is None or theirs is None:
        return ""
    gap: Interval = metrics.paired(metrics.auc, ours, theirs, resamples=RESAMPLES, seed=0)
    return f"{gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"


def _tidy(figure: Any) -> str:
    return f"{figure:.4f}".lstrip("0")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", action="append", choices=DATA)
    parser.add_argument("--only", action="append", choices=MODELS)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--share", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--projects", type=int, default=PROJECTS)
    parser.add_argument("--world", type=int, default=0, help="seed of the simulation")
    parser.add_argument("--var", type=Path, default=Path("var/peers"))
    given = parser.parse_args()
    chosen = [Source(name, given.var, given.projects, given.world) for name in given.data or DATA]
    if given.share is None:
        main(chosen, given.only or [], given.again)
    else:
        for each in given.only:
            chosen[0].keep(each, measure(chosen[0], each, given.share))
