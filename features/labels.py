"""What became of each loan of a file: dates, event, loss and weight, checked row by row."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from features import typed
from features.column import Outcome
from features.typed import Findings


def outcomes(
    evaluated: Mapping[str, pl.Series], outcome: Outcome, findings: Findings
) -> list[pl.Series]:
    """Return the typed outcome columns, as `table.read` describes them.

    Args:
        evaluated: the set's expressions, each outcome's under outcome.KEY; what could not be
            evaluated has been reported and is absent.
        outcome: which values of the event mean what.
        findings: gets the faults.
    """
    height = len(findings.rows)

    def raw(key: str) -> pl.Series:
        absent = pl.Series([None] * height, dtype=pl.Null)
        return evaluated.get(f"outcome.{key}", absent).alias(f"outcome.{key}")

    every = pl.Series([True] * height, dtype=pl.Boolean)
    event = _event(raw("event"), outcome, findings)
    happened = event > 0
    origination = _dates(raw("origination"), every, every, findings)
    event_date = _dates(raw("event_date"), happened, every, findings)
    followed = _dates(raw("followed_until"), every, ~happened, findings)
    known = _dates(raw("known_date"), happened, ~every, findings)
    known = known.zip_with(known.is_not_null(), event_date)
    exposure, loss = _losses(raw("exposure"), raw("loss"), event == 1, findings)
    weight = _weight(raw("weight"), outcome, findings)

    _refuse_before(event_date, origination, "the origination", findings)
    alone = followed.zip_with(~happened, origination)  # the others' event says how long
    _refuse_before(alone, origination, "the origination", findings)
    _refuse_before(known, event_date, "the event", findings)
    if outcome.loan is not None:
        loan = raw("loan")
        findings.refuse(loan.name, "the name of one row only", loan, loan.is_duplicated())
    return [origination, event, event_date, known, followed, exposure, loss, weight]


def _event(raw: pl.Series, outcome: Outcome, findings: Findings) -> pl.Series:
    named = typed.names(raw.cast(pl.String) if raw.dtype == pl.Boolean else raw)
    codes = dict.fromkeys(outcome.default_values, 1) | dict.fromkeys(outcome.exit_values, 2)
    event = named.replace_strict(codes, default=None, return_dtype=pl.Int8)
    expected = f"one of {', '.join(codes)}, or nothing"
    findings.refuse(raw.name, expected, raw, typed.given(raw) & event.is_null())
    return event.fill_null(0)


def _dates(
    raw: pl.Series, relevant: pl.Series, required: pl.Series, findings: Findings
) -> pl.Series:
    """Return dates where they are relevant, null elsewhere; where required there must be one."""
    days = typed.dates(raw)
    wrong = relevant & days.is_null() & (required | typed.given(raw))
    findings.refuse(raw.name, "a date", raw, wrong)
    return days.zip_with(relevant, days.clear(len(days)))


def _refuse_before(days: pl.Series, first: pl.Series, what: str, findings: Findings) -> None:
    findings.refuse(days.name, f"on or after {what}", days, days < first)


def _losses(
    raw_exposure: pl.Series, raw_loss: pl.Series, default: pl.Series, findings: Findings
) -> tuple[pl.Series, pl.Series]:
    exposure = _amount(raw_exposure, default, findings)
    loss = _amount(raw_loss, default, findings)
    findings.refuse(exposure.name, "above 0", exposure, exposure <= 0)
    findings.refuse(loss.name, "from 0 to the exposure", loss, (loss < 0) | (loss > exposure))
    return exposure, loss


def _amount(raw: pl.Series, relevant: pl.Series, findings: Findings) -> pl.Series:
    amount = typed.numbers(raw)
    wrong = typed.given(raw) & ~amount.is_finite().fill_null(False)
    findings.refuse(raw.name, "a finite number", raw, relevant & wrong)
    return amount.zip_with(relevant, amount.clear(len(amount)))


def _weight(raw: pl.Series, outcome: Outcome, findings: Findings) -> pl.Series:
    if outcome.weight is None:
        return pl.Series(raw.name, [1.0] * len(raw), pl.Float64)
    weight = typed.numbers(raw)
    sound = (weight.is_finite() & (weight >= 0)).fill_null(False)
    findings.refuse(raw.name, "a finite number of at least 0", raw, ~sound)
    return weight
