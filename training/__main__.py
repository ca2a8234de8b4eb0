"""The commands of training: `python -m training --help`.

Imports stand inside the commands: MLflow, torch and matplotlib take seconds, and --help should not.
"""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from models.keys import SIGNING, SigningKey, create, trusted
from models.registry import CHALLENGER
from pricing.errors import InputError, SeedrateError
from training import say
from training.choices import (
    By,
    Columns,
    DataFile,
    Known,
    Reason,
    Seed,
    Threads,
    families_of,
    family_of,
    labels_of,
)
from training.settings import Settings

if TYPE_CHECKING:
    from training.promote import Act, Desk, Office

HELP = """
From a file of loans to a model that may serve.

[bold]The way of a model[/bold]

  python -m training fit                     on simulated projects: minutes

  python -m training promote --reason first  gates, signature, then it is champion

  python -m training challenge 7 --reason …  a version to serve beside the champion

  python -m training status                  versions, gates, and who promoted what

  python -m training rollback --reason "…"   back to the champion before

[bold]Your own loans, without code[/bold]

  python -m training fit --columns bank.toml --data loans.parquet

  python -m training tune --columns bank.toml --data loans.parquet

Models are recorded in var/mlflow.db, or on the server that SEEDRATE_TRACKING_URI
names. To look at the runs: mlflow ui --backend-store-uri sqlite:///var/mlflow.db
"""

QUICK_PROJECTS, PROJECTS = 20_000, 100_000
app = typer.Typer(
    help=HELP, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False
)


@app.command()
def simulate(
    projects: Annotated[int, typer.Option(min=1000, help="How many.")] = PROJECTS,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same world.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Parquet file; by default var/data/early_stage.parquet.")
    ] = None,
) -> None:
    """Write the embedded data: simulated loans to early-stage projects.

    For example:  python -m training simulate --projects 20000 --seed 7
    """
    with _clear():
        path = out or Settings.read(os.environ).simulated
        _simulate(path, projects, seed)
        Console().print(f"{projects:,} simulated projects in {path}")


@app.command()
def fit(
    columns: Columns = "early_stage",
    data: DataFile = None,
    labels: Known = "snapshot",
    seed: Seed = 20,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller, to try things out.")] = False,
    projects: Annotated[
        int | None, typer.Option(min=1000, help="To simulate, where there is no --data.")
    ] = None,
    family: Annotated[
        str | None,
        typer.Option(
            help='Who speaks of default: "boosted" trees, a "network", "blended" both; '
            '"all" of these, a version each; or a "tabm", as a challenger.',
            show_default="boosted",
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(min=1, max=7, help="Of the trees; 3 or 7, what ranks better, if not given."),
    ] = None,
    threads: Threads = 1,
    tuned: Annotated[
        str | None,
        typer.Option(help="Sizes that `tune` has found: its file, or its run in MLflow."),
    ] = None,
) -> None:
    """Fit a model, judge it out of time, draw its curves, record and register it.

    For example:

      python -m training fit

      python -m training fit --columns sba --data SBAnational.csv --labels mature

      python -m training fit --columns bank.toml --data loans.parquet --seed 7
    """
    with _clear():
        settings = Settings.read(os.environ)
        chosen = families_of(family)
        count = projects or (QUICK_PROJECTS if quick else PROJECTS)
        source = data or _simulated(columns, settings, count)
        from training import workshop

        for one in chosen:
            order = workshop.Order(
                columns=columns,
                data=source,
                simulated=data is None,
                labels=labels_of(labels),
                seed=seed,
                quick=quick,
                family=one,
                depth=depth,
                threads=threads,
                tuned=tuned,
            )
            with tempfile.TemporaryDirectory() as folder:
                workshop.make(order, settings, Path(folder))


@app.command()
def tune(
    columns: Columns = "early_stage",
    data: DataFile = None,
    labels: Known = "snapshot",
    family: Annotated[
        list[str], typer.Option(help="Whose sizes; may be given again: they share the time.")
    ] = ["boosted"],  # noqa: B006  # typer copies it
    folds: Annotated[int, typer.Option(min=2, help="Origins in the training window.")] = 4,
    minutes: Annotated[float, typer.Option(min=0.0, help="All families together.")] = 30.0,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Of a family, at most, earlier runs counted.")
    ] = None,
    seed: Seed = 20,
    threads: Threads = 1,
    projects: Annotated[
        int, typer.Option(min=1000, help="To simulate, where there is no --data.")
    ] = PROJECTS,
    study: Annotated[
        str | None, typer.Option(help="Its name; without one, it goes by what it is of.")
    ] = None,
) -> None:
    """Search the sizes of a family on rolling origins inside the training window.

    The test window is never looked at. Asked again, the search goes on where it ended.

    For example:

      python -m training tune --minutes 20 --family boosted --family network

      python -m training tune --columns bank.toml --data loans.parquet
    """
    with _clear():
        settings = Settings.read(os.environ)
        families = tuple(dict.fromkeys(map(family_of, family)))
        from training import tuning

        request = tuning.Request(
            columns=columns,
            data=data or _simulated(columns, settings, projects),
            labels=labels_of(labels),
            families=families,
            folds=folds,
            minutes=minutes,
            trials=trials,
            seed=seed,
            threads=threads,
            study=study,
        )
        tuning.tune(request, settings)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option("--data", help="Parquet or CSV, with outcomes.")],
    version: Annotated[
        str, typer.Option(help='A registered version: its number, an alias or "latest".')
    ] = "champion",
    model: Annotated[
        Path | None, typer.Option(help="A model folder, instead of a version.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file for every figure.")] = None,
) -> None:
    """Judge a model on loans it has not seen: those originated after its training window.

    For example:

      python -m training evaluate --data loans-2026.parquet

      python -m training evaluate --model var/models/DIGEST --data loans.csv --out figures.csv
    """
    with _clear():
        from training import workshop

        workshop.judge(version, model, data, out, Settings.read(os.environ))


