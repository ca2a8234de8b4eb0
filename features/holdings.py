"""A bank's book of loans at a reporting date, read from a file with every fault by row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from features import file, typed
from features.column import Column, Kind
from features.typed import SHOWN_ROWS, Findings
from pricing.entry import MOST_MONEY
from pricing.errors import Fault, InputError
from pricing.ifrs9.portfolio import Holding
from pricing.schedule import LONGEST_TERM, REPAYMENTS, Terms

_WORDS = "unit group source label label_zh meaning meaning_zh".split()  # that nobody reads
_SILENT: dict[str, Any] = dict.fromkeys(_WORDS, "")


def _column(name: str, kind: Kind, **more: Any) -> Column:
    return Column(name=name, kind=kind, **_SILENT, **{"optional": False, **more})


COLUMNS = (
    _column("loan", Kind.CATEGORY),
    _column("outstanding", Kind.MONEY, low=0.01, high=MOST_MONEY),
    _column("months_left", Kind.COUNT, low=1, high=LONGEST_TERM),
    _column("repayment", Kind.CATEGORY, levels=REPAYMENTS),
    _column("eir", Kind.RATIO, low=-0.5, high=10.0),
    _column("pd", Kind.RATIO, low=0.0, high=1.0),
    _column("pd_at_origination", Kind.RATIO, low=0.0, high=1.0),
    _column("lgd", Kind.RATIO, low=0.0, high=1.0),
    _column("days_past_due", Kind.COUNT, low=0, high=36_500),
    _column("payment_months", Kind.COUNT, low=1, high=12, optional=True),
    _column("grace_months", Kind.COUNT, low=0, high=LONGEST_TERM, optional=True),
)
DEFAULTS = {"payment_months": 1, "grace_months": 0}
_NAMES = {"terms.term_months": "months_left", "terms.amount": "outstanding"}  # by field of `Terms`


def read(path: Path) -> list[Holding]:
    """Return the loans of a file, in its order; other columns are passed over.

    Raises:
        InputError: with every fault of the file, by column, with the first few rows.
    """
    required = {column.name: {column.name} for column in COLUMNS if not column.optional}
    raw = file.read(path, required, as_written=("loan",), optional=DEFAULTS)
    findings = Findings(pl.int_range(1, raw.height + 1, eager=True))
    values = [
        typed.values(column, raw[column.name], findings).alias(column.name)
        for column in COLUMNS
        if column.name in raw.columns
    ]
    loan = values[0]
    twice = typed.given(loan) & loan.is_duplicated()
    findings.refuse("loan", "the name of one row only", loan, twice)
    if not raw.height:
        findings.faults.append(Fault("data", "a file with loans", "no row"))
    if findings.faults:
        raise InputError(findings.faults)
    return _holdings(pl.DataFrame(values))


def _holdings(frame: pl.DataFrame) -> list[Holding]:
    """Return the loans of sound columns, or raise what does not fit together within a row."""
    found, wrong = [], defaultdict[str, list[Fault]](list)
    for number, row in enumerate(frame.iter_rows(named=True), 1):
        said = {**DEFAULTS, **{name: value for name, value in row.items() if value is not None}}
        try:
            found.append(_holding(said))
        except InputError as error:
            for fault in error.faults:
                name = _NAMES.get(fault.field, fault.field.removeprefix("terms."))
                given = f"{fault.given} in row {number}"
                expected = fault.expected.replace("term_months", "months_left")
                wrong[name].append(Fault(name, expected, given))
    if wrong:
        raise InputError([fault for faults in wrong.values() for fault in _first(faults)])
    return found


def _holding(said: dict[str, Any]) -> Holding:
    terms = Terms(
        amount=said["outstanding"],
        term_months=int(said["months_left"]),
        repayment=said["repayment"],
        grace_months=int(said["grace_months"]),
        payment_months=int(said["payment_months"]),
    )
    return Holding(
        loan=said["loan"],
        terms=terms,
        eir_annual=said["eir"],
        pd=said["pd"],
        pd_at_origination=said["pd_at_origination"],
        lgd=said["lgd"],
        days_past_due=int(said["days_past_due"]),
    )


def _first(faults: list[Fault]) -> Iterator[Fault]:
    """Yield the first few faults of a column; the last of them says how many there are."""
    more = f", ... ({len(faults):,} rows)" if len(faults) > SHOWN_ROWS else ""
    *most, last = faults[:SHOWN_ROWS]
    yield from most
    yield Fault(last.field, last.expected, last.given + more)
