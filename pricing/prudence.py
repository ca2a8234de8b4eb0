"""A loading for thin data: a floor of PD from the few firms that a lender has seen so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing.credit import Credit
from pricing.feedback import FedBack
from pricing.ifrs9.cycle import moved, reaching
from pricing.instrument import Around, Line, Part, Price

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prudent(Around):
    """An instrument whose PD within 12 months is charged for as if it were at least a floor.

    The PD is the one that the price itself uses: at the hazards that milestones ahead and the
    loan's own rate have made. The figure that columns explain stays as it is; what the floor adds
    is a line of its own:

        thin_data = g(margins with the log hazard at which that PD is the floor) - figure

    Where the rate feeds back, and the risk at a rate with this line is above the floor again, the
    line rises until the rate pays for the risk that it makes, or no price is viable.
    """

    credit: Credit  # the instrument inside, at hazards that nothing feeds back into
    floor_pd: float
    fed: FedBack | None  # the loan whose rate feeds back

    def told(self, price: Price, margins: Floats) -> Price:
        """Return the price of margins (3, K) with the loading."""
        added_bps = 0.0
        if price.annual_pd < self.floor_pd:
            added_bps = self._lifted_bps(margins) - price.figure_bps
        return price.with_lines([Line("thin_data", added_bps, Part.APART)])

    def _lifted_bps(self, margins: Floats) -> float:
        """Return the figure at the floor."""
        by = reaching(self.credit.annual_pd, margins, self.floor_pd)
        lifted_bps = float(self.credit.figures(moved(margins, by)[None])[0])
        return lifted_bps if self.fed is None else self.fed.at_least(margins, lifted_bps)
