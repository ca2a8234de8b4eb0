"""Numbers, times and amounts as pages write them: the same in both languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

MINUS = "\u2212"  # as wide as a plus
THIN = "\u202f"


def bp(value: str | float | Decimal, *, signed: bool = False) -> str:
    """Return basis points with two digits.

    Args:
        value: in bp.
        signed: a plus is written too.

    >>> bp("-1234.5"), bp("3", signed=True), bp(0, signed=True)
    ('−1,234.50', '+3.00', '0.00')
    """
    number = Decimal(str(value))
    text = f"{abs(number):,.2f}"
    if not number:
        return text
    return (MINUS if number < 0 else "+" if signed else "") + text


def percent(share: str | float, digits: int = 2) -> str:
    """Return a share in percent.

    >>> percent("0.054321")
    '5.43\u202f%'
    """
    return f"{100 * float(share):,.{digits}f}{THIN}%".replace("-", MINUS)


def money(amount: float) -> str:
    """Return an amount without its currency, in whole units."""
    return f"{amount:,.0f}".replace("-", MINUS)


def when(microseconds: int) -> str:
    """Return a time in UTC to the minute.

    Args:
        microseconds: since 1970.

    >>> when(1_800_000_000_000_000)
    '2027-01-15 08:00'
    """
    return f"{datetime.fromtimestamp(microseconds // 1_000_000, UTC):%Y-%m-%d %H:%M}"


def moment(at: datetime) -> str:
    """Return a time in UTC to the second.

    >>> moment(datetime(2027, 1, 15, 8, 0, 5, tzinfo=UTC))
    '2027-01-15 08:00:05'
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def short(digest: str) -> str:
    """Return the beginning of a digest, enough to tell it from others at a glance."""
    return digest[:12]


FILTERS: Mapping[str, Callable[..., str]] = {
    "bp": bp,
    "percent": percent,
    "money": money,
    "when": when,
    "moment": moment,
    "short": short,
}
