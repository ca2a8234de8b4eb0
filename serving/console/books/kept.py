"""One uploaded book: whose it is, what prices it, how far that is, and what came of it.

A book waits, runs, and is done; or it failed, since the file cannot be priced, which it tells; or
it was interrupted, as its process or the server was killed; or its owner cancelled it. What was
interrupted or cancelled may wait again. After its days each becomes expired, and its files go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
INTERRUPTED, CANCELLED, EXPIRED = "interrupted", "cancelled", "expired"
UNDER_WAY = (WAITING, RUNNING)
GOES_ON = (INTERRUPTED, CANCELLED)  # those that can be taken up again
BOOK, PROGRESS, SUMMARY = "book.json", "progress.json", "summary.json"
SCORED, SHEET = "scored.parquet", "scored.csv"


@dataclass(frozen=True)
class Kept:
    """A book as its folder tells it; times are in seconds since 1970."""

    id: str
    tenant: str
    client: str
    name: str  # as its owner calls it
    kind: str  # csv or parquet
    size_bytes: int
    digest: str  # SHA-256 of the file
    instrument: str  # of rows that name none
    model: str  # digest of the champion when it came
    version: str
    policy: str  # digest of the policy then
    on: str  # the day of the valuation
    came: float
    state: str = WAITING
    ended: float | None = None
    why: str = ""  # it was interrupted
    faults: Sequence[Mapping[str, str]] = field(default=())  # it failed: field, expected, given

    @property
    def file(self) -> str:
        """Return the name of the uploaded file in the book's folder."""
        return f"book.{self.kind}"

    @property
    def is_under_way(self) -> bool:
        """Say whether it waits or runs."""
        return self.state in UNDER_WAY

    @property
    def goes_on(self) -> bool:
        """Say whether it can be taken up again."""
        return self.state in GOES_ON

    def write(self, folder: Path) -> None:
        """Put it in place of what its folder told before, at once."""
        write_json(folder / BOOK, asdict(self))

    @classmethod
    def read(cls, folder: Path) -> Kept:
        """Return the book of a folder.

        Raises:
            OSError: there is none.
            ValueError: it cannot be read.
        """
        try:
            return cls(**orjson.loads((folder / BOOK).read_bytes()))
        except TypeError as error:
            raise ValueError(f"a book must be one of ours, however: {error}") from None


@dataclass(frozen=True)
class Progress:
    """How far the process that prices a book is."""

    rows: int = 0  # in all
    done: int = 0
    problems: int = 0  # rows without a price
    rows_per_second: float = 0.0

    @property
    def percent(self) -> int:
        """Return the whole percents that are done."""
        return 100 * self.done // self.rows if self.rows else 0

    @property
    def minutes_left(self) -> int | None:
        """Return how many minutes are left at the rate of before; None: nobody can tell."""
        left = self.rows - self.done
        return round(left / self.rows_per_second / 60) if left and self.rows_per_second else None

    @classmethod
    def read(cls, folder: Path) -> Progress | None:
        """Return what the process told last; None before it has told anything."""
        try:
            return cls(**orjson.loads((folder / PROGRESS).read_bytes()))
        except (OSError, ValueError):
            return None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file under another name, then let it take its own in one step."""
    beside = path.with_name(f".{path.name}")
    beside.write_bytes(orjson.dumps(value))
    beside.replace(path)
