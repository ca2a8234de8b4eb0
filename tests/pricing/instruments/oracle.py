"""R&D loans and guarantees once more, slowly: month by month, as their docstrings say in words.

Of the product it shares the terms and the policy's numbers; discounting and capital are SciPy's
way, as in the oracle of the term loan.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from pricing.instruments.guarantee import Guarantee
from pricing.instruments.rd_loan import RdLoan
from pricing.policy import Policy
from pricing.schedule import Terms
from tests.pricing import oracle
from tests.pricing.cases import EDGES, Floats

Months = list[float]  # one number a month


def rd_spread(loan: RdLoan, policy: Policy, margins: Floats) -> float:
    """Return the unclipped spread in bp of an R&D loan."""
    offer = policy.offers.rd_loan
    assert offer is not None
    terms = loan.terms
    pledged = offer.pledge_recovery * loan.pledge_value / terms.amount
    owed, bare = [0.0] * terms.term_months, [0.0] * terms.term_months
    for reached in itertools.product((True, False), repeat=len(loan.milestones)):
        odds = math.prod(
            one.success if yes else 1 - one.success
            for one, yes in zip(loan.milestones, reached, strict=True)
        )
        for month in range(terms.term_months):
            share = _drawn(loan, reached, month) * _left(terms, month)
            owed[month] += odds * share
            bare[month] += odds * max(share - pledged, 0.0)
    peak = max(owed)
    owed, bare = [share / peak for share in owed], [share / peak for share in bare]
    shifts = [
        offer.log_hazard_per_open_milestone
        * sum(m.month > month - month % terms.payment_months for m in loan.milestones)
        for month in range(terms.term_months)
    ]
    loss, annuity, pd = _values(terms, policy, margins, owed=owed, at_risk=bare, shifts=shifts)
    capital_bps = _capital_bps(policy, pd=pd, years=sum(owed) / 12)
    return 1e4 * loss / annuity + capital_bps + policy.opex_bps + policy.margin_bps


def guarantee_fee(guarantee: Guarantee, policy: Policy, margins: Floats) -> float:
    """Return the annual fee in bp of a guarantee."""
    offer = policy.offers.guarantee
    assert offer is not None
    terms, g = guarantee.terms, guarantee.covered_share
    owed = _balances(terms, guarantee.loan_rate)
    covered = [g * share for share in owed]
    loss, annuity, pd = _values(terms, policy, margins, owed=owed, at_risk=covered)
    capital_bps = g * _capital_bps(policy, pd=pd, years=sum(owed) / 12)
    return 1e4 * loss / annuity + capital_bps + offer.opex_bps + offer.margin_bps


def _drawn(loan: RdLoan, reached: Sequence[bool], month: int) -> float:
    """Return the share drawn by a month; the first milestone that is missed ends the drawing."""
    drawn = 0.0
    for milestone, yes in zip(loan.milestones, reached, strict=True):
        if not yes or milestone.month > month:
            break
        drawn += milestone.share
    return drawn


def _left(terms: Terms, month: int) -> float:
    """Return what a bullet or linear schedule leaves outstanding in a month."""
    if terms.repayment == "bullet" or month < terms.grace_months:
        return 1.0
    repaid = (month - terms.grace_months) // terms.payment_months
    return 1 - repaid * terms.payment_months / (terms.term_months - terms.grace_months)


def _balances(terms: Terms, rate: float | None) -> Months:
    """Return the share outstanding in each month; an annuity pays its loan down step by step."""
    if terms.repayment != "annuity":
        return [_left(terms, month) for month in range(terms.term_months)]
    interest = (rate or 0.0) * terms.payment_months / 12
    payments = terms.periods - terms.grace_periods
    payment = interest / -math.expm1(-payments * math.log1p(interest)) if interest else 1 / payments
    balance, shares = 1.0, []
    for period in range(terms.periods):
        shares += [balance] * terms.payment_months
        if period >= terms.grace_periods:
            balance -= payment - interest * balance
    return shares


def _values(
    terms: Terms,
    policy: Policy,
    margins: Floats,
    *,
    owed: Sequence[float],
    at_risk: Sequence[float],
    shifts: Sequence[float] = (),
) -> tuple[float, float, float]:
    """Return the worth of the losses and of one unit of spread, and the PD within 12 months."""
    step, alive, begun = terms.payment_months, 1.0, 1.0
    loss, annuity, pd = 0.0, 0.0, 0.0
    for month in range(max(terms.term_months, 12)):
        bucket = int(np.searchsorted(EDGES, month, side="right")) - 1
        default, exits = np.exp(margins[:2, bucket])
        default *= math.exp(shifts[month]) if month < len(shifts) else 1.0
        gone = alive * -math.expm1(-(default + exits))
        dead = gone * default / (default + exits)
        alive -= gone
        pd += dead if month < 12 else 0.0
        if month >= terms.term_months:
            continue
        middle = oracle._discount(policy, (month // step + 0.5) * step)
        loss += at_risk[month] * dead / (1 + math.exp(-margins[2, bucket])) * middle
        if month % step == step - 1:
            due = alive * oracle._discount(policy, month + 1) + (begun - alive) * middle / 2
            annuity += owed[month] * step / 12 * due
            begun = alive
    return loss, annuity, pd


def _capital_bps(policy: Policy, *, pd: float, years: float) -> float:
    """Return what the capital for all of the amount costs."""
    cost = policy.hurdle_rate / (1 - policy.tax_rate) - policy.capital_return
    return 1e4 * policy.capital_ratio * 12.5 * oracle._requirement(pd, years, policy) * cost
