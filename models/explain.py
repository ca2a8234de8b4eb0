"""A price, taken apart: basis points per column that add up to the quoted figure, exactly.

    price = base + sum over columns + macro overlay + lines apart (floor or cap, ...) + rounding

The base is the price of the reference company, whose margins are the background's mean. The
columns share the way from there to the request by Aumann-Shapley: each margin is weighted by the
mean slope of the price along the straight line (pricing/path.py), and each column's contribution
to the margins is exact (models/tables.py). Beyond 2,000 bp the business groups have the exact
Shapley values of the price instead (models/audit.py), as they always have where a TabM speaks,
which is no sum over columns (models/grouped.py). Everything printed is a whole number of 0.01 bp,
made so by the largest remainder; what the quadrature leaves (over 1e-6 bp is an error) falls into
rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from features.column import Column, ColumnSet
from models import tabm
from models.audit import EXACT_ABOVE_BPS, EXACT_GROUPS, RESIDUE_BPS, Audit, Parts, Rounded
from models.grouped import shares
from models.hazard import HazardModel, Reading
from models.leaves import Floats
from models.reasons import MOST, Reason, reason
from models.waterfall import Waterfall
from pricing.errors import ModelError
from pricing.instrument import Instrument
from pricing.path import Path, path_weights


class Explanation(NamedTuple):
    """The figure's parts in 0.01 bp: base + parts + lines = total, exactly."""

    of: str
    base: int
    column_set: ColumnSet
    values: Sequence[object]  # of the columns, as the caller gave them
    parts: Sequence[int]  # what the columns add
    order: Sequence[int]  # of the columns: the largest first, either sign
    lines: tuple[tuple[str, int], ...]
    total: int
    reasons: tuple[Reason, ...]
    method: str
    audit: Audit | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns, in the model's order."""
        return self.column_set.columns

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Return the parts added up by business group, largest first."""
        names = self.column_set.groups_told
        sums = [0] * len(names)
        for group, part in zip(self.column_set.group_of, self.parts, strict=True):
            sums[group] += part
        return sorted(zip(names, sums, strict=True), key=lambda pair: -abs(pair[1]))


def attribute(model: HazardModel, reading: Reading, instrument: Instrument) -> Parts:
    """Share the instrument's figure among the columns, to 1e-6 bp.

    Raises:
        ModelError: the parts miss the figure by more than 1e-6 bp.
    """
    if isinstance(reading.network, tabm.Reading):
        return _summing(shares(model, reading, reading.network.x, instrument))
    path = path_weights(instrument, model.base, reading.margins + model.overlay)
    return parts_of(model, path, reading.contributions(path.weights))


def parts_of(model: HazardModel, path: Path, columns: Floats) -> Parts:
    """Return the parts of a path's figure, given what its weights are to each column.

    Args:
        model: whose overlay is a part of its own.
        path: from the base to the project's margins.
        columns: (columns,) `Reading.contributions` of the path's weights.

    Raises:
        ModelError: the parts miss the figure by more than 1e-6 bp.
    """
    macro = float(np.vdot(path.weights, model.overlay))
    residue = path.high_bps - path.low_bps - float(columns.sum()) - macro
    return _summing(Parts(path.low_bps, columns, macro, residue))


def _summing(parts: Parts) -> Parts:
    """Return the parts, if they miss the figure by no more than 1e-6 bp."""
    if not abs(parts.residue_bps) <= RESIDUE_BPS:
        said = f"parts must sum to the price within {RESIDUE_BPS} bp"
        raise ModelError(f"{said}, however: {parts.residue_bps}")
    return parts


def needs_exact(waterfall: Waterfall) -> bool:
    """Return whether the figure is one whose groups' exact values are published."""
    return abs(waterfall.figure) > 100 * EXACT_ABOVE_BPS


def explain(
    model: HazardModel,
    parts: Parts,
    waterfall: Waterfall,
    project: Mapping[str, object],
    x: Floats,
    audit: Audit | None = None,
) -> Explanation:
    """Round the parts so that they sum to the quoted figure, and name the reasons.

    Args:
        model: whose columns and peers the parts speak of.
        parts: from `attribute`.
        waterfall: its lines in 0.01 bp; those within sum to what the parts explain.
        project: the values as the caller gave them, with those taken from the terms.
        x: (columns,) the encoded values.
        audit: where the price was audited.
    """
    figure_bps, method = waterfall.figure / 100, parts.method
    if audit is not None and needs_exact(waterfall):
        method, told = EXACT_GROUPS, audit.published(model, parts, figure_bps)
    else:
        told = Rounded.of(parts.base_bps, parts.columns_bps, parts.macro_bps, figure_bps)
    rounded: list[int] = told.shares.tolist()
    values = [*map(project.get, model.column_set.names)]
    order: list[int] = (-np.abs(told.shares)).argsort(kind="stable").tolist()
    return Explanation(
        of=waterfall.of,
        base=told.base,
        column_set=model.column_set,
        values=values,
        parts=rounded,
        order=order,
        lines=(("macro", told.macro), *waterfall.apart, ("rounding", told.rounding)),
        total=waterfall.total,
        reasons=tuple(
            [
                _reason(model, index, rounded[index], values[index], float(x[index]))
                for index in [index for index in order if rounded[index] > 0][:MOST]
            ]
        ),
        method=method,
        audit=audit,
    )


def _reason(model: HazardModel, index: int, hundredths: int, value: object, x: float) -> Reason:
    column = model.column_set.columns[index]
    return reason(
        column,
        hundredths,
        value,
        x=x,
        peers=model.peers,
        index=index,
        source=model.column_set.sources[column.source],
    )
