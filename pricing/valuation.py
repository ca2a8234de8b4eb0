"""What an early-stage firm is worth today: risk-adjusted net present value and its rivals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pricing.errors import InputError

SLACK = 1e-9  # how far probabilities may be from adding up to one


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of development: what it costs, when, and how likely it is to succeed."""

    month: int  # in which the cost is paid
    cost: float  # in currency
    success: float  # probability that the stage succeeds, once paid for


@dataclass(frozen=True, slots=True)
class RiskAdjusted:
    """A risk-adjusted net present value, and the probability that every stage succeeds."""

    value: float
    success: float


@dataclass(frozen=True, slots=True)
class VentureCapital:
    """What the venture capital method makes of an exit."""

    post_money: float  # value of the firm with the investment in it
    pre_money: float  # and without
    required_ownership: float  # above 1: no share of the firm is worth the investment


def discount(months: float, *, annual_rate: float) -> float:
    """Return (1 + r)^(-months/12)."""
    return float((1 + annual_rate) ** (-months / 12))


def reached(stages: Sequence[Stage]) -> list[float]:
    """Return the probabilities to reach each stage, and last the one to succeed in all.

    >>> reached([Stage(0, 5, 0.5), Stage(12, 15, 0.5)])
    [1.0, 0.5, 0.25]
    """
    odds = [1.0]
    for stage in stages:
        odds.append(odds[-1] * stage.success)
    return odds


def rnpv(
    stages: Sequence[Stage], *, payoff: float, payoff_month: int, annual_rate: float
) -> RiskAdjusted:
    """Return the risk-adjusted net present value of a staged project.

        rNPV = payoff P_n / (1+r)^(T/12) - Σ_i cost_i P_{i-1} / (1+r)^(t_i/12),   P_i = Π_{j<=i} p_j

    Args:
        stages: in the order in which they are paid for; a cost is due if all before succeeded.
        payoff: what success in every stage brings.
        payoff_month: T.
        annual_rate: r, for the time value and undiversifiable risk; failure is in p already.

    Source: Stewart, Allison & Johnson, Putting a price on biotechnology, Nature Biotechnology 19
    (2001).

    >>> rnpv([Stage(0, 5, 0.5)], payoff=22, payoff_month=12, annual_rate=0.1)
    RiskAdjusted(value=5.0, success=0.5)
    """
    *odds, success = reached(stages)
    costs = math.fsum(
        stage.cost * p * discount(stage.month, annual_rate=annual_rate)
        for stage, p in zip(stages, odds, strict=True)
    )
    value = payoff * success * discount(payoff_month, annual_rate=annual_rate) - costs
    return RiskAdjusted(value, success)


def first_chicago(
    probabilities: Sequence[float],
    exit_values: Sequence[float],
    *,
    exit_month: int,
    annual_rate: float,
) -> float:
    """Return the value today of an exit that is one of a few scenarios.

        V = Σ_s p_s exit_s / (1+r)^(T/12)

    Args:
        probabilities: of success, survival (sideways) and failure, say; they add up to one.
        exit_values: one a scenario.
        exit_month: T.
        annual_rate: r; lower than a venture capitalist's target, as failure is in p.

    Source: Sahlman & Scherlis, A Method for Valuing High-Risk, Long-Term Investments (1987).

    >>> first_chicago((0.5, 0.5), (22, 0), exit_month=12, annual_rate=0.1)
    10.0
    """
    if len(probabilities) != len(exit_values):
        raise InputError.of("exit_values", f"{len(probabilities)} values", len(exit_values))
    if min(probabilities) < 0 or abs(math.fsum(probabilities) - 1) > SLACK:
        raise InputError.of("probabilities", "at least 0 each and 1 in sum", list(probabilities))
    expected = math.fsum(p * x for p, x in zip(probabilities, exit_values, strict=True))
    return expected * discount(exit_month, annual_rate=annual_rate)


def venture_capital(
    *,
    exit_value: float,
    exit_month: int,
    target_return: float,
    investment: float,
    retention: float = 1.0,
) -> VentureCapital:
    """Return what an investor who wants a target return would pay, and for which share.

        post-money = exit · retention / (1 + target)^(T/12),   pre-money = post-money - investment
        required ownership = investment / post-money

    Args:
        exit_value: of the whole firm if all goes well.
        exit_month: T.
        target_return: annual; it is high, as it stands for failure as well.
        investment: made today.
        retention: share of a stake that is left after later rounds.

    Source: Sahlman & Scherlis (1987).

    >>> deal = venture_capital(exit_value=48, exit_month=12, target_return=0.6, investment=3)
    >>> round(deal.post_money, 9), round(deal.required_ownership, 9)
    (30.0, 0.1)
    """
    post_money = exit_value * retention * discount(exit_month, annual_rate=target_return)
    return VentureCapital(post_money, post_money - investment, investment / post_money)
