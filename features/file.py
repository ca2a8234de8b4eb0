"""A data file as it stands, Parquet or CSV: only the columns that a column set reads."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Set
from pathlib import Path

import polars as pl

from features import sql
from features.column import ColumnSet, Kind
from pricing.errors import Fault, InputError


def digest(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def expressions(column_set: ColumnSet) -> dict[str, str]:
    """Return every SQL expression of a set, by column name or outcome.KEY."""
    named = {c.name: c.expression or f'"{c.name}"' for c in column_set.columns}
    outcome = vars(column_set.outcome)
    said = {f"outcome.{key}": text for key, text in outcome.items() if isinstance(text, str)}
    return named | said


def raw(path: Path, column_set: ColumnSet) -> pl.DataFrame:
    """Return the file's columns that the set's expressions read, in the file's types.

    Codes of categories in a CSV are kept as they are written: 01 is not 1.

    Raises:
        InputError: the file is absent or unreadable, a header stands twice, a column is absent.
    """
    reads = {field: sql.reads(text) for field, text in expressions(column_set).items()}
    codes = (
        text
        for column in column_set.columns
        if column.kind is Kind.CATEGORY
        and sql.is_column(text := column.expression or f'"{column.name}"')
    )
    return read(path, reads, as_written={name for text in codes for name in sql.reads(text)})


def read(
    path: Path,
    reads: Mapping[str, Set[str]],
    *,
    as_written: Collection[str],
    optional: Collection[str] = (),
) -> pl.DataFrame:
    """Return columns of a file, in the file's types.

    Args:
        path: of a Parquet or CSV file.
        reads: for each of our fields, the file's columns that it is made of.
        as_written: columns of a CSV that stay texts.
        optional: columns that are read where there are any.

    Raises:
        InputError: the file is absent or unreadable, a header stands twice, a column is absent.
    """
    if not path.is_file():
        raise InputError.of("data", "a Parquet or CSV file", path)
    try:
        header = _header(path)
        _refuse_header(header, reads, path)
        needed = set().union(*reads.values(), optional)
        return _read(path, [name for name in header if name in needed], as_written)
    except (pl.exceptions.PolarsError, OSError) as error:
        told = str(error).strip().partition("\n")[0]
        raise InputError.of("data", "a readable Parquet or CSV file", f"{path}: {told}") from error


def names(path: Path) -> list[str]:
    """Return the headers of a Parquet or CSV file.

    Raises:
        InputError: the file is absent or unreadable, or a header stands twice.
    """
    if not path.is_file():
        raise InputError.of("data", "a Parquet or CSV file", path)
    try:
        header = _header(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        told = str(error).strip().partition("\n")[0]
        raise InputError.of("data", "a readable Parquet or CSV file", f"{path}: {told}") from error
    _refuse_header(header, {}, path)
    return header


def _header(path: Path) -> list[str]:
    if path.suffix in (".parquet", ".pq"):
        return list(pl.read_parquet_schema(path))
    if path.name.endswith((".csv", ".csv.gz")):
        first = pl.read_csv(path, has_header=False, n_rows=1, infer_schema=False)
        return [str(name or "") for name in first.row(0)]
    raise InputError.of("data", "a file named .parquet, .pq, .csv or .csv.gz", path)


def _refuse_header(header: list[str], reads: Mapping[str, Set[str]], path: Path) -> None:
    faults = [
        Fault("data", "a file that names each column once", f"{name!r} named again in {path.name}")
        for name in sorted({name for name in header if name and header.count(name) > 1})
    ]
    for field, columns in reads.items():
        absent = sorted(columns - set(header))
        if absent:
            given = f"{path.name} has no column {', '.join(absent)}"
            faults.append(Fault(field, "made of the file's columns", given))
    if faults:
        raise InputError(faults)


def _read(path: Path, needed: list[str], as_written: Collection[str]) -> pl.DataFrame:
    if path.suffix in (".parquet", ".pq"):
        return pl.read_parquet(path, columns=needed)
    return pl.read_csv(
        path,
        columns=needed,
        infer_schema_length=None,
        try_parse_dates=True,
        schema_overrides=dict.fromkeys(as_written, pl.String),
    )
