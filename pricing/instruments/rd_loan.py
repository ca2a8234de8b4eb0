"""The research and development loan: drawn by milestones, riskier while they lie ahead."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pricing import schedule
from pricing.credit import Credit, Drawing, expected, usual
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

    Drawing ends at the first milestone that is missed; what was drawn until then runs on, and is
    repaid by the schedule: a linear loan repays it in equal parts. So with d_k the share of the
    amount that is outstanding, which depends on how far drawing got,

        d_k  = (shares of the milestones reached by then) x (what the schedule leaves)
        e_k  = E[d_k] / max E[d_k]
        ρ_k  = E[max(d_k - recovery x pledge / amount, 0)] / E[d_k]
        shift of the log hazard of default = (the policy's number) x (milestones still ahead)

    What a pledge or a cap leaves uncovered bends in d_k, so its mean is taken over all the ways
    that drawing may go, and is not that of a mean balance. What a contract promises, such as the
    most that a scheme lets a firm borrow, is held to the whole amount.

    The pledge of intellectual property lowers the economic loss given default only: it is no
    eligible collateral (Basel Committee, CRE22), and the regulatory one stays as it is.

    >>> half = (Milestone(0, 0.5), Milestone(12, 0.5, success=0.75))
    >>> loan = RdLoan(Terms(1e6, 48, "bullet", payment_months=12), milestones=half)
    >>> [(way.odds, way.share.tolist()) for way in loan.drawings]
    [(0.25, [0.5, 0.5, 0.5, 0.5]), (0.75, [0.5, 1.0, 1.0, 1.0])]
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
    def drawings(self) -> tuple[Drawing, ...]:
        """Return the ways that drawing may go: each milestone as the last that is reached.

        That of milestone j has the odds p_1 ... p_j (1 - p_{j+1}).
        """
        left = schedule.profile(self.terms).share
        drawn, reached = np.zeros(self.terms.periods), 1.0
        next_ones = [*(milestone.success for milestone in self.milestones[1:]), 0.0]
        ways = []
        for milestone, next_one in zip(self.milestones, next_ones, strict=True):
            drawn[milestone.month // self.terms.payment_months :] += milestone.share
            reached *= milestone.success
            ways.append(Drawing(reached * (1 - next_one), drawn * left))
        return tuple(ways)

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
            most = f"at most {offer.longest_months}, the policy's longest R&D loan"
            raise InputError.of("terms.term_months", most, self.terms.term_months)
        drawings = self.drawings
        outstanding = expected(drawings)
        legs = changed(
            loan_legs(self.terms, policy, tuple(edges)),
            share=outstanding / outstanding.max(),
            risk=self._uncovered(drawings, offer) / outstanding,
            shift=offer.log_hazard_per_open_milestone * self.ahead,
        )
        return Credit(legs, policy, edges, self.terms.term_months, usual(policy), drawings=drawings)

    def _uncovered(self, drawings: Sequence[Drawing], offer: RdOffer) -> Floats:
        """Return (n,) the share of the amount that is expected to stand above the pledge."""
        pledge = offer.pledge_recovery * self.pledge_value / self.terms.amount
        above = [Drawing(way.odds, np.maximum(way.share - pledge, 0.0)) for way in drawings]
        return expected(above)


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
