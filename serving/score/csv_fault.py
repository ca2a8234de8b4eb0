"""Why a CSV cannot be read: its first row that is at fault, what it must be, and what it is."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pricing.errors import InputError


def csv_fault(path: Path, error: Exception) -> InputError:
    """Return what is wrong with a CSV that a reader has refused.

    Args:
        path: of the CSV.
        error: the reader's, which names no row.
    """
    with suppress(csv.Error, OSError), path.open("rb") as file:
        width = 0
        for number, cells in enumerate(csv.reader(_lines(file)), start=0):
            if UNREADABLE in "".join(cells):
                return InputError.of(f"book row {number}", "in UTF-8", "other bytes")
            width = width or len(cells)
            if len(cells) > width:
                given = f"{len(cells)} cells, the last of them {cells[-1][:40]!r}"
                return InputError.of(f"book row {number}", f"{width} cells, as the header", given)
    told = str(error).strip().partition("\n")[0]
    return InputError.of("book", "a readable CSV file", told)


UNREADABLE = "\N{REPLACEMENT CHARACTER}"


def _lines(file: Iterator[bytes]) -> Iterator[str]:
    return (line.decode("utf-8", errors="replace") for line in file)
