"""What two models asked of the same projects: a bounded file, and the table that is made of it.

A row is a quote: its id, when, whose, the instrument, the champion's grade, both models by digest,
both prices. Nothing of the project is in it.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from rich.table import Table

from models.leaves import Floats
from pricing.errors import InputError

MOST_ROWS = 200_000  # the oldest give way
WAIT_SECONDS = 5.0  # for a reader or the writer to be done
BANDS_BPS = (300, 800, 2000)  # of the champion's price
ALL, INSTRUMENT, BAND, GRADE = WAYS = ("all", "instrument", "band", "grade")


@dataclass(frozen=True)
class Comparison:
    """Two prices of one quote, in basis points of its figure."""

    quote_id: str
    at: str
    instrument: str
    grade: int
    champion: str  # digest of its manifest
    challenger: str
    champion_bps: float
    challenger_bps: float
    tenant: str = ""  # empty: in a file of before, which did not say

    @property
    def difference_bps(self) -> float:
        """Return by how much the challenger asks more."""
        return self.challenger_bps - self.champion_bps

    @property
    def band(self) -> int:
        """Return where the champion's price lies: how many of BANDS_BPS it has reached.

        >>> Comparison("q", "t", "term_loan", 3, "a", "b", 455.0, 400.0).band
        1
        """
        return bisect_right(BANDS_BPS, self.champion_bps)


@dataclass(frozen=True)
class Segment:
    """By how much the challenger asks more for some of the quotes, in bp.

    Attributes:
        way: one of WAYS in which quotes are told apart.
        value: the instrument, the band's place or the grade.
        count: of its quotes.
        mean: of the differences.
        size: mean of their sizes; so are the next of sizes.
        p50: that half do not exceed.
        p95: that 95 of 100 do not exceed.
        worst: of all.
    """

    way: str
    value: str | int
    count: int
    mean: float
    size: float
    p50: float
    p95: float
    worst: float

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        """Return from where to where a band reaches; None: there is no end.

        >>> Segment(BAND, 1, 1, 0, 0, 0, 0, 0).bounds, Segment(BAND, 3, 1, 0, 0, 0, 0, 0).bounds
        ((300, 800), (2000, None))
        """
        ends = (None, *BANDS_BPS, None)
        return ends[int(self.value)], ends[int(self.value) + 1]


NAMES = tuple(field.name for field in fields(Comparison))
TABLE = """CREATE TABLE IF NOT EXISTS comparison (
    quote_id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, instrument TEXT NOT NULL,
    grade INTEGER NOT NULL, champion TEXT NOT NULL, challenger TEXT NOT NULL,
    champion_bps REAL NOT NULL, challenger_bps REAL NOT NULL, tenant TEXT NOT NULL DEFAULT ''
) STRICT"""
WHOSE = "ALTER TABLE comparison ADD COLUMN tenant TEXT NOT NULL DEFAULT ''"
INSERT = f"INSERT OR IGNORE INTO comparison VALUES ({', '.join('?' * len(NAMES))})"
BOUND = "DELETE FROM comparison WHERE rowid <= (SELECT max(rowid) FROM comparison) - ?"


def write(file: Path, rows: Sequence[Comparison], *, most: int = MOST_ROWS) -> None:
    """Add rows to the file, which is made if absent; the oldest above so many go."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with _open(str(file)) as database:
        database.execute(TABLE)
        if _is_of_before(database):
            database.execute(WHOSE)
        database.executemany(INSERT, [astuple(row) for row in rows])
        database.execute(BOUND, (most,))


def read(file: Path, *, most: int = MOST_ROWS) -> list[Comparison]:
    """Return the newest rows, the oldest first.

    Raises:
        InputError: there are none.
    """
    if not file.is_file():
        expected = "a file that a server with SEEDRATE_SHADOW_SHARE above 0 has written"
        raise InputError.of("shadow", expected, f"{file} is absent")
    with _open(f"file:{file}?mode=ro") as database:
        names = NAMES[:-1] if _is_of_before(database) else NAMES
        asked = f"SELECT {', '.join(names)} FROM comparison ORDER BY rowid DESC LIMIT ?"
        return [Comparison(*row) for row in database.execute(asked, (most,))][::-1]


def latest(rows: Sequence[Comparison]) -> list[Comparison]:
    """Return the rows of the pair of models that was compared last."""
    pair = (rows[-1].champion, rows[-1].challenger) if rows else None
    return [row for row in rows if (row.champion, row.challenger) == pair]


def render(rows: Sequence[Comparison]) -> Table:
    """Return the differences of the latest pair of models by segment, as one can read them."""
    pair = latest(rows)
    challenger, champion = pair[-1].challenger[:12], pair[-1].champion[:12]
    title = f"Challenger {challenger} less champion {champion}, in basis points"
    if len(pair) < len(rows):
        title += f"; {len(rows) - len(pair):,} rows of other pairs are left out"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in ("quotes", "mean", "mean size", "p50", "p95", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in segments(pair):
        figures = (one.mean, one.size, one.p50, one.p95, one.worst)
        table.add_row(_named(one), f"{one.count:,}", *(f"{figure:.2f}" for figure in figures))
    return table


def segments(rows: Sequence[Comparison]) -> list[Segment]:
    """Return the figures of all rows, then those of each instrument, price band and grade."""
    found: dict[tuple[str, str | int], list[float]] = {}
    for row in rows:
        values: tuple[str | int, ...] = (ALL, row.instrument, row.band, row.grade)
        for key in zip(WAYS, values, strict=True):
            found.setdefault(key, []).append(row.difference_bps)
    ordered = sorted(found.items(), key=lambda one: (WAYS.index(one[0][0]), one[0][1]))
    return [_segment(way, value, np.array(signed)) for (way, value), signed in ordered]


def _segment(way: str, value: str | int, signed: Floats) -> Segment:
    size = np.abs(signed)
    spread = (size.mean(), *np.percentile(size, (50, 95)), size.max())
    return Segment(way, value, len(signed), float(signed.mean()), *map(float, spread))


def _named(one: Segment) -> str:
    if one.way == BAND:
        low, high = one.bounds
        if low is None or high is None:
            return f"below {high} bp" if low is None else f"from {low} bp"
        return f"{low} to {high} bp"
    return f"grade {one.value}" if one.way == GRADE else str(one.value)


def _is_of_before(database: sqlite3.Connection) -> bool:
    return NAMES[-1] not in {row[1] for row in database.execute("PRAGMA table_info(comparison)")}


@contextmanager
def _open(name: str) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(name, timeout=WAIT_SECONDS, uri=name.startswith("file:"))
    try:
        with database:
            yield database
    finally:
        database.close()
