"""The stage of a loan under IFRS 9, and the thresholds that decide it: a policy's `[staging]`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from pricing.entry import Entry
from pricing.errors import Fault, InputError

FIELD = "policy.staging"
MOST_DAYS = 365


class Stage(IntEnum):
    """What a loan has come to since it was granted (IFRS 9, 5.5.3 to 5.5.5 and B5.5.37)."""

    PERFORMING = 1  # twelve months of losses are booked
    WEAKENED = 2  # credit risk has risen significantly: losses of the whole life
    IMPAIRED = 3  # in default: losses of the whole life, of which default is no longer in doubt


@dataclass(frozen=True)
class Staging:
    """A lender's thresholds; each alone is enough. IFRS 9 sets the days, and no number for the PD.

    A lender that holds to the rise alone sets the multiple to infinity, and the other way round.
    """

    pd_multiple: float  # PD by the PD expected at origination, at least 1
    pd_rise: float  # PD less the PD expected at origination, above 0
    weakened_after_days: int = 30  # more days past due than these: 5.5.11, rebuttable
    impaired_from_days: int = 90  # as many or more: B5.5.37, rebuttable

    def __post_init__(self) -> None:
        """Refuse thresholds that make no sense, all at once."""
        days, later = self.weakened_after_days, self.impaired_from_days
        refuse(
            ("staging.pd_multiple", "at least 1", self.pd_multiple, self.pd_multiple >= 1),
            ("staging.pd_rise", "above 0", self.pd_rise, self.pd_rise > 0),
            ("staging.weakened_after_days", "at least 0", days, days >= 0),
            (
                "staging.impaired_from_days",
                f"above weakened_after_days={days}",
                later,
                later > days,
            ),
        )


def stage(*, pd: float, pd_at_origination: float, days_past_due: int, staging: Staging) -> Stage:
    """Return the stage of a loan.

    Args:
        pd: probability of default over the remaining life, today, in [0, 1]; 1 is a default.
        pd_at_origination: what was expected, when the loan was granted, for that same remaining
            life. Both may be of twelve months where that changes no answer (B5.5.13).
        days_past_due: of the oldest payment that is due.
        staging: the lender's thresholds.

    Source: IFRS 9, 5.5.9 to 5.5.11 and B5.5.37.

    >>> staging = Staging(pd_multiple=3.0, pd_rise=0.05)
    >>> stage(pd=0.02, pd_at_origination=0.01, days_past_due=31, staging=staging)
    <Stage.WEAKENED: 2>
    """
    refuse(
        ("pd", "in [0, 1]", pd, 0 <= pd <= 1),
        ("pd_at_origination", "in [0, 1]", pd_at_origination, 0 <= pd_at_origination <= 1),
        ("days_past_due", "at least 0", days_past_due, days_past_due >= 0),
    )
    if days_past_due >= staging.impaired_from_days or pd == 1:
        return Stage.IMPAIRED
    risen = pd - pd_at_origination
    multiplied = risen > 0 and pd >= staging.pd_multiple * pd_at_origination
    late = days_past_due > staging.weakened_after_days
    return Stage.WEAKENED if late or multiplied or risen >= staging.pd_rise else Stage.PERFORMING


def read(given: object) -> tuple[Staging | None, list[Fault]]:
    """Return the section `[staging]` of a policy's TOML, None where there is none.

    >>> read({"pd_multiple": 3, "pd_rise": 0.05})[0]
    Staging(pd_multiple=3.0, pd_rise=0.05, weakened_after_days=30, impaired_from_days=90)
    """
    if given is None:
        return None, []
    if not isinstance(given, Mapping):
        return None, [Fault(FIELD, "a table of thresholds", repr(given))]
    entry = Entry(given, FIELD)
    numbers = (entry.number("pd_multiple", 1.0, math.inf), entry.number("pd_rise", 0.0, math.inf))
    names = ("weakened_after_days", "impaired_from_days")
    days = {name: entry.whole(name, 0, MOST_DAYS) for name in names if name in entry.given}
    for name in names:
        entry.raw(name)  # asked for, though it may be left out
    entry.close()
    multiple, rise = numbers
    if entry.faults or multiple is None or rise is None:
        return None, entry.faults
    try:
        return Staging(multiple, rise, **days), []
    except InputError as error:
        return None, [Fault(f"policy.{x.field}", x.expected, x.given) for x in error.faults]


def refuse(*checks: tuple[str, str, object, bool]) -> None:
    """Raise every fault of (field, what is expected, what came, whether it is sound) at once."""
    faults = [
        Fault(name, expected, str(given)) for name, expected, given, sound in checks if not sound
    ]
    if faults:
        raise InputError(faults)
