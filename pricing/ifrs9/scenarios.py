"""The courses of the economy for which a policy sets money aside: its section `[[ifrs9]]`."""

from __future__ import annotations

from pricing.entry import tables
from pricing.errors import Fault, InputError
from pricing.ifrs9 import ecl
from pricing.ifrs9.ecl import Scenario

SECTION = "policy.ifrs9"


def read(given: object) -> tuple[tuple[Scenario, ...], list[Fault]]:
    """Return the scenarios, none where the section is missing, and all its faults.

    >>> read([{"name": "base", "weight": 1.0, "log_hazard_shift": 0.0}])[0]
    (Scenario(name='base', weight=1.0, log_hazard_shift=0.0),)
    """
    faults: list[Fault] = []
    found = []
    for entry in tables(given, SECTION, faults):
        weight = entry.number("weight", 0.0, 1.0)
        shift = entry.number("log_hazard_shift", -5.0, 5.0)
        found.append(Scenario(entry.text("name"), weight or 0.0, shift or 0.0))
        entry.close()
    if not faults and found:
        faults += _faults(tuple(found))
    return tuple(found), faults


def _faults(scenarios: tuple[Scenario, ...]) -> list[Fault]:
    try:
        ecl.check(scenarios)
    except InputError as error:
        return [Fault(f"policy.{x.field}", x.expected, x.given) for x in error.faults]
    return []
