"""The financing guarantee: a fee for the share of a loan's loss that the guarantor pays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pricing import schedule
from pricing.credit import Credit
from pricing.errors import Fault, InputError
from pricing.legs import changed, loan_legs
from pricing.offers import offered
from pricing.policy import Policy
from pricing.schedule import Terms


@dataclass(frozen=True, slots=True)
class Guarantee:
    """A promise to pay a share g of what a lender loses on a loan, for an annual fee.

        ρ = x = g,      fee = g (expected loss + capital) + admin + margin

    in bp a year of the whole loan outstanding. The guarantor has lent nothing, so there is no cost
    of funds, and no floor or cap of a spread. An annuity's balances follow from the lender's rate.

    >>> loan = Terms(1e6, 36, "annuity")
    >>> Guarantee(loan, covered_share=0.8, loan_rate=0.05).kind
    'guarantee'
    """

    terms: Terms  # of the loan
    covered_share: float  # g, in (0, 1]
    loan_rate: float | None = None  # annual; an annuity needs it, and nothing else does
    kind: ClassVar[str] = "guarantee"

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if faults := [*_faults(self)]:
            raise InputError(faults)

    def priced(self, policy: Policy, edges: Sequence[int]) -> Credit:
        """Return the guarantee under a policy; see `Deal.priced`."""
        offer = offered(policy.offers.guarantee, self.kind)
        if self.covered_share > offer.largest_cover:
            expected = f"at most {offer.largest_cover:g}, the policy's largest cover"
            raise InputError.of("instrument.covered_share", expected, self.covered_share)
        loadings = (("opex", offer.opex_bps), ("margin", offer.margin_bps))
        shares = schedule.profile(self.terms, annual_rate=self.loan_rate or 0.0).share
        legs = changed(
            loan_legs(self.terms, policy, tuple(edges))._replace(grace=-1),
            share=shares,
            risk=self.covered_share,
            capital=self.covered_share,
            loadings_bps=sum(bps for _, bps in loadings),
        )
        return Credit(
            legs, policy, edges, self.terms.term_months, loadings, figure="fee_bps", funded=False
        )


def _faults(guarantee: Guarantee) -> Iterator[Fault]:
    """Yield everything that is wrong with the terms."""
    if not 0 < guarantee.covered_share <= 1:
        yield Fault("instrument.covered_share", "in (0, 1]", str(guarantee.covered_share))
    rate, repayment = guarantee.loan_rate, guarantee.terms.repayment
    if rate is None and repayment == "annuity":
        yield Fault("instrument.loan_rate", "given, as the loan is an annuity", "missing")
    if rate is not None and repayment != "annuity":
        expected = f"left out, as the balances of a {repayment} loan need no rate"
        yield Fault("instrument.loan_rate", expected, str(rate))
    if rate is not None and not (math.isfinite(rate) and 0 <= rate <= 1):
        yield Fault("instrument.loan_rate", "an annual rate from 0 to 1", str(rate))
