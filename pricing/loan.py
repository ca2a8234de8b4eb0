"""The term loan: the spread at which it pays for its losses, its capital and the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pricing import kernels, schedule
from pricing.errors import Fault, InputError, ModelError
from pricing.instrument import Line, Price
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.survival import curves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZONS = (12, 36, 60)  # months at which the probability of default is published
CAPITAL_MONTHS = 12  # regulatory capital asks for the default within a year
KINK_GRID = 32
KINK_WIDTH = 1e-14


@dataclass(frozen=True, eq=False)
class TermLoan:
    """A loan on its terms under a policy, as a function of a project's margins by age.

    With S_k the probability that the loan still runs after period k, p the probability to default
    in it, e_k the share of the amount outstanding, Δ its length and D the discount factors,

        spread = 1e4 Σ LGD e_k D_{k-1/2} p_k / Σ e_k [Δ D_k S_k + Δ/2 D_{k-1/2} (S_{k-1} - S_k)]
                 + capital + opex + margin
        capital = 1e4 κ 12.5 K(PD within 12 months, regulatory LGD, M) (h/(1-τ) - r_C)
        M = Σ e_k Δ, the average life of the principal
        funding = Σ e_k (D_{k-1} - D_k) / Σ e_k Δ D_k, the par coupon of the same profile
        rate = funding + spread

    Loans that end in a period pay half of its interest. Ages count from the origination of the
    loan. PD within 12 months is the borrower's, also where the loan is shorter. The balances of an
    annuity depend on its rate, and the rate on its balances: both are solved together.

    Source: the premium and protection legs of a credit default swap with accrual at the middle
    (O'Kane & Turnbull 2003), amortising; capital: `capital.py`.
    """

    terms: Terms
    policy: Policy
    edges: Sequence[int] | Ints  # (K + 1,) months
    figure: ClassVar[str] = "spread_bps"
    _plan: tuple[Ints, Floats, Floats, Floats, int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lay out the periods once for all margins."""
        object.__setattr__(self, "_plan", _plan(self.terms, self.policy, self.edges))

    def figures(self, margins: Floats) -> Floats:
        """Return (rows,) the unclipped spread in bp, of margins (rows, 3, K)."""
        return kernels.spreads(_rows(margins), *self._plan)

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return (rows,) the spreads and (rows, 3, K) their derivatives by every margin."""
        return kernels.gradients(_rows(margins), *self._plan)

    def kinks(self, start: Floats, end: Floats) -> Sequence[float]:
        """Return where on the line the floor of PD or a bound of M is crossed.

        The line is searched on a grid, and every crossing found is then narrowed down by bisection.
        """
        move = np.zeros(np.shape(start))
        np.subtract(end, start, out=move, where=np.not_equal(start, end))
        at = np.linspace(0, 1, KINK_GRID + 1)
        gauges = self._gauges(start, move, at)
        kinks = [
            self._crossing(start, move, at[i], at[i + 1], which)
            for which in range(gauges.shape[1])
            for i in np.flatnonzero(np.diff(gauges[:, which] > 0))
        ]
        return sorted(kink for kink in kinks if 0 < kink < 1)

    def price(self, margins: Floats) -> Price:
        """Return the price of margins (3, K)."""
        parts = kernels.breakdown(_rows(margins[None]), *self._plan)[0].tolist()
        loss_bps, capital_bps, funding, years, _, lgd = parts
        policy = self.policy
        spread_bps = loss_bps + capital_bps + policy.opex_bps + policy.margin_bps
        if not np.isfinite(spread_bps):
            raise ModelError(f"margins must give a finite spread, however: {spread_bps=}")
        clipped_bps = policy.clip(spread_bps)
        waterfall = (
            Line("ftp", 1e4 * funding),
            Line("expected_loss", loss_bps),
            Line("capital", capital_bps),
            Line("opex", policy.opex_bps),
            Line("margin", policy.margin_bps),
            Line("floor_cap", clipped_bps - spread_bps),
        )
        term = self.terms.term_months
        paths = curves(margins, self.edges, term)
        pd = {str(month): float(paths.default[min(month, term)]) for month in HORIZONS}
        pd["lifetime"] = float(paths.default[term])
        rate = funding + 1e-4 * clipped_bps
        return Price(spread_bps, clipped_bps, rate, waterfall, pd, lgd, years, paths)

    def _gauges(self, start: Floats, move: Floats, at: Floats) -> Floats:
        """Return (positions, 3): each column changes its sign where the price has a kink."""
        margins = start + at[:, None, None] * move
        parts = kernels.breakdown(margins, *self._plan)
        years, pd = parts[:, 3], parts[:, 4]
        return np.stack([pd - kernels.PD_FLOOR, years - 1, years - 5], axis=1)

    def _crossing(self, start: Floats, move: Floats, low: float, high: float, which: int) -> float:
        """Return where one gauge changes its sign between low and high, to the last digits."""
        while high - low > KINK_WIDTH:
            at = np.linspace(low, high, KINK_GRID + 1)
            above = self._gauges(start, move, at)[:, which] > 0
            i = int(np.flatnonzero(np.diff(above))[0])
            low, high = float(at[i]), float(at[i + 1])
        return (low + high) / 2


def _rows(margins: Floats) -> Floats:
    """Return the margins as the kernels take them, (rows, 3, K)."""
    return np.ascontiguousarray(margins, np.float64)


def _plan(
    terms: Terms, policy: Policy, edges: Sequence[int] | Ints
) -> tuple[Ints, Floats, Floats, Floats, int, int]:
    """Return the arguments of every kernel: steps, grid, basel, numbers, periods, grace."""
    ages = np.ascontiguousarray(edges, np.int64)
    _refuse_beyond(terms, int(ages[-1]))
    n, months = terms.periods, terms.payment_months
    periods = max(n, CAPITAL_MONTHS // months)
    steps = schedule.cut(ages, payment_months=months, periods=periods)
    at = policy.funding_curve.discount[: 2 * months * periods + 1]
    end = at[2 * months :: 2 * months]  # (periods,) D_k
    grid = np.zeros((periods, 4))
    if terms.repayment != "annuity":
        grid[:n, kernels.SHARE] = schedule.profile(terms).share
    grid[:, kernels.MIDPOINT] = at[months :: 2 * months]
    grid[:, kernels.COUPON] = terms.period_years * end
    grid[:, kernels.FUNDING] = at[: -1 : 2 * months] - end
    loadings = policy.opex_bps + policy.margin_bps
    numbers = np.array([policy.capital_scale_bps, loadings, terms.period_years])
    grace = terms.grace_periods if terms.repayment == "annuity" else -1
    return steps, grid, policy.basel, numbers, n, grace


def _refuse_beyond(terms: Terms, last_age: int) -> None:
    """Refuse a term longer than the model knows hazards for."""
    if terms.term_months > last_age:
        expected = f"at most {last_age}, the last age the model knows"
        raise InputError([Fault("terms.term_months", expected, str(terms.term_months))])
    if last_age < CAPITAL_MONTHS:
        raise InputError.of("edges", f"a last age of at least {CAPITAL_MONTHS} months", last_age)
