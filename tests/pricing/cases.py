"""What the tests of pricing are tried on: loans, margins and policies, drawn or plain."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricing import policy
from pricing.credit import Credit
from pricing.funding import FundingCurve
from pricing.instruments.term_loan import TermLoan
from pricing.policy import Policy
from pricing.schedule import Terms

Floats = NDArray[np.float64]

EDGES = (0, 6, 12, 18, 24, 36, 48, 60, 84, 120)
BUCKETS = len(EDGES) - 1
STANDARD = policy.load(currency="EUR")
KINDS = (
    Terms(1e6, 60, "bullet"),
    Terms(1e6, 9, "bullet", payment_months=3),
    Terms(1e6, 36, "bullet", payment_months=12),
    Terms(1e6, 60, "linear"),
    Terms(1e6, 60, "linear", grace_months=12),
    Terms(1e6, 84, "linear", grace_months=24, payment_months=6),
    Terms(1e6, 60, "annuity"),
    Terms(1e6, 60, "annuity", grace_months=6),
    Terms(1e6, 120, "annuity", payment_months=12),
    Terms(1e6, 1, "annuity"),
)


def bare(zero_rate: float) -> Policy:
    """Return a policy without capital, opex or margin, on a flat curve: the spread is the loss."""
    curve = FundingCurve(((12, zero_rate),))
    return replace(STANDARD, funding_curve=curve, capital_ratio=0.0, opex_bps=0.0, margin_bps=0.0)


def flat(*, annual_hazard: float, lgd: float, annual_exits: float = 0.0) -> Floats:
    """Return (3, K) margins that are the same at every age."""
    exits = math.log(annual_exits / 12) if annual_exits else -math.inf
    column = [math.log(annual_hazard / 12), exits, math.log(lgd / (1 - lgd))]
    return np.repeat(np.array(column)[:, None], BUCKETS, axis=1)


def loan(terms: Terms, *, under: Policy = STANDARD, kind: type[Credit] = Credit) -> Credit:
    """Return a priced term loan, as a kind of `Credit`."""
    priced = TermLoan(terms).priced(under, EDGES)
    return kind(priced.legs, under, EDGES, terms.term_months, priced.loadings)


def spread_of(terms: Terms, margins: Floats, *, under: Policy = STANDARD) -> float:
    """Return the unclipped spread in bp."""
    return float(loan(terms, under=under).figures(margins[None])[0])


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    """Draw the terms of a loan of up to ten years."""
    payment = draw(st.sampled_from((1, 3, 6, 12)))
    periods = draw(st.integers(1, 120 // payment))
    repayment = draw(st.sampled_from(("bullet", "linear", "annuity")))
    grace = 0 if repayment == "bullet" else draw(st.integers(0, periods - 1))
    return Terms(1e5, periods * payment, repayment, grace * payment, payment)


def _row(low: float, high: float) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(low, high), min_size=BUCKETS, max_size=BUCKETS)


@st.composite
def margins(draw: st.DrawFn, *, default: tuple[float, float] = (-10.0, -3.5)) -> Floats:
    """Draw (3, K) margins, one in three without exits; hazards of 0.05 % to 36 % a year."""
    exits = draw(st.one_of(_row(-9.0, -3.0), _row(-9.0, -3.0), st.just([-math.inf] * BUCKETS)))
    return np.array([draw(_row(*default)), exits, draw(_row(-2.0, 2.0))])
