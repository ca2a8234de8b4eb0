"""What a lender sets aside for a loan on the day it is granted, shown beside its price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing import kernels
from pricing.credit import Credit
from pricing.ifrs9 import ecl
from pricing.ifrs9.cycle import YEAR
from pricing.ifrs9.staging import Stage
from pricing.instrument import Around, Price
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.support import sharing
from pricing.support.scheme import Scheme
from pricing.survival import LGD, as_ages

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Provisioned(Around):
    """A loan whose price tells its expected credit losses under a policy's scenarios (IFRS 9).

    A loan that has just been granted is in stage 1, so that the losses of twelve months are booked;
    those of its life show what a later move to stage 2 would cost. What stands at risk is that of
    the price: undrawn lines and pledges count. The loading for thin data does not: an expectation
    is not prudent (5.5.17).

    Balances and the effective rate follow what the contract pays the lender: the rate charged,
    after floor or cap, scheme and relending, with the interest that a subsidy pays for the client
    (B5.4.1: all that is received between the parties to the contract, whoever pays it for them).

    A scheme that is integral to the loan's terms lowers the loss by what its payers are expected to
    pay in each scenario; any other is an asset of its own, and the loss stays gross (B5.5.55).
    """

    credit: Credit  # the loan inside
    terms: Terms
    policy: Policy
    scheme: Scheme | None
    tier: str | None

    def told(self, price: Price, margins: Floats) -> Price:
        """Return the price of margins (3, K) with `details["ecl"]`, in currency."""
        return price._replace(details={**price.details, "ecl": dict(self._ecl(price))})

    def _ecl(self, price: Price) -> Iterator[tuple[str, float]]:
        """Yield the losses, gross and where a scheme is integral net, and what is booked."""
        paid = sum(line.bps for line in price.waterfall if line.name == "subsidy")  # at most 0
        rate = price.rate - 1e-4 * paid
        yield "stage", int(Stage.PERFORMING)
        yield "eir", round(ecl.eir(self.terms, rate), 6)
        if self.policy.cycle is not None:
            pd = self.policy.cycle.through(price.annual_pd)
            yield "pd_through_the_cycle", round(pd, 6)
        gross, net = self._losses(price, rate)
        yield from _named(gross, "")
        if self.scheme is not None and self.scheme.integral:
            yield from _named(net, "_net")
            gross = net
        yield "booked", round(gross[0], 2)

    def _losses(self, price: Price, rate: float) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the losses of twelve months and of the life: in all, and what the bank bears."""
        gross, net = np.zeros(2), np.zeros(2)
        year = YEAR // self.terms.payment_months
        for scenario in self.policy.scenarios:
            margins = scenario.of(price.margins, self.credit.annual_pd, self.policy.cycle)
            default = self.credit.curves(margins).default  # (months + 1,)
            lost = self._lost(margins, default, rate)
            both = scenario.weight * np.array([lost[:year].sum(), lost.sum()])
            gross += both
            net += both * self._kept(self.credit.annual_pd(margins), price.lgd)
        return (float(gross[0]), float(gross[1])), (float(net[0]), float(net[1]))

    def _kept(self, pd: float, lgd: float) -> float:
        if self.scheme is None:
            return 1.0
        return sharing.kept(self.scheme, pd=pd, lgd=lgd, tier=self.tier)

    def _lost(self, margins: Floats, default: Floats, rate: float) -> Floats:
        """Return (n,) the present value of what is lost in each period, in currency."""
        terms, credit = self.terms, self.credit
        ages, step = as_ages(credit.edges), terms.payment_months
        at_risk = credit.legs.grid[: terms.periods, kernels.RISK]
        return ecl.present_value(
            ecl.lost_shares(default, margins[LGD], ages, period_months=step),
            terms.amount * credit.shares(terms, rate) * at_risk,
            eir_annual=ecl.eir(terms, rate),
            period_years=terms.period_years,
        )


def _named(losses: tuple[float, float], ending: str) -> Iterator[tuple[str, float]]:
    for name, loss in zip(("twelve_month", "lifetime"), losses, strict=True):
        yield f"{name}{ending}", round(loss, 2)
