"""What a caller may change of a policy, within bounds that the policy sets for that caller."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pricing.errors import Fault, InputError

SECTION = "policy.overrides"
NUMBERS = ("opex_bps", "margin_bps", "spread_floor_bps", "spread_cap_bps")
ANYONE = "anyone"  # a caller without bounds of their own

Bounds = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Overrides:
    """For each caller the numbers that may be changed, with the lowest and highest allowed."""

    by_caller: Mapping[str, Bounds] = field(default_factory=dict)

    def bounds(self, caller: str) -> Bounds:
        """Return the bounds of a caller, else those of anyone."""
        return self.by_caller.get(caller, self.by_caller.get(ANYONE, {}))

    def check(self, asked: Mapping[str, float], *, caller: str = ANYONE) -> None:
        """Raise an InputError, with every fault, unless the caller may ask for these numbers.

        >>> rules = Overrides({"anyone": {"margin_bps": (0.0, 100.0)}})
        >>> rules.check({"margin_bps": 40.0})
        >>> rules.check({"margin_bps": 140.0})
        Traceback (most recent call last):
        pricing.errors.InputError: overrides.margin_bps must be from 0 to 100, however: 140.0
        """
        bounds = self.bounds(caller)
        faults = [fault for name, number in asked.items() for fault in _wrong(name, number, bounds)]
        if faults:
            raise InputError(faults)


def _wrong(name: str, number: float, bounds: Bounds) -> Iterator[Fault]:
    if name not in bounds:
        allowed = f"one of {', '.join(bounds)}" if bounds else "left out: the policy allows none"
        yield Fault(f"overrides.{name}", allowed, str(number))
        return
    low, high = bounds[name]
    if not low <= number <= high:
        yield Fault(f"overrides.{name}", f"from {low:g} to {high:g}", str(number))


def read(given: object) -> tuple[Overrides, list[Fault]]:
    """Return the section `[overrides.<caller>]` of a policy's TOML, and all its faults.

    >>> read({"anyone": {"margin_bps": [0, 100]}})[0].by_caller["anyone"]
    {'margin_bps': (0.0, 100.0)}
    """
    if given is None:
        return Overrides(), []
    if not isinstance(given, Mapping):
        return Overrides(), [Fault(SECTION, "a table of callers", repr(given))]
    faults: list[Fault] = []
    by_caller = {
        str(caller): _bounds(str(caller), table, faults) for caller, table in given.items()
    }
    return Overrides(by_caller), faults


def _bounds(caller: str, table: object, faults: list[Fault]) -> Bounds:
    at = f"{SECTION}.{caller}"
    if not isinstance(table, Mapping):
        faults.append(Fault(at, "a table of [lowest, highest]", repr(table)))
        return {}
    bounds: dict[str, tuple[float, float]] = {}
    for name, pair in table.items():
        match pair:
            case [int() | float() as low, int() | float() as high] if (
                name in NUMBERS and math.isfinite(low) and math.isfinite(high) and low <= high
            ):
                bounds[str(name)] = (float(low), float(high))
            case _ if name not in NUMBERS:
                faults.append(Fault(f"{at}.{name}", f"one of {', '.join(NUMBERS)}", str(name)))
            case _:
                faults.append(Fault(f"{at}.{name}", "[lowest, highest], in bp", repr(pair)))
    return bounds
