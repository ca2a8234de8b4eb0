"""The courses of the economy for which a policy sets money aside: its section `[[ifrs9]]`."""

from __future__ import annotations

from pricing.entry import Entry, tables
from pricing.errors import Fault, InputError
from pricing.ifrs9 import ecl
from pricing.ifrs9.cycle import MOST_Z
from pricing.ifrs9.ecl import Scenario

SECTION = "policy.ifrs9"


def read(given: object) -> tuple[tuple[Scenario, ...], list[Fault]]:
    """Return the scenarios, none where the section is missing, and all its faults.

    >>> read([{"name": "base", "weight": 0.6, "log_hazard_shift": 0.0},
    ...       {"name": "bad", "weight": 0.4, "z": -1.5}])[0][1].z
    -1.5
    """
    faults: list[Fault] = []
    found = tuple(_scenario(entry) for entry in tables(given, SECTION, faults))
    if not faults and found:
        faults += _faults(found)
    return found, faults


def _scenario(entry: Entry) -> Scenario:
    """Return a scenario, which says a shift of the log hazard or a state of the economy."""
    weight = entry.number("weight", 0.0, 1.0)
    shift = entry.number("log_hazard_shift", -5.0, 5.0, optional=True)
    z = entry.number("z", -MOST_Z, MOST_Z, optional=True)
    if ("log_hazard_shift" in entry.given) == ("z" in entry.given):
        given = "both" if "z" in entry.given else "neither"
        entry.fault("log_hazard_shift", "given, or z in its place", given)
    scenario = Scenario(entry.text("name"), weight or 0.0, shift or 0.0, z)
    entry.close()
    return scenario


def _faults(scenarios: tuple[Scenario, ...]) -> list[Fault]:
    try:
        ecl.check(scenarios)
    except InputError as error:
        return [Fault(f"policy.{x.field}", x.expected, x.given) for x in error.faults]
    return []
