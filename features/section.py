"""One table of a TOML file, read key by key, so that every fault is found, not only the first."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar

from features import sql
from pricing.errors import Fault, InputError

Choice = TypeVar("Choice", bound=StrEnum)
NAME = re.compile(r"[a-z][a-z0-9_]*")


class Section:
    """A table and its place in the file; a faulty value is reported and read as an empty one."""

    def __init__(self, place: str, table: Mapping[str, object], faults: list[Fault]) -> None:
        """Read from `table`; faults are appended to the list that the whole file shares."""
        self.place = place
        self.faults = faults
        self._table = table
        self._read: set[str] = set()

    def refuse(self, key: str, expected: str, given: object) -> None:
        """Report that the key's value must be something else."""
        self.faults.append(Fault(f"{self.place}{key}", expected, str(given)))

    def refused(self, key: str) -> bool:
        """Return whether a fault of the key has been reported."""
        return any(fault.field == f"{self.place}{key}" for fault in self.faults)

    def skip(self, *keys: str) -> None:
        """Leave keys unread that cannot be judged."""
        self._read.update(keys)

    def has(self, key: str) -> bool:
        """Return whether the key is there."""
        return key in self._table

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that says something; without a default the key is required."""
        value = self._take(key, "a text", default)
        if value is None:
            return ""
        if not isinstance(value, str) or not (value.strip() or value == default):
            self.refuse(key, "a text", repr(value))
            return ""
        return value

    def name(self, key: str) -> str:
        """Return a name of small letters, digits and underscores."""
        value = self.text(key)
        if value and not NAME.fullmatch(value):
            self.refuse(key, "small letters, digits and _, first a letter", repr(value))
        return value

    def flag(self, key: str) -> bool:
        """Return true or false; false where it is absent."""
        value = self._take(key, "true or false", False)
        if isinstance(value, bool):
            return value
        self.refuse(key, "true or false", repr(value))
        return False

    def choice(self, key: str, among: type[Choice], default: Choice | None = None) -> Choice:
        """Return one of an enumeration; a faulty one reads as the last of them."""
        expected = "one of " + ", ".join(among)
        value = self._take(key, expected, default)
        for choice in among:
            if value == choice.value:
                return choice
        if value is not None:
            self.refuse(key, expected, repr(value))
        return choice

    def names(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return a list of different texts; empty only where it is absent and the default is."""
        value = self._take(key, "a list of texts", list(default))
        if value == list(default):
            return default
        if not isinstance(value, list) or not value or not all(_says(item) for item in value):
            self.refuse(key, "a list of texts", repr(value))
            return default
        repeated = sorted({item for item in value if value.count(item) > 1})
        if repeated:
            self.refuse(key, "a list of different texts", f"{', '.join(repeated)} given again")
        return tuple(value)

    def sql(self, key: str, *, required: bool = False) -> str | None:
        """Return an SQL expression that parses, or None where there is none."""
        if not required and key not in self._table:
            return None
        value = self.text(key)
        try:
            if value:
                sql.expression(value, self.place + key)
                return value
        except InputError as error:
            self.faults.extend(error.faults)
        return None

    def day(self, key: str) -> date | None:
        """Return a date, or None where there is none."""
        value = self._table.get(key)
        self._read.add(key)
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value
        self.refuse(key, "a date, as in 2004-01-01", repr(value))
        return None

    def bounds(self, key: str) -> tuple[float | None, float | None]:
        """Return the two ends of a range; "open" reads as None."""
        expected = '[lowest, highest], each a number or "open", lowest < highest'
        value = self._take(key, expected, None)
        if value is None:
            return None, None
        if not isinstance(value, list) or len(value) != 2 or not all(map(_bound, value)):
            self.refuse(key, expected, repr(value))
            return None, None
        low, high = (None if end == "open" else float(end) for end in value)
        if low is not None and high is not None and not low < high:
            self.refuse(key, expected, repr(value))
        return low, high

    def whole(self, key: str, default: int) -> int:
        """Return a whole number of at least 0."""
        value = self._take(key, "a whole number", default)
        if type(value) is int and value >= 0:
            return value
        self.refuse(key, "a whole number of at least 0", repr(value))
        return default

    def months(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return months that begin with 0 and increase."""
        value = self._take(key, "months", list(default))
        months = value if isinstance(value, list) else []
        whole = all(type(month) is int for month in months)
        if not whole or months[:1] != [0] or len(months) < 2 or months != sorted(set(months)):
            self.refuse(key, "two or more whole months, the first 0, increasing", repr(value))
            return default
        return tuple(months)

    def within(self, key: str) -> Section:
        """Return the table under the key; an absent one is empty."""
        value = self._table.get(key, {})
        self._read.add(key)
        if not isinstance(value, dict):
            self.refuse(key, "a table", repr(value))
            value = {}
        return Section(f"{self.place}{key}.", value, self.faults)

    def each(self, key: str) -> dict[str, Section]:
        """Return the tables under the key, by name."""
        found = self.within(key)
        for name in found._table:
            if not NAME.fullmatch(name):
                found.refuse(name, "named in small letters, digits and _, first a letter", name)
        return {name: found.within(name) for name in found._table}

    def rows(self, key: str) -> list[Section]:
        """Return the array of tables under the key, placed by name, or by number where nameless."""
        value = self._take(key, f"[[{key}]] tables, one or more", None)
        if value is None:
            return []
        if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
            self.refuse(key, f"[[{key}]] tables, one or more", repr(value)[:60])
            return []
        places = [row.get("name") or f"[{number}]" for number, row in enumerate(value, 1)]
        return [
            Section(f"{self.place}{key}.{place}.", row, self.faults)
            for place, row in zip(places, value, strict=True)
        ]

    def close(self) -> None:
        """Report every key that nobody read."""
        known = ", ".join(sorted(self._read))
        for key in self._table:
            if key not in self._read:
                self.refuse(key, f"one of the keys {known}", "an unknown key")

    def _take(self, key: str, expected: str, default: object) -> object:
        self._read.add(key)
        if key not in self._table and default is None:
            self.refuse(key, expected, "missing")
        return self._table.get(key, default)


def _says(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _bound(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value == "open" or (number and math.isfinite(float(str(value))))
