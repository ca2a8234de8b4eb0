"""`python -m serving score`: a book, priced and explained, from file to file."""

from __future__ import annotations

import os
import time
import tomllib
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.hazard import HazardModel
from pricing import policy
from pricing.errors import InputError
from serving.champion import ROOT, champion
from serving.collector import spare
from serving.instruments import KINDS
from serving.ledger.program import code_digest
from serving.score.book import Book
from serving.score.run import Task, begin, done, score, started
from serving.score.scorer import Scorer
from serving.settings import Settings

NOT_RECORDED = (
    "Nothing was recorded in the ledger: this is a valuation of a book, not quotes given out."
)


def score_book(
    book: Annotated[Path, typer.Argument(help="Parquet or CSV, a row a project: docs/api.md.")],
    out: Annotated[Path, typer.Option(help="A new file named .parquet.")],
    defaults: Annotated[
        Path | None,
        typer.Option(help="TOML of a request: [project], [instrument], [overrides] of all rows."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option("--policy", help="Policy; if not given, SEEDRATE_POLICY.")
    ] = None,
    kind: Annotated[str, typer.Option(help="Of rows whose column `instrument` names none.")] = (
        KINDS[0]
    ),
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day of the valuation; it decides on support."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that price.")] = 1,
) -> None:
    """Price and explain a book from file to file; killed, it goes on where it stopped.

    Try: python -m serving score book.parquet --out scored.parquet
    """
    settings = Settings.read(os.environ)
    model = champion(settings)
    task = _task(settings, model, book, out, _defaults(defaults, kind), rules, on)
    begin(task, code_digest(ROOT))
    scorer = task.scorer()
    asked, console = task.read(scorer.contract), Console(stderr=True, highlight=False)
    if asked.others:
        console.print(f"Columns that are passed over: {', '.join(asked.others)}")
    spare()
    began = time.monotonic()
    _watched(task, scorer, asked, jobs, console)
    _tell(out, time.monotonic() - began, console)


def _task(
    settings: Settings,
    model: HazardModel,
    book: Path,
    out: Path,
    defaults: dict[str, Any],
    rules: Path | None,
    on: datetime | None,
) -> Task:
    content = policy.text(rules or settings.policy, currency=model.currency)
    if policy.parse(content).currency != model.currency:
        raise InputError.of("policy.currency", model.currency, policy.parse(content).currency)
    task = Task(
        book=book,
        out=out,
        models=settings.models,
        digest=model.digest,
        rules=content,
        defaults=defaults,
        on=date.min,
    )
    day = on.date() if on is not None else started(task.folder) or date.today()
    return replace(task, on=day)


def _defaults(path: Path | None, kind: str) -> dict[str, Any]:
    """Return what rows leave out, by section of a request."""
    try:
        given = {} if path is None else tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError.of("defaults", "a TOML file in UTF-8", f"{path}: {error}") from None
    if not all(isinstance(given.get(name, {}), dict) for name in given):
        raise InputError.of("defaults", "a TOML file of tables", ", ".join(given))
    return {**given, "instrument": {"kind": kind, **given.get("instrument", {})}}


def _watched(task: Task, scorer: Scorer, book: Book, jobs: int, console: Console) -> None:
    """Score a book with a bar that tells the rate and the time left."""
    shown = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    before, _ = done(task, book)
    now, began = 0, time.monotonic()
    with Progress(*shown, console=console) as progress:
        bar = progress.add_task("scored", total=book.rows, completed=before, rate="")

        def advance(rows: int, problems: int) -> None:
            nonlocal now
            now += rows
            rate = now / max(time.monotonic() - began, 1e-9)
            progress.update(bar, advance=rows, rate=f"{rate:,.0f} rows/s")

        score(task, scorer, book, jobs, advance)


def _tell(out: Path, seconds: float, console: Console) -> None:
    lazy = pl.scan_parquet(out)
    counted = lazy.select(rows=pl.len(), problems=pl.col("problem").count()).collect().row(0)
    rows, problems = counted
    console.print(
        f"{rows:,} rows in {seconds:,.1f} s: {rows - problems:,} priced, {problems:,} with a "
        f"problem that the column `problem` tells; in {out}"
    )
    console.print(NOT_RECORDED)
