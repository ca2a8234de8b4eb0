"""A price's waterfall in whole hundredths of a basis point, as it is printed."""

from __future__ import annotations

import math
from typing import NamedTuple

from pricing.basis_points import largest_remainder
from pricing.instrument import Leg, Line, Part, Price
from pricing.support.scheme import BANK

SHARED, TAKEN = "expected_loss", "scheme_loss"  # a loss, and what others than the bank take of it


class Waterfall(NamedTuple):
    """Lines in 0.01 bp that add up: all to the rate, those not beside the figure to its total."""

    of: str  # the figure
    lines: tuple[tuple[str, int], ...]  # all, as they are shown
    apart: tuple[tuple[str, int], ...]  # those that no column explains
    figure: int  # of the lines within, what the columns explain
    total: int  # with those apart, what is charged
    payers: tuple[int, ...] = ()  # of the expected loss: they add up to its line

    @classmethod
    def of_price(cls, price: Price) -> Waterfall:
        """Round a price's lines so that they add up to its rounded total, and payers to theirs."""
        above = [line for line in price.waterfall if line.part is not Part.BESIDE]
        rounded, payers = _rounded(above, price.payers, price.charged_bps)
        lines = [(x.name, round(100 * x.bps)) for x in price.waterfall if x.part is Part.BESIDE]
        apart, total, figure = [], sum(rounded), 0
        for (name, _, part), hundredths in zip(above, rounded, strict=True):
            lines.append((name, hundredths))
            if part is Part.APART:
                apart.append((name, hundredths))
            else:
                figure += hundredths
        return cls(price.figure, tuple(lines), tuple(apart), figure, total, tuple(payers))

    @property
    def rate(self) -> int:
        """Return the sum of all lines, in 0.01 bp a year."""
        return sum(part for _, part in self.lines)


def _rounded(
    lines: list[Line], payers: tuple[Leg, ...], charged_bps: float
) -> tuple[list[int], list[int]]:
    """Return lines and payers in 0.01 bp.

    Where others share the loss, what they pay stands twice, once for and once against. Only the
    bank's part is of the total; so that part is rounded with the other lines, theirs among
    themselves, and both are added up: every payer is in the loss, and all but the bank in what is
    taken over.
    """
    if not payers:
        return largest_remainder([line.bps for line in lines], charged_bps), []
    others_bps = [leg.amount for leg in payers if leg.role != BANK]
    taken = largest_remainder(others_bps, math.fsum(others_bps))
    bank_bps = next(leg.amount for leg in payers if leg.role == BANK)
    net = {SHARED: bank_bps, TAKEN: 0.0}
    rounded = largest_remainder([net.get(line.name, line.bps) for line in lines], charged_bps)
    names = [line.name for line in lines]
    bank = rounded[names.index(SHARED)]
    rounded[names.index(SHARED)] += sum(taken)
    rounded[names.index(TAKEN)] -= sum(taken)
    others = iter(taken)
    return rounded, [bank if leg.role == BANK else next(others) for leg in payers]
