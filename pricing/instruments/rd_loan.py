"""The research and development loan: drawn by milestones, riskier while they lie ahead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pricing import schedule
from pricing.credit import Credit, usual
from pricing.errors import Fault, InputError
from pricing.legs import changed, loan_legs
from pricing.offers import RdOffer, offered
from pricing.policy import Policy
from pricing.schedule import Terms

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Milestone:
    """A month at which a share of the amount is drawn, if what it asks for has been reached."""

    month: int  # a multiple of the months between payments; 0 is the start
    share: float  # of the amount
    success: float = 1.0  # probability to reach it, if those before it have been reached


@dataclass(frozen=True, slots=True)
class RdLoan:
    """A bullet or linear loan that is drawn by milestones and repaid after the last of them.

        e_k  = (what is expected to be drawn by then) x (what the schedule leaves), 1 at its highest
        ρ_k  = 1 - min(1, recovery x pledge / (amount e_k))
        shift of the log hazard of default = (the policy's number) x (milestones still ahead)

    The pledge of intellectual property lowers the economic loss given default only: it is no
    eligible collateral (Basel Committee, CRE22), and the regulatory one stays as it is.

    >>> half = (Milestone(0, 0.5), Milestone(12, 0.5, success=0.8))
    >>> RdLoan(Terms(1e6, 48, "bullet"), milestones=half).drawn.tolist()[11:13]
    [0.5555555555555556, 1.0]
    """

    terms: Terms
    milestones: tuple[Milestone, ...]
    pledge_value: float = 0.0  # appraised, in currency
    kind: ClassVar[str] = "rd_loan"

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if faults := [*_faults(self)]:
            raise InputError(faults)

    @property
    def drawn(self) -> Floats:
        """Return (n,) the share expected to be drawn in each period, 1 after the last milestone."""
        odds = accumulate((milestone.success for milestone in self.milestones), lambda a, b: a * b)
        drawn = np.zeros(self.terms.periods)
        for milestone, reached in zip(self.milestones, odds, strict=True):
            drawn[milestone.month // self.terms.payment_months :] += milestone.share * reached
        share: Floats = drawn / drawn[-1]
        return share

    @property
    def ahead(self) -> Floats:
        """Return (n,) how many milestones lie ahead at the start of each period."""
        starts = np.arange(self.terms.periods) * self.terms.payment_months
        months = np.array([milestone.month for milestone in self.milestones])
        counts: Floats = (months[None, :] > starts[:, None]).sum(axis=1).astype(np.float64)
        return counts

    def priced(self, policy: Policy, edges: Sequence[int]) -> Credit:
        """Return the loan under a policy; see `Deal.priced`."""
        offer = offered(policy.offers.rd_loan, self.kind)
        if self.terms.term_months > offer.longest_months:
            expected = f"at most {offer.longest_months}, the policy's longest R&D loan"
            raise InputError.of("terms.term_months", expected, self.terms.term_months)
        share = self.drawn * schedule.profile(self.terms).share
        legs = changed(
            loan_legs(self.terms, policy, tuple(edges)),
            share=share,
            risk=self._unpledged(share, offer),
            shift=offer.log_hazard_per_open_milestone * self.ahead,
        )
        return Credit(legs, policy, edges, self.terms.term_months, usual(policy))

    def _unpledged(self, share: Floats, offer: RdOffer) -> Floats:
        """Return (n,) the part of each balance that the pledge does not cover."""
        covered = offer.pledge_recovery * self.pledge_value / (self.terms.amount * share)
        return 1 - np.minimum(covered, 1.0)


def _faults(loan: RdLoan) -> Iterator[Fault]:
    """Yield everything that is wrong with the terms."""
    terms = loan.terms
    if terms.repayment == "annuity":
        yield Fault("instrument.repayment", "bullet or linear", terms.repayment)
    if not 0 <= loan.pledge_value < math.inf:
        yield Fault("instrument.pledge_value", "a number from 0", str(loan.pledge_value))
    if not loan.milestones or loan.milestones[0].month != 0:
        given = str([milestone.month for milestone in loan.milestones])
        yield Fault("instrument.milestones", "a list that begins at month 0", given)
    total = math.fsum(milestone.share for milestone in loan.milestones)
    if abs(total - 1) > 1e-9:
        yield Fault("instrument.milestones", "shares that sum to 1", f"{total:.12g}")
    last = -1
    latest = terms.term_months - terms.payment_months
    if terms.repayment == "linear":
        latest = min(latest, terms.grace_months)
    for i, milestone in enumerate(loan.milestones):
        at = f"instrument.milestones[{i}]"
        step = terms.payment_months
        if not (last < milestone.month <= latest and milestone.month % step == 0):
            words = f"a multiple of payment_months={step}, above {last} and at most {latest}"
            yield Fault(f"{at}.month", words, str(milestone.month))
        last = max(last, milestone.month)
        if not 0 < milestone.share <= 1:
            yield Fault(f"{at}.share", "in (0, 1]", str(milestone.share))
        if not 0 < milestone.success <= 1:
            yield Fault(f"{at}.success", "in (0, 1]", str(milestone.success))
