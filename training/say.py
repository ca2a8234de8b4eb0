"""What the commands print: progress, tables, verdicts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from models import statement
from models.keys import SIGNING, TRUSTED, SigningKey, Trusted
from models.registry import CHALLENGER
from pricing.errors import ModelError

if TYPE_CHECKING:
    from models.registry import Version
    from training.evaluate import Measure
    from training.gates import Gate
    from training.metrics import Interval
    from training.promote import Office
    from training.tuning import Contender

NAMES = {
    "auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "observed_over_expected": "observed/exp.",
    "calibration_slope": "slope",
}
STORY = {"promoted": "promoted", "challenged": "challenged", "rolled_back": "rolled back"}


def progress() -> Progress:
    """Return progress bars: what, how far, how long; what is done stays."""
    what = TextColumn("{task.description:<42}", markup=False)
    return Progress(what, BarColumn(), TimeElapsedColumn(), console=Console())


def figures(
    title: str,
    ours: Sequence[Measure],
    linear: Sequence[Measure] = (),
    gains: Sequence[Measure] = (),
) -> None:
    """Print the figures of all vintages together, by horizon, beside the benchmark's."""
    table = _table(title)
    for name in ("month", "figure", "model [90 %]"):
        table.add_column(name, no_wrap=True)
    if linear:
        table.add_column("linear", no_wrap=True)
        table.add_column("difference [90 %]", no_wrap=True)
    theirs = {m.key: m for m in linear if m.vintage is None}
    apart = {m.key: m for m in gains if m.vintage is None}
    last = 0
    for measure in ours:
        if measure.vintage is not None or measure.metric not in NAMES:
            continue
        if last and measure.horizon_months != last:
            table.add_section()
        last = measure.horizon_months
        row = [str(last), NAMES[measure.metric], _ranged(measure)]
        if linear:
            row.append(f"{theirs[measure.key].interval.value:.3f}")
            row.append(_ranged(apart[measure.key], sign="+") if measure.key in apart else "")
        table.add_row(*row)
    Console().print(table)


def gates(answers: Sequence[Gate], title: str = "gates") -> None:
    """Print every gate with its figure."""
    table = _table(title, "", "gate", "figure", "needed")
    for gate in answers:
        verdict = "[green]passed[/]" if gate.passed else "[red]failed[/]"
        table.add_row(verdict, gate.name, gate.figure, gate.needed)
    Console().print(table)


def registered(version: Version) -> None:
    """Say which version was made, and what comes next."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"registered {version.name} version {version.number}, digest {version.digest}")
    console.print('next: python -m training promote --reason "..."', markup=False)


def unmet(version: Version, error: Exception) -> None:
    """Say that the new model cannot be judged beside the champion, and why."""
    console = Console(stderr=True, soft_wrap=True)
    said = f"not judged beside version {version.number}, the champion: {error}"
    console.print(said, style="yellow", markup=False, highlight=False)


def key(made: SigningKey, folder: Path) -> None:
    """Say which pair was made, and where its public half belongs."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"made a local signing key, {made.fingerprint}: {folder / SIGNING}")
    console.print(f"servers trust it by this line of {folder / TRUSTED}:")
    console.print(f"  {made.line}", markup=False)


def contenders(title: str, found: Sequence[Contender]) -> None:
    """Print the families after their search, the best first, with paired 90 % intervals."""
    table = _table(title)
    for name in (
        "family",
        "trials",
        "pruned",
        "AUC 36",
        "gain",
        "over as shipped",
        "less the best",
    ):
        table.add_column(name, no_wrap=True)
    for one in found:
        auc = one.best.auc.get(36)
        told = "" if auc is None else f"{auc:.3f}"
        row = [one.family.value, f"{one.trials}", f"{one.pruned}", told, f"{one.best.gain:.4f}"]
        best = one is found[0]
        table.add_row(*row, _apart(one.gained), "" if best else _apart(one.behind))
    Console().print(table)


def tuned(folder: Path, families: Sequence[str]) -> None:
    """Say which files were written, and what they are for."""
    console = Console(soft_wrap=True, highlight=False)
    for family in families:
        console.print(f"next: python -m training fit --tuned {folder / family}.toml", markup=False)


def promoted(version: Version, alias: str) -> None:
    """Say which version serves."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{version.name} version {version.number} is {alias}, signed: {version.digest}")


def rolled_back(back: Version, gone: Version, alias: str) -> None:
    """Say which version serves again."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{back.name} version {back.number} is {alias} again, not version {gone.number}")


def status(office: Office, trusted: Trusted) -> None:
    """Print the versions, newest first, and how the champion passed its gates."""
    seats = {alias: office.seat(alias).state().number for alias in (office.alias, CHALLENGER)}
    table = _table(f"{office.name}: versions", "", "seat", "model", "AUC 36 m", "story")
    for version, auc in office.versions():
        tags = version.tags
        digest = tags.get("digest", "")[:8]
        model = f"{tags.get('column_set', '')}, labels {tags.get('labels', '')}\n{digest}"
        figure = "" if auc is None else f"{auc:.4f}"
        held = [alias for alias, number in seats.items() if number == version.number]
        story = _story(version, held, trusted)
        table.add_row(version.number, "\n".join(held), model, figure, story)
    Console().print(table)
    if (champion := seats[office.alias]) is not None:
        _passed(office.find(champion), office.alias)


def _story(version: Version, held: Sequence[str], trusted: Trusted) -> str:
    """Return what was done to a version: when, by whom and why; and whose word lets it serve."""
    tags, lines = version.tags, []
    signed = [line for alias in held for line in _word(version, alias, trusted)]
    for verb, told in STORY.items():
        if f"{verb}_at" in tags:
            day, who = tags[f"{verb}_at"][:16].replace("T", " "), tags.get(f"{verb}_by", "")
            line = escape(f"{told} {day} by {who}: {tags.get(f'{verb}_why', '')}")
            lines += [line] if not any(line in word for word in signed) else []
    return "\n".join([*lines, *signed])


def _word(version: Version, alias: str, trusted: Trusted) -> list[str]:
    """Return what the signed statement of a seat says, or why no server takes it."""
    name, digest = version.name, version.digest
    try:
        signed = version.signed(alias)
        told = statement.demand(signed, trusted, model=name, alias=alias, digest=digest)
    except ModelError as error:
        return [f"[red]{escape(f'no server takes it as {alias}: {error}')}[/]"]
    what = f"{told.act} {told.when[:16].replace('T', ' ')} by {told.who}: {told.why}"
    lines = [f"{escape(what)} [green](signed, turn {told.turn}, gates file {told.gates[:8]})[/]"]
    if told.override is not None:
        lines.append(escape(f"in spite of failed gates: {told.override}"))
        lines += [escape(f"  {failed}") for failed in told.failed]
    return lines


def _passed(version: Version, alias: str) -> None:
    """Print the gates of a version's last promotion, as its tags tell them."""
    from training.gates import Gate  # it prices, and so takes a second to import

    if "gates" in version.tags:
        Console().print()
        answers = [Gate(**answer) for answer in json.loads(version.tags["gates"])]
        gates(answers, f"gates of version {version.number}, the {alias}, when it was promoted")


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_edge=False
    )
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _apart(it: Interval) -> str:
    return f"{it.value:+.3f}\n[{it.low:+.3f}, {it.high:+.3f}]"


def _ranged(measure: Measure, sign: str = "") -> str:
    it = measure.interval
    return f"{it.value:{sign}.3f} [{it.low:.3f}, {it.high:.3f}]"
