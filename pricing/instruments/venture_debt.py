"""Venture debt: a loan that is paid for by its coupon and by a warrant on the borrower's shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pricing.credit import Credit, usual
from pricing.errors import InputError
from pricing.legs import changed, loan_legs
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.warrant import Warrant, value_share

MOST_WORTH = 0.5  # the warrant, of the loan


@dataclass(frozen=True, slots=True)
class VentureDebt:
    """A loan with a warrant of worth v per unit of loan.

        income = v,      running equivalent of the warrant = 1e4 v / paying

    The warrant is valued at the funding rate of its expiry, without a jump to default: the share's
    price today is taken as that of a firm that may fail (`warrant.py` says what a jump would do).

    >>> VentureDebt(Terms(1e6, 36, "linear"), Warrant(0.05, years=7, volatility=0.6)).kind
    'venture_debt'
    """

    terms: Terms
    warrant: Warrant
    kind: ClassVar[str] = "venture_debt"

    def priced(self, policy: Policy, edges: Sequence[int]) -> Credit:
        """Return the loan with its warrant under a policy; see `Deal.priced`.

        A warrant worth more than half of the loan is a stake that asks for a negative rate: it is
        refused, as the balances of an annuity are not solved for such a rate.
        """
        rate = float(policy.funding_curve.zero_rate(np.array(12 * self.warrant.years)))
        worth = value_share(self.warrant, rate=rate)
        if not worth <= MOST_WORTH:
            expected = f"so small that the warrant is worth at most {MOST_WORTH:g} of the loan"
            raise InputError.of("instrument.warrant.coverage", expected, f"worth {worth:.6g} of it")
        return Credit(
            changed(loan_legs(self.terms, policy, tuple(edges)), income=worth),
            policy,
            edges,
            self.terms.term_months,
            usual(policy),
            income="warrant",
            details={"warrant_value": worth * self.terms.amount},
        )
