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
from pricing.kink import crossings
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.survival import as_ages, as_margins, curves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZONS = (12, 36, 60)  # months at which the probability of default is published
CAPITAL_MONTHS = 12  # regulatory capital asks for the default within a year


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
    annuity depend on its rate, and the rate on its balances: both are solved together, at the
    unclipped spread.

    Source: the premium and protection legs of a credit default swap with accrual at the middle
    (O'Kane & Turnbull 2003), amortising; capital: `capital.py`.
    """

    terms: Terms
    policy: Policy
    edges: Sequence[int] | Ints  # (K + 1,) months
    figure: ClassVar[str] = "spread_bps"
    _ages: Ints = field(init=False, repr=False)
    _plan: tuple[Ints, Floats, Floats, Floats, int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lay out the periods once for all margins."""
        ages = as_ages(self.edges)
        object.__setattr__(self, "_ages", ages)
        object.__setattr__(self, "_plan", _plan(self.terms, self.policy, ages))

    def figures(self, margins: Floats) -> Floats:
        """Return (rows,) the unclipped spread in bp, of margins (rows, 3, K)."""
        return kernels.spreads(as_margins(margins, self._ages), *self._plan)

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return (rows,) the spreads and (rows, 3, K) their derivatives by every margin."""
        return kernels.gradients(as_margins(margins, self._ages), *self._plan)

    def kinks(self, start: Floats, move: Floats) -> Sequence[float]:
        """Return where start + s move, s in (0, 1), crosses the floor of PD or a bound of M."""

        def gauges(at: Floats) -> Floats:  # (positions, 3)
            margins = start + at[:, None, None] * move
            parts = kernels.breakdown(margins, *self._plan)
            years, pd = parts[:, 3], parts[:, 4]
            return np.stack(
                [np.log(np.maximum(pd, 1e-300) / kernels.PD_FLOOR), years - 1, years - 5], axis=1
            )

        return crossings(gauges)

    def price(self, margins: Floats) -> Price:
        """Return the price of margins (3, K)."""
        parts = kernels.breakdown(as_margins(margins[None], self._ages), *self._plan)[0].tolist()
        loss_bps, capital_bps, funding, years, _, lgd = parts
        policy = self.policy
        spread_bps = loss_bps + capital_bps + (policy.opex_bps + policy.margin_bps)
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


def _plan(
    terms: Terms, policy: Policy, ages: Ints
) -> tuple[Ints, Floats, Floats, Floats, int, int]:
    """Return the arguments of every kernel: steps, grid, basel, numbers, periods, grace."""
    _refuse_beyond(terms, int(ages[-1]))
    n, months = terms.periods, terms.payment_months
    periods = max(n, CAPITAL_MONTHS // months)
    steps = schedule.cut(ages, payment_months=months, periods=periods)
    at = policy.funding_curve.discount[: 2 * months * periods + 1]
    end = at[2 * months :: 2 * months]  # (periods,) D_k
    grid = np.zeros((periods, 4))
    grid[:n, kernels.SHARE] = schedule.profile(terms).share  # an annuity begins as linear
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
