"""Rows for spreadsheets: CSV as RFC 4180 has it, in which no cell is a formula.

Source: OWASP, CSV Injection: a text that begins with = + - @, a tab or a return is run by
spreadsheets; here it gets an apostrophe before it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from serving.ledger.listing import Listed

COLUMNS = (
    "time", "quote_id", "reference", "instrument", "amount", "figure", "bps", "rate", "grade",
    "model",
)  # fmt: skip
HEAD = "\ufeff" + ",".join(COLUMNS) + "\r\n"  # the mark tells spreadsheets that this is UTF-8
FORMULA = tuple("=+-@\t\r\n")


def line(quote: Listed) -> str:
    """Return a row: what is erased is empty."""
    facts = quote.facts
    seconds, micro = divmod(quote.place.created_us, 1_000_000)
    time = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro)
    cells = (
        time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        quote.quote_id,
        cell(facts.reference or ""),
        cell(facts.instrument),
        "" if facts.amount is None else str(facts.amount),
        facts.figure or "",
        "" if facts.hundredths is None else f"{facts.hundredths / 100:.2f}",
        facts.rate or "",
        "" if facts.grade is None else str(facts.grade),
        cell(facts.model),
    )
    return ",".join(cells) + "\r\n"


def cell(text: str) -> str:
    """Return a text as a cell.

    >>> cell("a,b"), cell("plain"), cell("-1"), cell("=1+1")
    ('"a,b"', 'plain', "'-1", "'=1+1")
    """
    safe = f"'{text}" if text.startswith(FORMULA) else text
    if any(letter in safe for letter in ',"\r\n'):
        return '"' + safe.replace('"', '""') + '"'
    return safe
