"""A price's waterfall in whole hundredths of a basis point, as it is printed."""

from __future__ import annotations

from dataclasses import dataclass

from pricing.basis_points import largest_remainder
from pricing.instrument import Part, Price


@dataclass(frozen=True)
class Waterfall:
    """Lines in 0.01 bp that add up: all to the rate, those not beside the figure to its total."""

    of: str  # the figure
    lines: tuple[tuple[str, int], ...]  # all, as they are shown
    apart: tuple[tuple[str, int], ...]  # those that no column explains
    figure: int  # of the lines within, what the columns explain
    total: int  # with those apart, what is charged

    @classmethod
    def of_price(cls, price: Price) -> Waterfall:
        """Round a price's lines so that they add up to its rounded total."""
        above = [line for line in price.waterfall if line.part is not Part.BESIDE]
        rounded = largest_remainder([line.bps for line in above], price.charged_bps)
        lines = [(x.name, round(100 * x.bps)) for x in price.waterfall if x.part is Part.BESIDE]
        lines += [(line.name, part) for line, part in zip(above, rounded, strict=True)]
        pairs = zip(above, rounded, strict=True)
        apart = tuple([(line.name, part) for line, part in pairs if line.part is Part.APART])
        total = sum(rounded)
        figure = total - sum(part for _, part in apart)
        return cls(price.figure, tuple(lines), apart, figure, total)

    @property
    def rate(self) -> int:
        """Return the sum of all lines, in 0.01 bp a year."""
        return sum(part for _, part in self.lines)
