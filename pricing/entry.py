"""One table of a TOML file, read field by field; what is wrong is noted, and told at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from pricing.errors import Fault

LEAST = math.ulp(0.0)  # "above 0"
MOST_MONEY = 1e15


@dataclass(frozen=True)
class Entry:
    """A table at a place, as "policy.schemes[0]". A missing or unfit field reads as a blank.

    >>> entry = Entry({"share": 1.5, "sharre": 0.5}, "policy.x")
    >>> entry.number("share", 0.0, 1.0)
    >>> entry.close()
    >>> [str(fault) for fault in entry.faults]  # doctest: +NORMALIZE_WHITESPACE
    ['policy.x.share must be a number from 0 to 1, however: 1.5',
     "policy.x.sharre must be one of share, however: 'sharre'"]
    """

    given: Mapping[str, object]
    at: str
    faults: list[Fault] = field(default_factory=list)
    _asked: dict[str, None] = field(default_factory=dict, repr=False)

    def fault(self, name: str, expected: str, given: object) -> None:
        """Note what is wrong with a field of this table, or with the table itself."""
        self.faults.append(Fault(f"{self.at}.{name}" if name else self.at, expected, str(given)))

    def raw(self, name: str) -> object:
        """Return what stands there, None if nothing does."""
        self._asked[name] = None
        return self.given.get(name)

    def text(self, name: str, *, default: str | None = None) -> str:
        """Return a text that is not empty; without a default it may not be left out."""
        value = self.raw(name)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and value:
            return value
        self.fault(name, "a text", self.shown(name))
        return ""

    def choice(self, name: str, allowed: Iterable[str], *, default: str | None = None) -> str:
        """Return one of the allowed texts."""
        value, names = self.raw(name), tuple(allowed)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and value in names:
            return value
        self.fault(name, f"one of {', '.join(names)}", self.shown(name))
        return ""

    def texts(self, name: str, allowed: Iterable[str]) -> tuple[str, ...]:
        """Return a list of allowed texts, empty if left out."""
        value, names = self.raw(name), tuple(allowed)
        if value is None:
            return ()
        if isinstance(value, list) and all(isinstance(x, str) and x in names for x in value):
            return tuple(value)
        self.fault(name, f"a list of some of {', '.join(names)}", repr(value))
        return ()

    def flag(self, name: str) -> bool:
        """Return true or false, which may not be left out."""
        value = self.raw(name)
        if not isinstance(value, bool):
            self.fault(name, "true or false", self.shown(name))
        return value is True

    def number(self, name: str, low: float, high: float, *, optional: bool = False) -> float | None:
        """Return a number in [low, high]; true and NaN are none."""
        value = self.raw(name)
        if value is None and optional:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        above = f"a number above 0, at most {high:g}"
        expected = above if low == LEAST else f"a number from {low:g} to {high:g}"
        self.fault(name, expected, self.shown(name))
        return None

    def whole(self, name: str, low: int, high: int, noun: str = "a whole number") -> int:
        """Return a whole number in [low, high]; true is none."""
        value = self.raw(name)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.fault(name, f"{noun} from {low} to {high}", self.shown(name))
        return 0

    def months(self, name: str, high: int) -> int:
        """Return a whole number of months, from 1."""
        return self.whole(name, 1, high, "a whole number of months")

    def day(self, name: str, *, optional: bool = False) -> date | None:
        """Return a date as TOML writes it, 2024-07-24; with a time of day it is none."""
        value = self.raw(name)
        if value is None and optional:
            return None
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        self.fault(name, "a date, as 2024-07-24", self.shown(name))
        return None

    def table(self, name: str, *, optional: bool = False) -> Entry | None:
        """Return the table within, whose faults are noted here."""
        value = self.raw(name)
        if isinstance(value, dict):
            return Entry(value, f"{self.at}.{name}", self.faults)
        if value is not None or not optional:
            self.fault(name, "a table", self.shown(name))
        return None

    def tables(self, name: str) -> Iterator[Entry]:
        """Yield the tables of a list that may not be empty."""
        value = self.raw(name)
        if value == [] or value is None:
            self.fault(name, "a list of tables", self.shown(name))
        else:
            yield from tables(value, f"{self.at}.{name}", self.faults)

    def close(self) -> None:
        """Note the fields that nobody asked for: a name misspelt must not be passed over."""
        for name in self.given.keys() - self._asked.keys():
            self.fault(name, f"one of {', '.join(self._asked)}", repr(name))

    def shown(self, name: str) -> str:
        """Return what was given, for a message."""
        return repr(self.given[name]) if name in self.given else "missing"


def tables(given: object, at: str, faults: list[Fault]) -> Iterator[Entry]:
    """Yield the tables of a section, none for None; what is no table is noted."""
    if given is None:
        return
    if not isinstance(given, list):
        faults.append(Fault(at, "a list of tables", repr(given)))
        return
    for i, table in enumerate(given):
        if isinstance(table, dict):
            yield Entry(table, f"{at}[{i}]", faults)
        else:
            faults.append(Fault(f"{at}[{i}]", "a table", repr(table)))