@app.command()
def promote(
    reason: Reason,
    version: Annotated[
        str, typer.Argument(help='A number, an alias, or "latest".', metavar="VERSION")
    ] = "latest",
    best: Annotated[
        bool,
        typer.Option(
            "--best",
            help="Of all versions judged on the latest one's projects: the best that pass.",
        ),
    ] = False,
    override: Annotated[
        str | None, typer.Option(help="Promote in spite of failed gates, for this reason.")
    ] = None,
    by: By = None,
) -> None:
    """Make a version the champion, if it passes its gates; servers take it at their next start.

    Which gates are asked, and their thresholds: training/gates.toml, or the file that
    SEEDRATE_GATES names. What is decided is signed; servers take it from a key they trust.

    For example:

      python -m training promote --reason "yearly refit"

      python -m training promote --best --reason "yearly refit, three families"

      python -m training promote 7 --reason "pilot" --override "benchmark ties; risk committee 12/3"
    """
    act = _act(reason, by)
    with _clear(), _office() as office:
        desk = _desk(act)
        if best:
            from training import choose

            if version != "latest" or override is not None:
                raise InputError.of("--best", "without a VERSION and --override", "with one")
            chosen, why = choose.best(office, desk.rules)
            version, act = chosen.version.number, replace(act, why=f"{act.why} ({why})")
        champion = office.promote(version, act, desk, override=override, asked=say.gates)
        say.promoted(champion, office.alias)


@app.command()
def challenge(
    version: Annotated[str, typer.Argument(help='A number, or "latest".', metavar="VERSION")],
    reason: Reason,
    by: By = None,
) -> None:
    """Make a version the challenger: for a server that is set to serve that alias, beside yours.

    Only the final gates are asked: files as sealed, golden vectors, explanations that add up.

    For example:  python -m training challenge 7 --reason "shadow run of the third quarter"
    """
    act = _act(reason, by)
    with _clear(), _office() as office:
        say.promoted(office.challenge(version, act, _desk(act), asked=say.gates), CHALLENGER)


@app.command()
def rollback(reason: Reason, by: By = None) -> None:
    """Send the champion back, and make the one before it the champion again.

    For example:  python -m training rollback --reason "prices of sector 5 look wrong"
    """
    act = _act(reason, by)
    with _clear(), _office() as office:
        back, gone = office.rollback(act, _desk(act))
        say.rolled_back(back, gone, office.alias)


@app.command()
def status() -> None:
    """Show the versions: their figures, which one serves, who promoted it, why, and its gates."""
    with _clear(), _office() as office:
        file = Settings.read(os.environ).trusted_keys
        say.status(office, trusted(file) if file.exists() else {})


@app.command()
def keys(by: By = None) -> None:
    """Make a pair of keys that signs promotions: the private half below var, for you alone.

    Copy the public line to the file that SEEDRATE_TRUSTED_KEYS names on every server.
    """
    with _clear():
        folder = Settings.read(os.environ).keys
        say.key(create(folder, _who(by)), folder)


@contextmanager
def _clear() -> Iterator[None]:
    """Print what a caller can mend as clear lines, without a traceback, and exit with 2."""
    try:
        yield
    except SeedrateError as error:
        console = Console(stderr=True, soft_wrap=True)
        for line in str(error).splitlines():
            console.print(line, style="red", markup=False, highlight=False)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@contextmanager
def _office() -> Iterator[Office]:
    from models import registry

    settings = Settings.read(os.environ)
    with registry.client(settings.uri) as client:
        from training.promote import Office

        yield Office(client, settings.model, settings.alias, settings.copies, _now)


def _desk(act: Act) -> Desk:
    """Return the rules and the key of the settings; a local key is made where none is named."""
    from training import rules
    from training.promote import Desk

    settings = Settings.read(os.environ)
    file = settings.signing_key or settings.keys / SIGNING
    if settings.signing_key is None and not file.exists():
        say.key(create(settings.keys, act.who), settings.keys)
    key = SigningKey.read(file)
    return Desk(rules.load(settings.gates), key, trusted(settings.trusted_keys))


def _act(reason: str, by: str | None) -> Act:
    from training.promote import Act

    return Act(_who(by), _now(), reason)


def _who(by: str | None) -> str:
    try:
        return by or getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def _now() -> datetime:
    return datetime.now(UTC)


def _simulated(columns: str, settings: Settings, projects: int) -> Path:
    if columns != "early_stage":
        raise InputError.of("data", f"a file of loans, for {columns}", "none")
    _simulate(settings.simulated, projects, 0)
    return settings.simulated


def _simulate(path: Path, projects: int, seed: int) -> None:
    from features import simulate

    path.parent.mkdir(parents=True, exist_ok=True)
    with say.progress() as bars:
        task = bars.add_task(f"simulating {projects:,} projects", total=1.0)
        simulate.write(path, projects, seed, lambda share: bars.update(task, completed=share))


if __name__ == "__main__":
    sys.exit(app(prog_name="python -m training"))
