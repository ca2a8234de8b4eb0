"""What every priced loan, guarantee, cover or note shares: legs that pay for the same survival.

With S_k the probability that it still runs after period k, p the probability to default in it,
e_k the share of the amount outstanding, Δ the length of a period and D the discount factors,

    loss    = γ Σ e_k (ρ_k LGD + φ_k) D_{k-1/2} p_k
    paying  = Σ e_k [Δ D_k S_k + Δ/2 D_{k-1/2} (S_{k-1} - S_k)]
    figure  = 1e4 (loss - income) / paying + capital + loadings
    capital = 1e4 κ 12.5 x K(PD within 12 months, regulatory LGD, M) (h/(1-τ) - r_C)
    M       = Σ e_k Δ, the average life of the principal
    funding = Σ e_k (D_{k-1} - D_k) / Σ e_k Δ D_k, the par coupon of the same profile

ρ_k is what stands at risk for one unit outstanding (undrawn lines, pledges, covers), φ_k a loss
that no LGD scales, γ what one unit of expected loss costs, income what is received beside the
figure, and x the capital's exposure for one unit outstanding. Whoever ends in a period pays half of
it. A shift of the log hazard of default may stand on every period. Ages count from origination. PD
within 12 months is the borrower's, also where the term is shorter. The balances of an annuity
depend on its rate, and the rate on its balances: both are solved at once, at the unclipped figure.

Source: the premium and protection legs of a credit default swap with accrual at the middle
(O'Kane & Turnbull 2003), amortising; capital: `capital/irb.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pricing import kernels, schedule
from pricing.errors import Fault, InputError
from pricing.kernels import Legs
from pricing.policy import Policy
from pricing.schedule import Terms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CAPITAL_MONTHS = 12  # regulatory capital asks for the default within a year


@dataclass(frozen=True)
class Shape:
    """When what is outstanding: all of the terms but the amount."""

    term_months: int
    repayment: str
    grace_months: int
    payment_months: int

    @classmethod
    def of(cls, terms: Terms) -> Shape:
        """Return the shape of a loan's terms."""
        return cls(terms.term_months, terms.repayment, terms.grace_months, terms.payment_months)


def loan_legs(terms: Terms, policy: Policy, ages: tuple[int, ...]) -> Legs:
    """Return the legs of a plain loan: what is outstanding is at risk, and pays.

    Args:
        terms: the loan.
        policy: the lender's.
        ages: (K + 1,) months between age buckets.

    Raises:
        InputError: the term is longer than the ages go.
    """
    return _loan_legs(Shape.of(terms), policy, ages)


@lru_cache(maxsize=2048)
def _loan_legs(shape: Shape, policy: Policy, ages: tuple[int, ...]) -> Legs:
    terms = Terms(1.0, shape.term_months, shape.repayment, shape.grace_months, shape.payment_months)
    _refuse_beyond(terms, ages[-1])
    n, months = terms.periods, terms.payment_months
    periods = max(n, CAPITAL_MONTHS // months)
    steps = schedule.cut(np.array(ages), payment_months=months, periods=periods)
    at = policy.funding_curve.discount[: 2 * months * periods + 1]
    end = at[2 * months :: 2 * months]  # (periods,) D_k
    grid = np.zeros((periods, 6))
    grid[:n, kernels.SHARE] = schedule.profile(terms).share  # an annuity begins as linear
    grid[:, kernels.MIDPOINT] = at[months :: 2 * months]
    grid[:, kernels.COUPON] = terms.period_years * end
    grid[:, kernels.FUNDING] = at[: -1 : 2 * months] - end
    grid[:, kernels.RISK] = 1.0
    numbers = np.zeros(5)
    numbers[kernels.SCALE] = policy.capital_scale_bps
    numbers[kernels.LOADINGS] = policy.opex_bps + policy.margin_bps
    numbers[kernels.YEARS] = terms.period_years
    numbers[kernels.GROSS] = 1.0
    grace = terms.grace_periods if terms.repayment == "annuity" else -1
    return Legs(steps, np.zeros(len(steps)), grid, policy.basel, numbers, n, grace, plain=True)


def _refuse_beyond(terms: Terms, last_age: int) -> None:
    """Refuse a term longer than the model knows hazards for."""
    if terms.term_months > last_age:
        expected = f"at most {last_age}, the last age the model knows"
        raise InputError([Fault("terms.term_months", expected, str(terms.term_months))])
    if last_age < CAPITAL_MONTHS:
        raise InputError.of("edges", f"a last age of at least {CAPITAL_MONTHS} months", last_age)


def changed(
    legs: Legs,
    *,
    share: Floats | None = None,
    risk: Floats | float | None = None,
    fixed: Floats | float | None = None,
    shift: Floats | None = None,
    capital: float = 1.0,
    loadings_bps: float | None = None,
    income: float = 0.0,
    gross: float = 1.0,
) -> Legs:
    """Return legs of which some numbers are others; symbols as above.

    Args:
        legs: of a plain loan, which stay as they are.
        share: (n,) e_k, where the balances are fixed otherwise.
        risk: (n,) or one number, ρ.
        fixed: (n,) or one number, φ.
        shift: (n,) added to the log hazard of default in each period.
        capital: x, by which the cost of capital is multiplied.
        loadings_bps: all that is added to the figure as it is.
        income: present value, per unit of the amount.
        gross: γ.

    >>> from pricing import policy
    >>> plain = loan_legs(Terms(1.0, 12, "bullet"), policy.load(currency="EUR"), (0, 6, 12))
    >>> float(changed(plain, risk=0.8).grid[0, kernels.RISK])
    0.8
    """
    n, grid, numbers = legs.periods, legs.grid.copy(), legs.numbers.copy()
    columns = ((kernels.SHARE, share), (kernels.RISK, risk), (kernels.FIXED, fixed))
    for column, values in columns:
        if values is not None:
            grid[:n, column] = values
    numbers[kernels.SCALE] *= capital
    numbers[kernels.INCOME], numbers[kernels.GROSS] = income, gross
    if loadings_bps is not None:
        numbers[kernels.LOADINGS] = loadings_bps
    moved = legs.shift
    if shift is not None:
        period = legs.steps[:, kernels.PERIOD]
        moved = np.where(period < n, shift[np.minimum(period, n - 1)], 0.0)
    return legs._replace(grid=grid, numbers=numbers, shift=moved, plain=False)
