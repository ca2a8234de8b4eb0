"""The price of a term loan once more, slowly: month by month, with SciPy for every hard part.

Nothing of it is shared with the product but the policy's numbers. Hazards are constant in a month,
so a period of several months is the sum of its months; an annuity's rate is found by bracketing.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from pricing.policy import Policy
from pricing.schedule import Terms
from tests.pricing.cases import EDGES, Floats


def spread(terms: Terms, policy: Policy, margins: Floats) -> float:
    """Return the unclipped spread in bp."""
    if terms.repayment != "annuity":
        return _spread_and_funding(_shares(terms, 0.0), terms, policy, margins)[0]

    def gap(rate: float) -> float:
        spread_bps, funding = _spread_and_funding(_shares(terms, rate), terms, policy, margins)
        return funding + spread_bps / 1e4 - rate

    rate = brentq(gap, 1e-6, 30.0, xtol=1e-15, rtol=1e-15)
    return _spread_and_funding(_shares(terms, rate), terms, policy, margins)[0]


def _shares(terms: Terms, rate: float) -> list[float]:
    n, g = terms.periods, terms.grace_periods
    shares = []
    for k in range(1, n + 1):
        j = k - 1 - g
        if terms.repayment == "bullet" or j <= 0:
            shares.append(1.0)
        elif terms.repayment == "linear":
            shares.append(1 - j / (n - g))
        else:
            x = math.log1p(rate * terms.payment_months / 12)
            shares.append(1 - math.expm1(j * x) / math.expm1((n - g) * x))
    return shares


def _spread_and_funding(
    shares: list[float], terms: Terms, policy: Policy, margins: Floats
) -> tuple[float, float]:
    step, years = terms.payment_months, terms.payment_months / 12
    alive = [1.0]
    loss, paying, funding, annuity = 0.0, 0.0, 0.0, 0.0
    for k, share in enumerate(shares):
        middle, end = _discount(policy, (k + 0.5) * step), _discount(policy, (k + 1) * step)
        before = alive[-1]
        for month in range(k * step, (k + 1) * step):
            dead, left, lgd = _month(margins, month, alive[-1])
            loss += share * middle * dead * lgd
            alive.append(alive[-1] - left)
        paying += share * years * (end * alive[-1] + middle * (before - alive[-1]) / 2)
        funding += share * (_discount(policy, k * step) - end)
        annuity += share * years * end
    life = sum(shares) * years
    charge = policy.capital_ratio * 12.5 * _requirement(_pd(margins), life, policy)
    charge *= policy.hurdle_rate / (1 - policy.tax_rate) - policy.capital_return
    return 1e4 * (loss / paying + charge) + policy.opex_bps + policy.margin_bps, funding / annuity


def _month(margins: Floats, month: int, alive: float) -> tuple[float, float, float]:
    """Return who defaults, who leaves in all, and the LGD."""
    bucket = int(np.searchsorted(EDGES, month, side="right")) - 1
    default, exit_ = np.exp(margins[:2, bucket])
    left = alive * (1 - math.exp(-(default + exit_)))
    return left * default / (default + exit_), left, 1 / (1 + math.exp(-margins[2, bucket]))


def _pd(margins: Floats) -> float:
    alive, pd = 1.0, 0.0
    for month in range(12):
        dead, left, _ = _month(margins, month, alive)
        pd, alive = pd + dead, alive - left
    return pd


def _discount(policy: Policy, months: float) -> float:
    at, rates = zip(*policy.funding_curve.points, strict=True)
    return math.exp(-float(np.interp(months, at, rates)) * months / 12)


def _requirement(pd: float, life: float, policy: Policy) -> float:
    """Return K of a corporate with sales of 5 m or less, as CRE31 prints it."""
    assert policy.asset_class == "corporate"
    assert policy.annual_sales_millions == 5
    pd = min(max(pd, 0.0005), 1.0)  # twelve rounded months may exceed one
    e = (1 - math.exp(-50 * pd)) / (1 - math.exp(-50))
    r = 0.12 * e + 0.24 * (1 - e) - 0.04
    b = (0.11852 - 0.05478 * math.log(pd)) ** 2
    conditional = norm.cdf((norm.ppf(pd) + math.sqrt(r) * norm.ppf(0.999)) / math.sqrt(1 - r))
    m = min(max(life, 1.0), 5.0)
    lgd = policy.regulatory_lgd
    return float((conditional - pd) * lgd * (1 + (m - 2.5) * b) / (1 - 1.5 * b))
