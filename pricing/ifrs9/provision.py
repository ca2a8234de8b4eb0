"""What a lender sets aside for a loan on the day it is granted, shown beside its price."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricing import kernels
from pricing.credit import Credit
from pricing.ifrs9 import ecl
from pricing.ifrs9.cycle import YEAR, moved
from pricing.ifrs9.ecl import Scenario, Stage
from pricing.instrument import Around, Price
from pricing.schedule import Terms
from pricing.survival import LGD, as_ages

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Provisioned(Around):
    """A loan whose price tells its expected credit losses under a policy's scenarios (IFRS 9).

    A loan that has just been granted is in stage 1, so that the losses of twelve months are booked;
    those of its life show what a later move to stage 2 would cost. What stands at risk is that of
    the price: undrawn lines and pledges count. Losses are discounted at the quoted rate.
    """

    credit: Credit  # the loan inside
    terms: Terms
    scenarios: tuple[Scenario, ...]

    def price(self, margins: Floats) -> Price:
        """Return the price of margins (3, K) with `details["ecl"]`, in currency."""
        price = self.instrument.price(margins)
        step = self.terms.payment_months
        twelve_month, lifetime = 0.0, 0.0
        for scenario in self.scenarios:
            lost = self._lost(moved(margins, scenario.log_hazard_shift), price.rate)
            twelve_month += scenario.weight * float(lost[: YEAR // step].sum())
            lifetime += scenario.weight * float(lost.sum())
        told = {
            "stage": int(Stage.PERFORMING),
            "twelve_month": round(twelve_month, 2),
            "lifetime": round(lifetime, 2),
        }
        return replace(price, details={**price.details, "ecl": told})

    def _lost(self, margins: Floats, rate: float) -> Floats:
        """Return (n,) the present value of what is lost in each period, in currency."""
        terms, credit = self.terms, self.credit
        default = credit.curves(margins).default  # (months + 1,)
        ages, step = as_ages(credit.edges), terms.payment_months
        at_risk = credit.legs.grid[: terms.periods, kernels.RISK]
        return ecl.present_value(
            ecl.lost_shares(default, margins[LGD], ages, period_months=step),
            terms.amount * credit.shares(terms, rate) * at_risk,
            eir_annual=ecl.eir(terms, rate),
            period_years=terms.period_years,
        )
