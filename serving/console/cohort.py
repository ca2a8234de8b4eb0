"""Where a project stands among the projects that its model compares it with.

The cohort is the model's background: the weighted projects against which every price is explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.column import Column, Kind
from models.hazard import HazardModel
from pricing.schedule import Terms
from pricing.survival import DEFAULT, curves

Floats = NDArray[np.float64]
MOST = 300  # projects of the cohort whose curves are drawn: evenly picked
QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class Standing:
    """Where a value stands: shares of the cohort's known values, in [0, 1]."""

    below: float
    same: float

    @property
    def middle(self) -> float:
        """Return the percentile: all below, and half of those alike."""
        return self.below + self.same / 2


@dataclass(frozen=True)
class Spread:
    """The cohort month by month, or bucket by bucket: its 10 %, 50 % and 90 % quantiles."""

    low: Floats
    middle: Floats
    high: Floats

    @classmethod
    def of(cls, rows: Floats, weight: Floats) -> Spread:
        """Return the weighted quantiles of each column.

        Args:
            rows: (projects, columns).
            weight: (projects,), >= 0.
        """
        order = np.argsort(rows, axis=0)
        values = np.take_along_axis(rows, order, axis=0)
        shares = np.cumsum(weight[order], axis=0) / weight.sum()
        picked = [(shares < share).sum(axis=0) for share in QUANTILES]
        return cls(*(values[at, np.arange(rows.shape[1])] for at in picked))


class Cohort:
    """The background of one model; its curves are made when first asked for."""

    def __init__(self, model: HazardModel, folder: Path) -> None:
        """Read the background.

        Args:
            model: whose it is.
            folder: of the model's files, verified.
        """
        background = np.load(folder / "background.npy", allow_pickle=False)
        weight = np.load(folder / "background_weight.npy", allow_pickle=False)
        picked = np.linspace(0, len(weight) - 1, min(len(weight), MOST)).astype(int)
        self._edges = model.edges
        self.size = len(weight)
        self._weight: Floats = weight[picked]
        self._margins: Floats = model.margins(background[picked])
        self._survival: dict[int, Spread] = {}

    def survival(self, months: int) -> Spread:
        """Return the spread of survival at months 0, 1, ..., `months`."""
        if months not in self._survival:
            alive = [curves(one, self._edges, months).survival for one in self._margins]
            self._survival[months] = Spread.of(np.array(alive), self._weight)
        return self._survival[months]

    def hazard(self) -> Spread:
        """Return the spread of the monthly hazard of default by age bucket."""
        return Spread.of(np.exp(self._margins[:, DEFAULT]), self._weight)


@dataclass(frozen=True)
class Seen:
    """A project as its model sees it."""

    x: Floats  # (columns,) encoded
    hazard: Floats  # (K,) monthly, of default, by age bucket

    @classmethod
    def of(cls, model: HazardModel, project: Mapping[str, Any], terms: Terms) -> Seen:
        """Read a project."""
        x = model.encoder.row(project, terms)
        margins = model.read(x).margins + model.overlay
        return cls(x, np.exp(margins[DEFAULT]))

    def standing(self, model: HazardModel, index: int) -> Standing | None:
        """Return where a column's value stands; None where that means nothing."""
        column: Column = model.column_set.columns[index]
        value = float(self.x[index])
        if value != value or column.kind in (Kind.CATEGORY, Kind.FLAG):
            return None
        return Standing(model.peers.below(index, value), model.peers.same(index, value))
