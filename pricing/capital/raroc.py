"""What a loan earns on its capital at the rate that is charged, shown beside its price."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing.errors import Fault, InputError
from pricing.instrument import Around, Price
from pricing.policy import Policy

Floats = NDArray[np.float64]

CAPITAL = ("capital", "scheme_capital")  # what is asked for the capital that is held
EARNED = ("margin", "floor_cap", "thin_data")  # what is asked beyond all that a loan costs


def raroc(*, income_bps: float, capital_share: float, policy: Policy) -> float:
    """Return what a loan earns on its capital after tax, as a fraction.

        RAROC = (income + r_C C)(1 - τ) / C,   income = revenue - funding - work - expected loss

    Args:
        income_bps: a year, in bp of what is outstanding.
        capital_share: C = κ RW, the capital behind one unit of exposure, above 0.
        policy: gives τ and r_C; not the hurdle.

    Source: Bessis, "Risk Management in Banking", on risk-based pricing with RAROC.
    """
    faults = list[Fault]()
    if not math.isfinite(income_bps):
        faults.append(Fault("income_bps", "a finite number", repr(income_bps)))
    if not 0 < capital_share < math.inf:
        faults.append(Fault("capital_share", "above 0 for a return on it", repr(capital_share)))
    if faults:
        raise InputError(faults)
    earned = 1e-4 * income_bps + policy.capital_return * capital_share
    return earned * (1 - policy.tax_rate) / capital_share


@dataclass(frozen=True, eq=False)
class Rewarded(Around):
    """A loan whose price tells its RAROC, in every period of its life as in one.

    The line of the capital is C (h/(1-τ) - r_C), so that it says C, less what a cover frees. Every
    other line is a cost that the rate pays for, or another's money in its place, but for those in
    `EARNED`; what the rate leaves above the costs is the income. So a rate without margin, loading,
    floor or cap earns the hurdle h exactly, with and without support.
    """

    policy: Policy

    def told(self, price: Price, margins: Floats) -> Price:
        """Return the price of margins (3, K) with `details["raroc"]`; none without capital."""
        cost = self.policy.capital_cost
        capital_bps = earned_bps = 0.0
        for line in price.waterfall:
            capital_bps += line.bps if line.name in CAPITAL else 0.0
            earned_bps += line.bps if line.name in EARNED else 0.0
        if not (capital_bps > 0 and cost > 0):
            return price
        told = raroc(
            income_bps=capital_bps + earned_bps,
            capital_share=1e-4 * capital_bps / cost,
            policy=self.policy,
        )
        return price._replace(details={**price.details, "raroc": told})
