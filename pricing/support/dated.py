"""What is in force from one day to another, and which of its kind is in force on a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from pricing.entry import Entry, tables
from pricing.errors import Fault, InputError


@dataclass(frozen=True, kw_only=True)
class Dated:
    """The name by which a request asks for it, the days it holds, and where its numbers stand."""

    name: str
    title: str
    title_zh: str
    valid_from: date
    valid_to: date | None  # the last day; None while no end is set
    source: str
    verified: bool  # false: the numbers could not be confirmed at the source
    assumed: tuple[str, ...] = ()  # fields of a verified one whose numbers the source does not give

    def in_force(self, on: date) -> bool:
        """Return whether it holds on a day; the first and the last day count."""
        return self.valid_from <= on and (self.valid_to is None or on <= self.valid_to)

    def meets(self, other: Dated) -> bool:
        """Return whether there is a day on which both hold."""
        return self.in_force(other.valid_from) or other.in_force(self.valid_from)


D = TypeVar("D", bound=Dated)


def heading(entry: Entry, *, assumable: Sequence[str]) -> Dated:
    """Return what a table says of its name and days, blank where there is a fault."""
    first, last = entry.day("valid_from"), entry.day("valid_to", optional=True)
    if first is not None and last is not None and last < first:
        entry.fault("valid_to", f"at least valid_from={first}", last)
    title = entry.text("title")
    return Dated(
        name=entry.text("name"),
        title=title,
        title_zh=entry.text("title_zh", default=title),
        valid_from=first or date.min,
        valid_to=last,
        source=entry.text("source"),
        verified=entry.flag("verified"),
        assumed=entry.texts("assumed", assumable),
    )


def read(
    given: object, section: str, make: Callable[[Entry], D | None]
) -> tuple[tuple[D, ...], list[Fault]]:
    """Return what the tables of a section describe, and all their faults.

    What has a fault is left out, so that the items only stand if there are no faults.

    Args:
        given: of a policy's TOML; None where the section is left out.
        section: where it stands.
        make: returns what a table describes, or None after noting its faults.
    """
    faults: list[Fault] = []
    found = [(entry.at, make(entry)) for entry in tables(given, section, faults)]
    sound = [(at, item) for at, item in found if item is not None]
    faults.extend(overlaps(sound))
    return tuple(item for _, item in sound), faults


def find(items: Sequence[D], name: str, *, on: date, field: str) -> D:
    """Return the one of that name that is in force on a day.

    Raises:
        InputError: there is none; it names those that the day knows.
    """
    known = [item for item in items if item.in_force(on)]
    for item in known:
        if item.name == name:
            return item
    names = ", ".join(item.name for item in known)
    expected = f"one in force on {on}: {names}" if names else f"left out: none is in force on {on}"
    raise InputError.of(field, expected, name)


def overlaps(items: Sequence[tuple[str, Dated]]) -> Iterator[Fault]:
    """Yield a fault for each of (place, item) that shares name and days with one before it."""
    for i, (at, item) in enumerate(items):
        for before, other in items[:i]:
            if item.name == other.name and item.meets(other):
                expected = f"after the days of {before}, which has the same name"
                yield Fault(f"{at}.valid_from", expected, str(item.valid_from))
