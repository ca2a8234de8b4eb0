"""A spread, taken apart: basis points per column that add up to the quoted figure, exactly.

    spread = base + sum over columns + macro overlay + floor or cap + rounding

The base is the spread of the reference company, whose margins are the background's mean. The
columns share the way from there to the request by Aumann-Shapley: each margin is weighted by the
mean slope of the spread along the straight line (pricing/path.py), and each column's contribution
to the margins is exact (models/tables.py). Everything printed is a whole number of 0.01 bp, made so
by the largest remainder; what the quadrature leaves (over 1e-6 bp is an error) falls into rounding.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.column import Column
from models.hazard import HazardModel
from models.leaves import Floats
from models.reasons import MOST, Reason, reason
from models.tables import Reading
from pricing.basis_points import largest_remainder
from pricing.errors import ModelError
from pricing.instrument import Instrument
from pricing.path import path_weights

RESIDUE_BPS = 1e-6


@dataclass(frozen=True)
class Parts:
    """The unrounded parts of a figure, in basis points."""

    base_bps: float
    columns_bps: Floats  # (columns,)
    macro_bps: float
    residue_bps: float


class Item(NamedTuple):
    """What one column adds to the figure, in 0.01 bp."""

    column: Column
    value: object
    hundredths: int


@dataclass(frozen=True)
class Explanation:
    """The figure's parts in 0.01 bp: base + items + lines = total, exactly."""

    of: str
    base: int
    items: tuple[Item, ...]  # largest first, either sign
    lines: tuple[tuple[str, int], ...]
    total: int
    reasons: tuple[Reason, ...]

    @property
    def groups(self) -> dict[str, int]:
        """Return the items added up by business group, largest first."""
        sums: dict[str, int] = defaultdict(int)
        for item in self.items:
            sums[item.column.group] += item.hundredths
        return dict(sorted(sums.items(), key=lambda pair: -abs(pair[1])))


def attribute(model: HazardModel, reading: Reading, instrument: Instrument) -> Parts:
    """Share the instrument's unclipped figure among the columns, to 1e-6 bp.

    Raises:
        ModelError: the parts miss the figure by more than 1e-6 bp.
    """
    start, end = model.base, reading.margins + model.overlay
    weights, _ = path_weights(instrument, start, end)
    base, figure = instrument.figures(np.stack([start, end]))
    columns = reading.contributions(weights)
    macro = float(np.sum(weights * model.overlay))
    residue = float(figure - base - columns.sum() - macro)
    if not abs(residue) <= RESIDUE_BPS:
        raise ModelError(f"parts must sum to the price within {RESIDUE_BPS} bp, however: {residue}")
    return Parts(float(base), columns, macro, residue)


def explain(
    model: HazardModel,
    parts: Parts,
    waterfall: Sequence[tuple[str, int]],
    project: Mapping[str, object],
    x: Floats,
) -> Explanation:
    """Round the parts so that they sum to the quoted spread, and name the reasons.

    Args:
        model: whose columns and peers the parts speak of.
        parts: from `attribute`.
        waterfall: its lines in 0.01 bp; those above funding sum to the quoted spread.
        project: the values as the caller gave them, with those taken from the terms.
        x: (columns,) the encoded values.
    """
    exact = [parts.base_bps, *parts.columns_bps, parts.macro_bps]
    clip = dict(waterfall)["floor_cap"]
    total = sum(part for name, part in waterfall if name != "ftp")
    unclipped_bps = (total - clip) / 100
    rest = unclipped_bps - math.fsum(exact)  # the figure's rounding, and what the quadrature left
    base, *columns, macro, rounding = largest_remainder([*exact, rest], unclipped_bps)
    pairs = zip(model.column_set.columns, columns, strict=True)
    items = [Item(column, project.get(column.name), part) for column, part in pairs]
    return Explanation(
        of="spread_bps",
        base=base,
        items=tuple(sorted(items, key=lambda item: -abs(item.hundredths))),
        lines=(("macro", macro), ("floor_cap", clip), ("rounding", rounding)),
        total=total,
        reasons=_reasons(model, items, x),
    )


def _reasons(model: HazardModel, items: list[Item], x: Floats) -> tuple[Reason, ...]:
    raising = sorted(
        (index for index, item in enumerate(items) if item.hundredths > 0),
        key=lambda index: -items[index].hundredths,
    )
    return tuple(
        reason(
            items[index].column,
            items[index].hundredths,
            items[index].value,
            x=float(x[index]),
            peers=model.peers,
            index=index,
            source=model.column_set.sources[items[index].column.source],
        )
        for index in raising[:MOST]
    )
