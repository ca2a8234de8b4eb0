"""The exact Shapley values of a price by business group: what an explanation is held against.

The game is that of the price itself. A coalition S of groups is worth what a project costs that has
the request's values in S and the background's elsewhere, margins averaged before they are priced,

    v(S) = g(E_z m(x_S, z) + overlay where the economy of late is in S)

and every coalition is priced: no sampling. Where the overlay is nil it is no player.

The path of `explain.py` shares the same way from the same start to the same end in a tenth of the
time, and its groups differ by a few basis points. What it says is published up to a figure of 2,000
bp; beyond, where prices bend most, the groups' exact values are, and the path only says how each is
split among its columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.hazard import HazardModel, Reading
from models.leaves import Floats
from models.shapley import shapley, split
from pricing.basis_points import largest_remainder, with_rest
from pricing.errors import ModelError, PolicyError
from pricing.instrument import Instrument

PATH, EXACT_GROUPS = "path", "exact_groups"  # the methods that make the numbers
EXACT_ABOVE_BPS = 2_000.0  # of the figure, either sign
LIMIT_BPS, LIMIT_SHARE = 5.0, 0.03  # the larger: in bp, and of what the groups move, both ways
RESIDUE_BPS = 1e-6  # what parts may miss of their figure before it is an error


class Parts(NamedTuple):
    """The unrounded parts of a figure, in basis points."""

    base_bps: float
    columns_bps: Floats  # (columns,)
    macro_bps: float
    residue_bps: float
    method: str = PATH

    @property
    def figure_bps(self) -> float:
        """Return what all parts add up to."""
        return math.fsum([self.base_bps, *self.columns_bps, self.macro_bps, self.residue_bps])


class Rounded(NamedTuple):
    """The parts of a figure in whole hundredths of a basis point; they add up to it."""

    base: int
    shares: NDArray[np.int64]  # of columns, or of groups
    macro: int
    rounding: int  # of the figure, and what the parts leave of it

    @classmethod
    def of(
        cls, base_bps: float, shares_bps: Floats, macro_bps: float, figure_bps: float
    ) -> Rounded:
        """Round parts that add up to a figure, but for what rounding makes of it."""
        exact = np.empty(len(shares_bps) + 2)
        exact[0], exact[1:-1], exact[-1] = base_bps, shares_bps, macro_bps
        whole = with_rest(exact, figure_bps)
        return cls(whole.item(0), whole[1:-2], whole.item(-2), whole.item(-1))


@dataclass(frozen=True)
class Audit:
    """The exact values beside those of the path, in basis points."""

    base_bps: float
    groups_bps: Floats  # (groups,) in the order of `ColumnSet.groups_told`
    macro_bps: float
    difference_bps: float  # mean over the groups of how far the path is off
    limit_bps: float

    @classmethod
    def of(
        cls, model: HazardModel, reading: Reading, instrument: Instrument, parts: Parts
    ) -> Audit | None:
        """Price every coalition; None where that cannot be done.

        It cannot where there are too many groups, or where some coalition has no price: under a
        policy whose rate feeds back into the risk, a mixture of two projects may have none.

        Raises:
            ModelError: the coalitions of nobody and of all are not the parts' base and figure.
        """
        worth = worth_of(model, reading, instrument)
        if worth is None:
            return None
        for which, given, expected in (
            ("nobody", float(worth[0]), parts.base_bps),
            ("all", float(worth[-1]), parts.figure_bps),
        ):
            if not abs(given - expected) <= RESIDUE_BPS:
                said = f"the coalition of {which} must be worth {expected} bp"
                raise ModelError(f"{said}, however: {given}")
        values = shapley(worth)
        count = len(model.column_set.groups_told)
        exact, macro_bps = values[:count], float(values[count:].sum())
        told = np.bincount(model.column_set.group_of, parts.columns_bps, minlength=count)
        return cls(
            base_bps=parts.base_bps,
            groups_bps=exact,
            macro_bps=macro_bps,
            difference_bps=float(np.abs(told - exact).mean()),
            limit_bps=max(LIMIT_BPS, LIMIT_SHARE * float(np.abs(exact).sum())),
        )

    @property
    def alarm(self) -> bool:
        """Return whether the path is further off than curvature makes it."""
        return not self.difference_bps <= self.limit_bps

    def rounded(self, figure_bps: float) -> Rounded:
        """Return base, groups, macro and rounding in 0.01 bp; they add up to the figure."""
        return Rounded.of(self.base_bps, self.groups_bps, self.macro_bps, figure_bps)

    def published(self, model: HazardModel, parts: Parts, figure_bps: float) -> Rounded:
        """Return the groups' exact values, each split among its columns as the path says."""
        told = self.rounded(figure_bps)
        group = np.array(model.column_set.group_of)
        columns = np.zeros(len(group), np.int64)
        for number, hundredths in enumerate(told.shares.tolist()):
            inside = group == number
            shares = split(parts.columns_bps[inside], hundredths / 100)
            columns[inside] = largest_remainder(shares, hundredths / 100)
        return told._replace(shares=columns)


def worth_of(model: HazardModel, reading: Reading, instrument: Instrument) -> Floats | None:
    """Return the figure in bp of every coalition; the overlay, where there is one, is the last."""
    margins = model.coalitions(reading)
    if margins is None:
        return None
    if model.overlay.any():
        margins = np.concatenate([margins, margins + model.overlay])
    try:
        worth = instrument.figures(margins)
    except (PolicyError, ModelError):
        return None
    return worth if np.isfinite(worth).all() else None
