"""The work on one uploaded book, in a process of its own: `python -m serving.console.books.job`.

It does what `python -m serving score` does, for a folder of `serving/console/books/shelf.py`, and
tells how far it is in a file. What the book says is read here and nowhere else, within bounds of
rows and memory, so that a hostile file ends this process and not the server.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from time import monotonic

import orjson

from models import copies
from pricing.errors import Fault, InputError
from serving.champion import ROOT
from serving.collector import spare
from serving.console.books import sheet, summary
from serving.console.books.kept import PROGRESS, SCORED, SHEET, SUMMARY, Kept, Progress, write_json
from serving.console.books.runner import UNFIT
from serving.ledger import policies
from serving.ledger.program import code_digest
from serving.score import run
from serving.score.book import Book
from serving.score.run import Task
from serving.settings import Settings

MOST_ROWS = 1_000_000
MOST_MEMORY_BYTES = 4 << 30  # of addresses; a process that prices takes 1.7 GiB of them
TELL_SECONDS = 0.5  # between two notes of how far it is


class Clerk:
    """Tells how far a book is, and leaves when the server has gone."""

    def __init__(self, folder: Path, server: int, book: Book, before: tuple[int, int]) -> None:
        """Tell what was done before.

        Args:
            folder: of the book.
            server: its process.
            book: that is priced.
            before: rows that are done, and how many of them have no price.
        """
        self._folder, self._server, self._rows = folder, server, book.rows
        self._before, (self._done, self._problems) = before[0], before
        self._began = self._told = monotonic()
        self._tell()

    def advance(self, rows: int, problems: int) -> None:
        """Count rows, and tell it now and then."""
        if os.getppid() != self._server:
            sys.exit("the server has gone")
        self._done, self._problems = self._done + rows, self._problems + problems
        if monotonic() - self._told >= TELL_SECONDS or self._done == self._rows:
            self._tell()

    def _tell(self) -> None:
        self._told = monotonic()
        seconds = self._told - self._began
        rate = (self._done - self._before) / seconds if seconds else 0.0
        told = Progress(self._rows, self._done, self._problems, rate)
        write_json(self._folder / PROGRESS, vars(told))


def price(folder: Path, server: int, settings: Settings) -> None:
    """Price a book, or go on with it, and add it up.

    Args:
        folder: of the book.
        server: the process that started this one.
        settings: of the server: where models and policies lie.

    Raises:
        InputError: the book cannot be priced.
    """
    kept = Kept.read(folder)
    task = _task(folder, kept, settings)
    others: tuple[str, ...] = ()
    if not task.out.exists():  # else only what comes after it was not done
        _begin(task)
        scorer = task.scorer()
        book = task.read(scorer.contract)
        if book.rows > MOST_ROWS:
            raise InputError.of("book", f"at most {MOST_ROWS:,} rows", f"{book.rows:,}")
        spare()
        clerk = Clerk(folder, server, book, run.done(task, book))
        write_json(folder / "others.json", {"others": book.others})
        run.score(task, scorer, book, 1, clerk.advance)
    with suppress(OSError):
        others = tuple(orjson.loads((folder / "others.json").read_bytes())["others"])
    sheet.write(task.out, folder / SHEET)
    write_json(folder / SUMMARY, summary.of(task.out, others))


def _task(folder: Path, kept: Kept, settings: Settings) -> Task:
    rules = policies.find(settings.policies, kept.policy)
    if rules is None:
        raise InputError.of("policy", "kept by the server", f"{kept.policy[:12]} is gone")
    if copies.find(settings.models, kept.model) is None:
        raise InputError.of("model", "kept by the server", f"{kept.model[:12]} is gone")
    return Task(
        book=folder / kept.file,
        out=folder / SCORED,
        models=settings.models,
        digest=kept.model,
        rules=rules,
        defaults={"instrument": {"kind": kept.instrument}},
        on=date.fromisoformat(kept.on),
    )


def _begin(task: Task) -> None:
    """Open the run; one that another program left begins anew, so that one program prices all."""
    code = code_digest(ROOT)
    try:
        run.begin(task, code)
    except InputError as error:
        if [fault.field for fault in error.faults] != ["program"]:
            raise
        shutil.rmtree(task.folder)
        run.begin(task, code)


def _said(fault: Fault, folder: Path) -> dict[str, str]:
    """Return a fault without the folder, which is nobody's business."""
    told = {"field": fault.field, "expected": fault.expected, "given": str(fault.given)}
    return {name: text.replace(f"{folder}/", "") for name, text in told.items()}


def main(arguments: Sequence[str]) -> int:
    """Price the book of a folder; what is wrong with it is printed, as JSON."""
    folder, server = Path(arguments[0]), int(arguments[1])
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    try:
        price(folder, server, Settings.read(os.environ))
    except InputError as error:
        faults = [_said(fault, folder) for fault in error.faults]
        sys.stdout.buffer.write(orjson.dumps(faults))
        return UNFIT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
