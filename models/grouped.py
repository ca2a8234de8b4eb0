"""A price that no sum explains, taken apart by groups: exact Shapley values of all coalitions.

The game is played by the business groups of the columns, and by the overlay as one more. A
coalition is worth the price at the mean margins of hybrids: its columns are the project's, the rest
those of the references. With G groups all 2^G are priced, so a group's share is exact.

Within a group, a column gets what it moves alone, and what the whole lacks without it, on average:

    d_c = ( v(c) - v(nobody) + v(all) - v(all but c) ) / 2

and the group's share less the sum of these is spread in proportion to |d_c|. So columns add up to
their group, equals get the same, and a column that moves nothing gets nothing; but unlike the
groups' shares these are not Shapley values, which would cost 2^columns prices.

Source: Shapley (1953); the averages of first and last place are those of the two extreme orders.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.hazard import HazardModel
from models.leaves import Floats
from models.shapley import Bools, Game, coalitions, shapley
from pricing.instrument import Instrument


class Shares(NamedTuple):
    """The parts of a figure, in basis points; they sum to it."""

    base_bps: float
    columns_bps: Floats  # (columns,)
    macro_bps: float


def shares(model: HazardModel, x: Floats, instrument: Instrument) -> Shares:
    """Share the instrument's figure among groups, exactly, and within them among columns.

    Args:
        model: whose network has no closed form.
        x: (columns,) the project.
        instrument: what is priced.
    """
    owners = model.column_set.owners
    game = Game(owners, coalitions(len(owners)))
    margins = model.hybrids(x, game)  # (2^G, 3, K)
    worth = instrument.figures(np.concatenate([margins, margins + model.overlay]))
    *groups, macro = shapley(worth)
    nobody, everybody = worth[0], worth[len(margins) - 1]
    alone, without = _one_by_one(model, x, instrument)
    moves = (alone - nobody + everybody - without) / 2
    return Shares(float(nobody), split(np.array(groups), owners, moves), float(macro))


def split(groups: Floats, owners: Bools, moves: Floats) -> Floats:
    """Return (columns,) shares that add up to those of the groups.

    Args:
        groups: (groups,) their shares.
        owners: (groups, columns) which columns are whose.
        moves: (columns,) what each column moves on average.

    >>> group = np.array([[True, True, True]])
    >>> split(np.array([9.0]), group, np.array([4.0, -2.0, 0.0])).round(3).tolist()
    [8.667, 0.333, 0.0]
    """
    out = np.zeros(len(moves))
    for share, columns in zip(groups, owners, strict=True):
        own = moves[columns]
        size = np.abs(own)
        part = size / size.sum() if size.any() else np.full(len(own), 1 / max(len(own), 1))
        out[columns] = own + (share - own.sum()) * part
    return out


def _one_by_one(model: HazardModel, x: Floats, instrument: Instrument) -> tuple[Floats, Floats]:
    """Return (columns,) the figures with each column of the project alone, and with all others."""
    one = np.eye(len(x), dtype=np.bool_)
    margins = model.hybrids(x, Game(one, np.concatenate([one, ~one])))
    alone, without = np.split(instrument.figures(margins), 2)
    return alone, without
