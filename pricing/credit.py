"""An instrument that is paid for the losses of its legs: its figure, its adjoint, its price."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pricing import kernels
from pricing.errors import ModelError
from pricing.instrument import Line, Part, Price
from pricing.kernels import Legs
from pricing.kink import crossings
from pricing.policy import Policy
from pricing.survival import as_ages, as_margins, walk

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZONS = (12, 36, 60)  # months at which the probability of default is published


@dataclass(frozen=True, eq=False)
class Credit:
    """Legs under a policy, as a function of a project's margins by age; formulas in `legs.py`."""

    legs: Legs
    policy: Policy
    edges: Sequence[int] | Ints  # (K + 1,) months
    term_months: int
    figure: str = "spread_bps"
    funded: bool = True  # the lender's own money is out: its cost is a line beside the figure
    income: tuple[tuple[str, float], ...] = ()  # names and shares of the other income of the legs
    _ages: Ints = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the ages once for all margins."""
        object.__setattr__(self, "_ages", as_ages(self.edges))

    def figures(self, margins: Floats) -> Floats:
        """Return (rows,) the figure in bp, of margins (rows, 3, K)."""
        return kernels.figures(as_margins(margins, self._ages), self.legs)

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return (rows,) the figures and (rows, 3, K) their derivatives by every margin."""
        return kernels.gradients(as_margins(margins, self._ages), self.legs)

    def kinks(self, start: Floats, move: Floats) -> Sequence[float]:
        """Return where start + s move, s in (0, 1), crosses the floor of PD or a bound of M."""

        def gauges(at: Floats) -> Floats:  # (positions, 3)
            parts = kernels.breakdown(start + at[:, None, None] * move, self.legs)
            years, pd = parts[:, kernels.MATURITY], parts[:, kernels.PD_12]
            return np.stack(
                [np.log(np.maximum(pd, 1e-300) / kernels.PD_FLOOR), years - 1, years - 5], axis=1
            )

        return crossings(gauges)

    def price(self, margins: Floats) -> Price:
        """Return the price of margins (3, K)."""
        rows = as_margins(margins[None], self._ages)
        loss_bps, capital_bps, funding, years, _, lgd, value = kernels.breakdown(rows, self.legs)[
            0
        ].tolist()
        policy = self.policy
        figure_bps = loss_bps + capital_bps + float(self.legs.numbers[kernels.LOADINGS])
        if not np.isfinite(figure_bps):
            raise ModelError(f"margins must give a finite {self.figure}, however: {figure_bps}")
        charged_bps = policy.clip(figure_bps)
        income = [Line(name, -1e4 * part / value) for name, part in self.income]
        lines = (
            *([Line("ftp", 1e4 * funding, Part.BESIDE)] if self.funded else []),
            Line("expected_loss", loss_bps - sum(line.bps for line in income)),
            *income,
            Line("capital", capital_bps),
            Line("opex", policy.opex_bps),
            Line("margin", policy.margin_bps),
            Line("floor_cap", charged_bps - figure_bps, Part.APART),
        )
        term = self.term_months
        paths = walk(rows[0], self._ages, term)
        return Price(
            figure=self.figure,
            figure_bps=figure_bps,
            charged_bps=charged_bps,
            waterfall=lines,
            pd=published(paths.default, HORIZONS),
            lgd=lgd,
            maturity_years=years,
            curves=paths,
        )


def published(default: Floats, horizons: Iterable[int]) -> dict[str, float]:
    """Return the cumulative incidence (n + 1,) at each horizon and in all, by its name.

    >>> published(np.array([0.0, 0.1, 0.15]), (1, 12))
    {'1': 0.1, '12': 0.15, 'lifetime': 0.15}
    """
    last = len(default) - 1
    pd = {str(month): float(default[min(month, last)]) for month in horizons}
    return {**pd, "lifetime": float(default[last])}
