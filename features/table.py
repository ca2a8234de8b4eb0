"""A bank's data file turned into typed columns and outcomes, with every fault by column and row."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from features import file, labels, sql, typed
from features.column import ColumnSet, Outcome
from features.typed import Findings
from pricing.errors import InputError


def read(path: Path, column_set: ColumnSet) -> pl.DataFrame:
    """Return the rows that `outcome.keep` keeps: the set's columns, then the outcome's.

    Columns are Float64, Boolean or String, null where missing. The outcome's are
    outcome.origination, .event_date, .known_date, .followed_until (Date), .event (Int8: 0 nothing,
    1 default, 2 exit), .exposure, .loss, .weight (Float64; weight is 1 where the set has none).

    Raises:
        InputError: with every fault of the file, by column, with the first few rows.
    """
    raw = file.raw(path, column_set)
    numbers = pl.int_range(1, raw.height + 1, eager=True)
    keep = _keep(raw, column_set.outcome)
    findings = Findings(numbers.filter(keep))
    evaluated = _evaluated(raw.filter(keep), column_set, findings)
    columns = [
        typed.values(column, evaluated[column.name], findings).alias(column.name)
        for column in column_set.columns
        if column.name in evaluated
    ]
    outcomes = labels.outcomes(evaluated, column_set.outcome, findings)
    if findings.faults:
        raise InputError(findings.faults)
    return pl.DataFrame([*columns, *outcomes])


def _keep(raw: pl.DataFrame, outcome: Outcome) -> pl.Series:
    if outcome.keep is None:
        keep = pl.Series([True] * raw.height, dtype=pl.Boolean)
    else:
        keep = sql.evaluate(raw, outcome.keep, "outcome.keep")
    if keep.dtype != pl.Boolean:
        raise InputError.of("outcome.keep", "true or false in each row", keep.dtype)
    if not keep.any():
        raise InputError.of("data", "a file with rows to keep", f"{raw.height} rows, none kept")
    return keep.fill_null(False)


def _evaluated(
    raw: pl.DataFrame, column_set: ColumnSet, findings: Findings
) -> dict[str, pl.Series]:
    evaluated = {}
    for field, text in file.expressions(column_set).items():
        try:
            if field != "outcome.keep":
                evaluated[field] = sql.evaluate(raw, text, field)
        except InputError as error:
            findings.faults.extend(error.faults)
    return evaluated
