"""What can be priced and explained: a figure in basis points, its gradient, and the whole price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from pricing.survival import Curves

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One line of a waterfall."""

    name: str
    bps: float


@dataclass(frozen=True, eq=False)
class Price:
    """What a client is quoted, and of what it is made."""

    spread_bps: float  # unclipped: the figure that is explained
    clipped_spread_bps: float  # within the policy's floor and cap: what is charged
    rate: float  # annual, a fraction: funding + clipped spread
    waterfall: tuple[Line, ...]  # adds up to the rate
    pd: Mapping[str, float]  # probability of default by month "12", "36", "60", "lifetime"
    lgd: float  # mean loss given default, weighted as the expected loss weighs it
    maturity_years: float  # weighted average life of the principal
    curves: Curves  # month by month, to the end of the term


class Instrument(Protocol):
    """Anything whose price is a smooth function of a project's margins, but for a few kinks."""

    figure: ClassVar[str]  # the name of the figure explained

    def figures(self, margins: Floats) -> Floats:
        """Return (rows,) the unclipped figure in bp, of margins (rows, 3, K)."""

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return (rows,) the figures and (rows, 3, K) their derivatives by every margin."""

    def kinks(self, start: Floats, move: Floats) -> Sequence[float]:
        """Return where, at start + s move (3, K) with s in (0, 1), the gradient jumps."""

    def price(self, margins: Floats) -> Price:
        """Return the price of margins (3, K)."""
