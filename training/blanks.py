"""Missing cells put into training rows, so that a missing answer is met as it was learnt.

LightGBM reads a missing cell of a column that never was missing in training as 0.0, which may be
the best or the worst value there is. So a small seeded share of the projects loses cells one by
one, and another share loses whole sources (the patent office did not answer), as live requests do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.column import ColumnSet
from training.periods import Floats


@dataclass(frozen=True)
class Blanks:
    """Which cells may go missing, and how often.

    Attributes:
        cells: indices of the columns that a project may lack.
        sources: those columns of each source.
        cell_share: of each optional cell, in [0, 1).
        source_share: of each source of a project, in [0, 1).
    """

    cells: tuple[int, ...]
    sources: tuple[tuple[int, ...], ...]
    cell_share: float
    source_share: float

    @classmethod
    def of(cls, column_set: ColumnSet, *, cell_share: float, source_share: float) -> Blanks:
        """Return the blanks of a set: what must be given, or is a term, never goes missing."""
        optional = [i for i, c in enumerate(column_set.columns) if c.optional and c.terms is None]
        sources = (
            tuple(i for i in optional if column_set.columns[i].source == source)
            for source in column_set.sources
        )
        return cls(tuple(optional), tuple(filter(None, sources)), cell_share, source_share)

    def put_into(self, x: Floats, dice: np.random.Generator) -> Floats:
        """Return a copy of x, (n, columns), with cells and whole sources missing."""
        blanked = x.copy()
        for column in self.cells:
            blanked[dice.random(len(x)) < self.cell_share, column] = np.nan
        for columns in self.sources:
            lost = dice.random(len(x)) < self.source_share
            blanked[np.ix_(lost, np.asarray(columns))] = np.nan
        return blanked
