"""A price that no sum explains, taken apart by groups: exact Shapley values of all coalitions.

The game is that of the auditor (models/audit.py): the business groups of the columns play, and the
overlay as one more; a coalition is worth the price at the mean margins of hybrids, whose columns
are the project's, and the rest those of the references. All coalitions are priced, so a group's
share is exact.

Within a group, a column gets what it moves alone, and what the whole lacks without it, on average:

    d_c = ( v(c) - v(nobody) + v(all) - v(all but c) ) / 2

and the group's share less the sum of these is spread in proportion to |d_c|. So columns add up to
their group, equals get the same, and a column that moves nothing gets nothing; but unlike the
groups' shares these are not Shapley values, which would cost 2^columns prices.

Source: Shapley (1953); the averages of first and last place are those of the two extreme orders.
"""

from __future__ import annotations

import numpy as np

from models.audit import EXACT_GROUPS, Parts, worth_of
from models.hazard import HazardModel, Reading
from models.leaves import Floats
from models.shapley import Game, shapley, split
from pricing.errors import ModelError
from pricing.instrument import Instrument


def shares(model: HazardModel, reading: Reading, x: Floats, instrument: Instrument) -> Parts:
    """Share the instrument's figure among groups, exactly, and within them among columns.

    Args:
        model: whose network has no closed form.
        reading: of the project.
        x: (columns,) the project.
        instrument: what is priced.

    Raises:
        ModelError: there are too many groups, or a coalition has no price.
    """
    worth = worth_of(model, reading, instrument)
    if worth is None:
        raise ModelError("every coalition must have a price to explain a TabM, however: one lacks")
    values, group = shapley(worth), np.array(model.column_set.group_of)
    count = len(model.column_set.groups_told)
    everybody = float(worth[2**count - 1])  # without the overlay
    alone, without = _one_by_one(model, x, instrument)
    moves = (alone - worth[0] + everybody - without) / 2
    columns = np.zeros(len(x))
    for number, value in enumerate(values[:count].tolist()):
        columns[group == number] = split(moves[group == number], value)
    base, macro = float(worth[0]), float(values[count:].sum())
    residue = float(worth[-1]) - base - float(columns.sum()) - macro
    return Parts(base, columns, macro, residue, EXACT_GROUPS)


def _one_by_one(model: HazardModel, x: Floats, instrument: Instrument) -> tuple[Floats, Floats]:
    """Return (columns,) the figures with each column of the project alone, and with all others."""
    one = np.eye(len(x), dtype=np.bool_)
    margins = model.hybrids(x, Game(one, np.concatenate([one, ~one])))
    alone, without = np.split(instrument.figures(margins), 2)
    return alone, without
