"""How much of what a model can know did not come: missing inputs by group and source of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from features.column import Column

Place = tuple[str, str]  # group, source


@dataclass(slots=True)
class _Cell:
    columns: int = 0  # of the set in use
    asked: int = 0  # inputs that could have come to quotes under sets of before
    missing: int = 0


class Intake:
    """Counts inputs that could have come, and those that did not."""

    def __init__(self) -> None:
        """Count nothing until the columns are known."""
        self._cells: dict[Place, _Cell] = {}
        self._columns: dict[str, _Cell] = {}
        self._names: frozenset[str] = frozenset()
        self._quotes = 0

    def expect(self, columns: Sequence[Column]) -> None:
        """Count these columns from now on; what was counted stays."""
        for cell in self._cells.values():
            cell.asked += self._quotes * cell.columns
            cell.columns = 0
        self._quotes, self._columns = 0, {}
        for column in columns:
            cell = self._cells.setdefault((column.group, column.source), _Cell())
            cell.columns += 1
            self._columns[column.name] = cell
        self._names = frozenset(self._columns)

    def add(self, project: Mapping[str, object]) -> None:
        """Count the inputs of one quote: absent and None are missing."""
        self._quotes += 1
        for name in self._names.difference(project):
            self._columns[name].missing += 1
        if None in project.values():
            for name, value in project.items():
                if value is None and name in self._columns:
                    self._columns[name].missing += 1

    def counts(self) -> Iterator[tuple[Place, int, int]]:
        """Give each place with the inputs that could have come, and those that did not."""
        for place, cell in tuple(self._cells.items()):
            yield place, cell.asked + self._quotes * cell.columns, cell.missing
