"""What two models asked of the same projects: a bounded file, and the table that is made of it.

A row is a quote: its id, when, the instrument, the champion's grade, both models by digest, both
prices. Nothing of the project is in it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from rich.table import Table

from pricing.errors import InputError

MOST_ROWS = 200_000  # the oldest give way
WAIT_SECONDS = 5.0  # for a reader or the writer to be done
BANDS_BPS = (300, 800, 2000)  # of the champion's price
ALL = "all"


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

    @property
    def difference_bps(self) -> float:
        """Return by how much the challenger asks more."""
        return self.challenger_bps - self.champion_bps

    @property
    def band(self) -> str:
        """Return where the champion's price lies, in words.

        >>> Comparison("q", "t", "term_loan", 3, "a", "b", 455.0, 400.0).band
        '300 to 800 bp'
        """
        below = [bound for bound in BANDS_BPS if self.champion_bps >= bound]
        above = [bound for bound in BANDS_BPS if self.champion_bps < bound]
        if not below:
            return f"below {above[0]} bp"
        return f"{below[-1]} to {above[0]} bp" if above else f"from {below[-1]} bp"


NAMES = tuple(field.name for field in fields(Comparison))
TABLE = """CREATE TABLE IF NOT EXISTS comparison (
    quote_id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, instrument TEXT NOT NULL,
    grade INTEGER NOT NULL, champion TEXT NOT NULL, challenger TEXT NOT NULL,
    champion_bps REAL NOT NULL, challenger_bps REAL NOT NULL
) STRICT"""
INSERT = f"INSERT OR IGNORE INTO comparison VALUES ({', '.join('?' * len(NAMES))})"
BOUND = "DELETE FROM comparison WHERE rowid <= (SELECT max(rowid) FROM comparison) - ?"


def write(file: Path, rows: Sequence[Comparison], *, most: int = MOST_ROWS) -> None:
    """Add rows to the file, which is made if absent; the oldest above so many go."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with _open(str(file)) as database:
        database.execute(TABLE)
        database.executemany(INSERT, [astuple(row) for row in rows])
        database.execute(BOUND, (most,))


def read(file: Path) -> list[Comparison]:
    """Return all rows, the oldest first.

    Raises:
        InputError: there are none.
    """
    if not file.is_file():
        expected = "a file that a server with SEEDRATE_SHADOW_SHARE above 0 has written"
        raise InputError.of("shadow", expected, f"{file} is absent")
    with _open(f"file:{file}?mode=ro") as database:
        asked = f"SELECT {', '.join(NAMES)} FROM comparison ORDER BY rowid"
        return [Comparison(*row) for row in database.execute(asked)]


def render(rows: Sequence[Comparison]) -> Table:
    """Return the differences of the latest pair of models by segment, as one can read them."""
    champion, challenger = rows[-1].champion, rows[-1].challenger
    pair = [r for r in rows if (r.champion, r.challenger) == (champion, challenger)]
    title = f"Challenger {challenger[:12]} less champion {champion[:12]}, in basis points"
    if len(pair) < len(rows):
        title += f"; {len(rows) - len(pair):,} rows of other pairs are left out"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in ("quotes", "mean", "mean size", "p50", "p90", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, some in segments(pair):
        signed = np.array([row.difference_bps for row in some])
        size = np.abs(signed)
        figures = (signed.mean(), size.mean(), *np.percentile(size, (50, 90)), size.max())
        table.add_row(name, f"{len(some):,}", *(f"{figure:.2f}" for figure in figures))
    return table


def segments(rows: Sequence[Comparison]) -> Iterator[tuple[str, list[Comparison]]]:
    """Give all rows, then those of each instrument, price band and grade."""
    yield ALL, list(rows)
    ways = (
        sorted({row.instrument for row in rows}),
        [row.band for row in sorted(rows, key=lambda row: row.champion_bps)],
        [f"grade {grade}" for grade in sorted({row.grade for row in rows})],
    )
    for names in ways:
        for name in dict.fromkeys(names):
            yield name, [r for r in rows if name in (r.instrument, r.band, f"grade {r.grade}")]


@contextmanager
def _open(name: str) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(name, timeout=WAIT_SECONDS, uri=name.startswith("file:"))
    try:
        with database:
            yield database
    finally:
        database.close()
