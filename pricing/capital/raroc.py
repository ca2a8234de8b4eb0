"""The one-period loan: what it must earn for its capital, and what capital earns at a spread."""

from __future__ import annotations

import math

from pricing.capital import irb
from pricing.errors import Fault, InputError
from pricing.policy import Policy

MATURITY_YEARS = 2.5  # M of the foundation approach


def capital_held(*, pd: float, policy: Policy, maturity_years: float = MATURITY_YEARS) -> float:
    """Return C = κ RW, the capital behind one unit of exposure, RW by CRE31 and the regulatory LGD.

    Args:
        pd: probability of default within the year, in [0, 1].
        policy: gives κ and the constants of the asset class.
        maturity_years: M, clipped to [1, 5].
    """
    _check(pd=pd)
    weight = irb.risk_weight(pd=pd, maturity_years=maturity_years, basel=policy.basel)
    return policy.capital_ratio * weight


def hurdle_spread(
    *, pd: float, lgd: float, policy: Policy, maturity_years: float = MATURITY_YEARS
) -> float:
    """Return the spread above funding, in bp, at which capital earns exactly the hurdle.

        spread = PD LGD + opex + C (h/(1-τ) - r_C)

    The policy's margin is what a lender asks beyond the hurdle, and is no part of it.

    Args:
        pd: probability of default within the year, in [0, 1].
        lgd: economic loss given default, in [0, 1].
        policy: gives opex, κ, h, τ and r_C.
        maturity_years: M of the capital, clipped to [1, 5].

    Source: Bessis, "Risk Management in Banking", on risk-based pricing with RAROC.
    """
    _check(pd=pd, lgd=lgd)
    held = capital_held(pd=pd, policy=policy, maturity_years=maturity_years)
    return 1e4 * (pd * lgd + held * policy.capital_cost) + policy.opex_bps


def exact_rate(
    *,
    pd: float,
    lgd: float,
    funding_rate: float,
    policy: Policy,
    maturity_years: float = MATURITY_YEARS,
) -> float:
    """Return the rate that, paid by those who survive the year, earns exactly the hurdle.

        (1 - PD)(1 + r) + PD (1 - LGD) = 1 + f + opex + C (h/(1-τ) - r_C)

    The spread of `hurdle_spread` lets all pay; here those in default pay no interest.

    Args:
        pd: probability of default within the year, in [0, 1).
        lgd: economic loss given default, as a share of the principal, in [0, 1].
        funding_rate: f, the annual cost of funds as a fraction.
        policy: gives opex, κ, h, τ and r_C.
        maturity_years: M of the capital, clipped to [1, 5].
    """
    _check(pd=pd, lgd=lgd, funding_rate=funding_rate)
    if pd == 1:
        raise InputError.of("pd", "below 1: no rate is paid by those who surely default", pd)
    held = capital_held(pd=pd, policy=policy, maturity_years=maturity_years)
    costs = funding_rate + 1e-4 * policy.opex_bps + held * policy.capital_cost
    return (1 + costs - pd * (1 - lgd)) / (1 - pd) - 1


def raroc(
    *,
    spread_bps: float,
    pd: float,
    lgd: float,
    policy: Policy,
    maturity_years: float = MATURITY_YEARS,
) -> float:
    """Return what a loan earns on its capital after tax, as a fraction.

        RAROC = (spread - opex - PD LGD + r_C C)(1 - τ) / C,   spread = revenue - funding

    Args:
        spread_bps: what the borrower pays above the cost of funds.
        pd: probability of default within the year, in [0, 1].
        lgd: economic loss given default, in [0, 1].
        policy: gives opex, κ, τ and r_C; not the hurdle.
        maturity_years: M of the capital, clipped to [1, 5].

    Raises:
        InputError: no capital is held, so that there is nothing to earn on.
    """
    _check(pd=pd, lgd=lgd, spread_bps=spread_bps)
    held = capital_held(pd=pd, policy=policy, maturity_years=maturity_years)
    if not held > 0:
        raise InputError.of("capital", "above 0 for a return on it", held)
    income = 1e-4 * (spread_bps - policy.opex_bps) - pd * lgd + policy.capital_return * held
    return income * (1 - policy.tax_rate) / held


def _check(
    *, pd: float, lgd: float = 0.0, funding_rate: float = 0.0, spread_bps: float = 0.0
) -> None:
    """Raise every fault of the numbers at once."""
    faults = [
        Fault(name, expected, repr(given))
        for name, expected, given, sound in (
            ("pd", "in [0, 1]", pd, 0 <= pd <= 1),
            ("lgd", "in [0, 1]", lgd, 0 <= lgd <= 1),
            ("funding_rate", "a finite number", funding_rate, math.isfinite(funding_rate)),
            ("spread_bps", "a finite number", spread_bps, math.isfinite(spread_bps)),
        )
        if not sound
    ]
    if faults:
        raise InputError(faults)
