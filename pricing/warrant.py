"""The warrant beside a loan: a call on the borrower's shares, worth a share of the loan."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real

from pricing.errors import Fault, InputError
from pricing.kernels import normal_cdf

BOUNDS = {
    "coverage": (1e-6, 1.0),
    "years": (0.1, 50.0),
    "volatility": (0.01, 5.0),
    "strike_ratio": (0.01, 100.0),
}


@dataclass(frozen=True, slots=True)
class Warrant:
    """The terms of a warrant; every fault is raised at once.

    Coverage c is counted at the strike, as lenders write it: with a loan of L, the lender may buy
    c L / strike shares.

    >>> Warrant(coverage=0.05, years=7, volatility=0.6).strike_ratio
    1.0
    """

    coverage: float  # what exercising all of it costs, as a share of the loan
    years: float  # to expiry
    volatility: float  # of the share, annual; 0.6 is 60 %
    strike_ratio: float = 1.0  # strike / share price today
    dilution: float = 0.0  # expected share of the holding lost to later rounds

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if faults := [*_faults(self)]:
            raise InputError(faults)


def call_value(
    *,
    spot: float,
    strike: float,
    years: float,
    volatility: float,
    rate: float,
    default_intensity: float = 0.0,
) -> float:
    """Return the value of a European call on a share that pays no dividend.

        C = S N(d1) - X exp(-(r + h) T) N(d2)
        d1 = (ln(S/X) + (r + h + σ²/2) T) / (σ √T),   d2 = d1 - σ √T

    With a default intensity h the share jumps to nil at default. Its price today already knows
    that: as long as the firm lives the share must grow by r + h, and so r + h is both the drift
    and the discount rate. Never multiply by exp(-h T) as well: that counts the default twice.

    Args:
        spot: price of a share today, above 0.
        strike: above 0.
        years: to expiry, above 0.
        volatility: annual, above 0.
        rate: continuously compounded.
        default_intensity: h, annual.

    Source: Black & Scholes (1973); jump to ruin: Merton (1976), section 4.

    >>> at_the_money = dict(spot=100, strike=100, years=7, volatility=0.6, rate=0.03)
    >>> round(call_value(**at_the_money), 6)
    61.675759
    >>> round(call_value(**at_the_money, default_intensity=0.1), 6)
    74.804143
    """
    growth = (rate + default_intensity) * years
    spread = volatility * math.sqrt(years)
    d1 = (math.log(spot / strike) + growth) / spread + 0.5 * spread
    value: float = spot * normal_cdf(d1) - strike * math.exp(-growth) * normal_cdf(d1 - spread)
    return value


def value_share(warrant: Warrant, *, rate: float, default_intensity: float = 0.0) -> float:
    """Return the value of a warrant per unit of loan.

        v = c (1 - dilution) C(1, k) / k,   c coverage, k = strike / spot, C the call of spot 1

    Per year of loan it is worth v / (risky annuity). A default_intensity h lets the share jump.

    >>> seven_years = Warrant(coverage=0.05, years=7, volatility=0.6)
    >>> round(1e6 * value_share(seven_years, rate=0.03), 2)
    30837.88
    """
    call = call_value(
        spot=1.0,
        strike=warrant.strike_ratio,
        years=warrant.years,
        volatility=warrant.volatility,
        rate=rate,
        default_intensity=default_intensity,
    )
    return warrant.coverage * (1 - warrant.dilution) * call / warrant.strike_ratio


def _faults(warrant: Warrant) -> Iterator[Fault]:
    """Yield what is wrong with the terms."""
    for name, (low, high) in BOUNDS.items():
        given = getattr(warrant, name)
        if not (_is_number(given) and low <= given <= high):
            expected = f"a number from {low:g} to {high:g}"
            yield Fault(f"instrument.warrant.{name}", expected, repr(given))
    if not (_is_number(warrant.dilution) and 0 <= warrant.dilution < 1):
        expected = "a share in [0, 1)"
        yield Fault("instrument.warrant.dilution", expected, repr(warrant.dilution))


def _is_number(value: object) -> bool:
    """Return whether the value is a number; true and false are none."""
    return isinstance(value, Real) and not isinstance(value, bool)
