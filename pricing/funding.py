"""What money costs the lender: a curve of zero rates and the discount factors it implies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LAST_MONTH = 600


@dataclass(frozen=True)
class FundingCurve:
    """Points (months, continuously compounded zero rate), with months rising.

    >>> flat = FundingCurve(((12, 0.03),))
    >>> round(float(flat.discount[24]), 6)
    0.970446
    """

    points: tuple[tuple[int, float], ...]

    def zero_rate(self, months: Floats) -> Floats:
        """Return the zero rate, linear between the points and flat outside them."""
        at, rates = zip(*self.points, strict=True)
        rate: Floats = np.interp(months, at, rates)
        return rate

    @cached_property
    def discount(self) -> Floats:
        """Return (1201,) the discount factors D(t) = exp(-z(t) t) at every half month."""
        months = np.arange(2 * LAST_MONTH + 1) / 2
        factors = np.exp(-self.zero_rate(months) * months / 12)
        factors.setflags(write=False)
        return factors
