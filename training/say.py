"""What the commands print: progress, tables, verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from models.registry import Version
    from training.evaluate import Measure
    from training.gates import Gate
    from training.promote import Office

NAMES = {
    "auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "observed_over_expected": "observed/exp.",
    "calibration_slope": "slope",
}


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


def gates(answers: Sequence[Gate]) -> None:
    """Print every gate with its figure."""
    table = _table("gates", "", "gate", "figure", "needed")
    for gate in answers:
        verdict = "[green]passed[/]" if gate.passed else "[red]failed[/]"
        table.add_row(verdict, gate.name, gate.figure, gate.needed)
    Console().print(table)


def registered(version: Version) -> None:
    """Say which version was made, and what comes next."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"registered {version.name} version {version.number}, digest {version.digest}")
    console.print('next: python -m training promote --reason "..."', markup=False)


def promoted(version: Version, alias: str) -> None:
    """Say which version serves."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{version.name} version {version.number} is {alias}: {version.digest}")


def rolled_back(back: Version, gone: Version, alias: str) -> None:
    """Say which version serves again."""
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{back.name} version {back.number} is {alias} again, not version {gone.number}")


def status(office: Office) -> None:
    """Print the versions, newest first."""
    table = _table(f"{office.name}: versions", "", "model", "AUC 36 m", "story")
    for version, auc, serves in office.versions():
        tags = version.tags
        digest = tags.get("digest", "")[:8]
        model = f"{tags.get('column_set', '')}, labels {tags.get('labels', '')}\n{digest}"
        figure = "" if auc is None else f"{auc:.4f}"
        table.add_row(version.number, model, figure, _story(tags, office.alias, serves=serves))
    Console().print(table)


def _story(tags: Mapping[str, str], alias: str, *, serves: bool) -> str:
    """Return what was done to a version: when, by whom and why."""
    lines = [f"[green]{alias}[/]"] if serves else []
    for verb, told in (("promoted", "promoted"), ("rolled_back", "rolled back")):
        if f"{verb}_at" in tags:
            day, who = tags[f"{verb}_at"][:16].replace("T", " "), tags.get(f"{verb}_by", "")
            lines.append(escape(f"{told} {day} by {who}: {tags.get(f'{verb}_why', '')}"))
    if "override" in tags:
        lines.append(escape(f"in spite of failed gates: {tags['override']}"))
    return "\n".join(lines)


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_edge=False
    )
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _ranged(measure: Measure, sign: str = "") -> str:
    it = measure.interval
    return f"{it.value:{sign}.3f} [{it.low:.3f}, {it.high:.3f}]"
