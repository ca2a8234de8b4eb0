"""A whole book, part by part, so that a run that was killed goes on where it stopped.

Beside the file to be made stands a folder: what is scored and by what (`run.json`), a copy of a CSV
book as Parquet, and a file for each part that is done. A part is written whole or not at all. When
all are there they are put together, the file takes its name in one step, and the folder goes.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import polars as pl

from features import file
from models import artifact, copies
from models.pricer import Pricer
from pricing import policy
from pricing.errors import InputError, ModelError
from serving.collector import spare
from serving.contract import Contract
from serving.score.book import Book
from serving.score.csv_fault import csv_fault
from serving.score.scorer import Scorer
from serving.score.table import schema

PART_ROWS = 8192
Advance = Callable[[int, int], None]  # by so many rows, of which so many have no price


@dataclass(frozen=True)
class Task:
    """What is scored, by what, and where it goes; another process can be told it."""

    book: Path  # Parquet or CSV
    out: Path  # Parquet
    models: Path  # folder in which the model's own lies
    digest: str  # of the model
    rules: bytes  # the policy's file
    defaults: Mapping[str, Any]  # by section of a request, of what rows leave out
    on: date
    part_rows: int = PART_ROWS

    @property
    def folder(self) -> Path:
        """Return where unfinished work stands."""
        return self.out.with_name(f"{self.out.name}.parts")

    def scorer(self) -> Scorer:
        """Return what scores, read from its files.

        Raises:
            InputError: the model is not there, or is not as its digest says.
        """
        folder = copies.find(self.models, self.digest)
        if folder is None:
            raise InputError.of("model", f"in {self.models}, whole", self.digest)
        model = artifact.read(folder, self.digest)
        return Scorer(
            Contract.of(model.column_set), Pricer(model, policy.parse(self.rules)), self.on
        )

    def read(self, contract: Contract) -> Book:
        """Return the book, which is Parquet by now."""
        copied = self.folder / "book.parquet"
        return Book.of(copied if copied.exists() else self.book, contract, self.defaults)


def begin(task: Task, code: str) -> None:
    """Open the folder of a run, or the one that a run of the same task has left.

    Raises:
        InputError: the file is there already, or the folder is that of another task.
    """
    if task.out.suffix != ".parquet" or task.out.exists():
        given = f"{task.out} is there" if task.out.exists() else task.out
        raise InputError.of("out", "a new file named .parquet", given)
    _check_header(task.book)  # refuses what is no book before any work
    said = {
        "book": file.digest(task.book),
        "model": task.digest,
        "policy": policy.parse(task.rules).digest,
        "defaults": orjson.dumps(task.defaults, option=orjson.OPT_SORT_KEYS).decode(),
        "on": task.on.isoformat(),
        "program": code,
        "part_rows": task.part_rows,
    }
    task.folder.mkdir(parents=True, exist_ok=True)
    run = task.folder / "run.json"
    if run.exists():
        _refuse_other(orjson.loads(run.read_bytes()), said, task.folder)
    else:
        _whole(run, lambda path: path.write_bytes(orjson.dumps(said)))
    copied = task.folder / "book.parquet"
    if not _is_parquet(task.book) and not copied.exists():
        lazy = pl.scan_csv(task.book, infer_schema=False)
        try:
            _whole(copied, lambda path: lazy.sink_parquet(path, row_group_size=8 * PART_ROWS))
        except pl.exceptions.PolarsError as error:
            raise csv_fault(task.book, error) from None


def _check_header(book: Path) -> None:
    try:
        file.names(book)
    except InputError as error:
        if isinstance(error.__cause__, pl.exceptions.PolarsError) and not _is_parquet(book):
            raise csv_fault(book, error.__cause__) from None
        raise


def _is_parquet(book: Path) -> bool:
    return book.suffix in (".parquet", ".pq")


def started(folder: Path) -> date | None:
    """Return the day for which a run that was left had begun, None where there is none."""
    run = folder / "run.json"
    return date.fromisoformat(orjson.loads(run.read_bytes())["on"]) if run.exists() else None


def undone(task: Task, book: Book) -> list[int]:
    """Return the first rows of the parts that are not there yet."""
    firsts = range(0, book.rows, task.part_rows)
    return [first for first in firsts if not part_file(task, first).exists()]


def done(task: Task, book: Book) -> tuple[int, int]:
    """Return how many rows stand in the parts that are there, and how many have no price."""
    files = [part_file(task, first) for first in range(0, book.rows, task.part_rows)]
    parts = [pl.read_parquet(file, columns=["problem"]) for file in files if file.exists()]
    return sum(part.height for part in parts), sum(map(problems, parts))


def problems(part: pl.DataFrame) -> int:
    """Return how many rows have no price."""
    return part.height - part["problem"].null_count()


def score(task: Task, scorer: Scorer, book: Book, jobs: int, advance: Advance) -> None:
    """Score the parts that are not done, put all together, and let the folder go."""
    left = undone(task, book)
    if jobs == 1:
        for first in left:
            _part(task, scorer, book, first, advance)
    else:
        _by_many(task, book, left, jobs, advance)
    parts = [part_file(task, first) for first in range(0, book.rows, task.part_rows)]
    _put_together(task, scorer, parts)


def part_file(task: Task, first: int) -> Path:
    """Return the file of the part that begins with a row."""
    return task.folder / f"{first:012d}.parquet"


def _part(task: Task, scorer: Scorer, book: Book, first: int, advance: Advance) -> None:
    tables = []
    for some in scorer.score(book, first, task.part_rows):
        tables.append(some)
        advance(some.height, problems(some))
    _whole(part_file(task, first), pl.concat(tables).write_parquet)


def _by_many(task: Task, book: Book, left: list[int], jobs: int, advance: Advance) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, _open, (task,)) as pool:
        try:
            for done in as_completed([pool.submit(_apart, first) for first in left]):
                advance(*done.result())
        except BrokenProcessPool as error:
            raise ModelError(f"a process that prices must not die, however: {error}") from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_OPENED: dict[str, Any] = {}  # of this process, where it is one of many


def _open(task: Task) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    scorer = task.scorer()
    spare()
    _OPENED.update(task=task, scorer=scorer, book=task.read(scorer.contract))


def _end_with_parent() -> None:
    """End when the process that gives out the parts does: killed, it cannot say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _apart(first: int) -> tuple[int, int]:
    _part(**_OPENED, first=first, advance=lambda rows, wrong: None)
    part = pl.read_parquet(part_file(_OPENED["task"], first), columns=["problem"])
    return part.height, problems(part)


def _put_together(task: Task, scorer: Scorer, parts: list[Path]) -> None:
    empty = pl.LazyFrame(schema=schema(scorer.pricer.model.column_set))
    lazy = pl.scan_parquet(parts) if parts else empty
    _whole(task.out, lambda path: lazy.sink_parquet(path, row_group_size=8 * PART_ROWS))
    shutil.rmtree(task.folder)


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name, then let it take its own in one step."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    write(beside)
    with beside.open("rb") as written:
        os.fsync(written.fileno())
    beside.replace(path)


def _refuse_other(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    others = [*_differing(before, now)]
    if others:
        expected = f"that of the run in {folder}, which goes on only so; else remove that folder"
        raise InputError.of(others[0], expected, f"another ({', '.join(others)} differ)")


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name in now if before.get(name) != now[name])
