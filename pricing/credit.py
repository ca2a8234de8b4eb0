"""An instrument that is paid for the losses of its legs: its figure, its adjoint, its price."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pricing import kernels
from pricing.errors import ModelError
from pricing.instrument import Line, Part, Price
from pricing.kernels import Legs
from pricing.kink import crossings
from pricing.policy import Policy
from pricing.schedule import Terms, profile
from pricing.survival import Curves, as_ages, as_margins, incidences, walk

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZONS = (12, 36, 60)  # months at which the probability of default is published


class Drawing(NamedTuple):
    """A way that the drawing of a loan may go."""

    odds: float
    share: Floats  # (n,) of the amount outstanding in each period


def expected(ways: Iterable[Drawing]) -> Floats:
    """Return (n,) the mean share over the ways.

    >>> expected([Drawing(0.25, np.array([0.5, 0.5])), Drawing(0.75, np.array([0.5, 1.0]))])
    array([0.5  , 0.875])
    """
    mean: Floats = np.sum([way.odds * way.share for way in ways], axis=0)
    return mean


Shares = tuple[tuple[str, float], ...]
EXPECTED_LOSS: Shares = (("expected_loss", 1.0),)


@dataclass(frozen=True, eq=False)
class Credit:
    """Legs under a policy, as a function of a project's margins by age; formulas in `legs.py`."""

    legs: Legs
    policy: Policy
    edges: Sequence[int] | Ints  # (K + 1,) months
    term_months: int
    loadings: Shares  # names and bp, which add up to those of the legs
    figure: str = "spread_bps"
    funded: bool = True  # the lender's own money is out: it costs, and floor and cap hold
    losses: Shares = EXPECTED_LOSS  # how what the losses cost is shown; the shares add up to 1
    income: str = ""  # the name of the legs' income
    details: Mapping[str, Any] = field(default_factory=dict)
    drawings: tuple[Drawing, ...] = ()  # none: all of the amount is out, as the legs say
    _ages: Ints = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the ages once for all margins."""
        object.__setattr__(self, "_ages", as_ages(self.edges))

    def figures(self, margins: Floats) -> Floats:
        """Return (rows,) the figure in bp, of margins (rows, 3, K)."""
        parts: Floats = kernels.breakdown(as_margins(margins, self._ages), self.legs)
        return parts[:, kernels.FIGURE].copy()

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return (rows,) the figures and (rows, 3, K) their derivatives by every margin."""
        parts, slopes = self.walked(margins)
        return parts[:, kernels.FIGURE], slopes

    def walked(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return (rows, 9) what the prices are made of, see `kernels`, and the `gradients`."""
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

    def ways(self, terms: Terms, rate: float) -> tuple[Drawing, ...]:
        """Return the ways that drawing may go, at an annual rate, which matters to annuities."""
        if self.drawings:
            return self.drawings
        if self.legs.grace >= 0:
            return (Drawing(1.0, profile(terms, annual_rate=max(rate, 0.0)).share),)
        return (Drawing(1.0, self.legs.grid[: terms.periods, kernels.SHARE]),)

    def shares(self, terms: Terms, rate: float) -> Floats:
        """Return (n,) the share of the amount expected to be outstanding in each period."""
        return expected(self.ways(terms, rate))

    def price(self, margins: Floats) -> Price:
        """Return the price of margins (3, K)."""
        rows = as_margins(margins[None], self._ages)
        return self.told(rows[0], kernels.breakdown(rows, self.legs)[0].tolist())

    def told(self, margins: Floats, parts: Sequence[float]) -> Price:
        """Return the price of margins (3, K), of which the parts (9,) are known."""
        figure_bps = parts[kernels.FIGURE]
        if not math.isfinite(figure_bps):
            raise ModelError(f"margins must give a finite {self.figure}, however: {figure_bps}")
        charged_bps = self.policy.clip(figure_bps) if self.funded else figure_bps
        paths = walk(margins, self._ages, self.term_months, self._shift())
        return Price(
            figure=self.figure,
            figure_bps=figure_bps,
            charged_bps=charged_bps,
            waterfall=(*self._lines(parts), *self._clip(charged_bps - figure_bps)),
            pd=published(paths.default, HORIZONS),
            annual_pd=parts[kernels.PD_12],
            lgd=parts[kernels.MEAN_LGD],
            maturity_years=parts[kernels.MATURITY],
            curves=paths,
            margins=margins,
            details={**self.details, **self._severity(parts)},
            clip=self.policy.clip if self.funded else None,
        )

    def pds(self, margins: Floats) -> Floats:
        """Return (rows,) the probability of default within the term, of margins (rows, 3, K)."""
        rows = as_margins(margins, self._ages)
        return incidences(rows, self._ages, self.term_months, self._shift())[:, -1]

    def annual_pd(self, margins: Floats) -> float:
        """Return the borrower's PD within 12 months, milestones ahead and all, of margins (3, K).

        Regulators ask for a year, however short the term; after its end no milestone is ahead.
        """
        rows = as_margins(margins[None], self._ages)
        return float(kernels.breakdown(rows, self.legs)[0, kernels.PD_12])

    def curves(self, margins: Floats) -> Curves:
        """Return what becomes of margins (3, K) month by month, milestones ahead and all."""
        rows = as_margins(margins[None], self._ages)
        return walk(rows[0], self._ages, self.term_months, self._shift())

    def _shift(self) -> Floats | None:
        """Return (months,) what milestones ahead add to the log hazard, None for nothing."""
        if self.legs.plain or not self.legs.shift.any():
            return None
        return np.repeat(self.legs.shift, self.legs.steps[:, kernels.MONTHS])[: self.term_months]

    def _severity(self, parts: Sequence[float]) -> Mapping[str, float]:
        """Return what a default costs a unit outstanding, where that is not the LGD itself."""
        if self.legs.plain:
            return {}
        at_risk, numbers = self.legs.grid[: self.legs.periods], self.legs.numbers
        plain = (at_risk[:, kernels.RISK] == 1).all() and not at_risk[:, kernels.FIXED].any()
        if plain or not parts[kernels.DEFAULTED] > 0:
            return {}
        bps_value = 1e-4 * parts[kernels.PAYING_VALUE]
        lost = parts[kernels.LOSS_BPS] * bps_value + float(numbers[kernels.INCOME])
        lost /= float(numbers[kernels.GROSS])
        return {"loss_at_default": lost / parts[kernels.DEFAULTED]}

    def _lines(self, parts: Sequence[float]) -> Iterator[Line]:
        """Yield what the figure is made of, after what funding costs."""
        numbers: list[float] = self.legs.numbers.tolist()
        if self.funded:
            yield Line("ftp", 1e4 * parts[kernels.FUNDING_RATE], Part.BESIDE)
        income_bps = 1e4 * numbers[kernels.INCOME] / parts[kernels.PAYING_VALUE]
        for name, share in self.losses:
            yield Line(name, share * (parts[kernels.LOSS_BPS] + income_bps))
        if self.income:
            yield Line(self.income, -income_bps)
        if numbers[kernels.SCALE]:
            yield Line("capital", parts[kernels.CAPITAL_BPS])
        for name, bps in self.loadings:
            yield Line(name, bps)

    def _clip(self, bps: float) -> Iterator[Line]:
        if self.funded:
            yield Line("floor_cap", bps, Part.APART)


def usual(policy: Policy) -> Shares:
    """Return the loadings of a loan under a policy."""
    return (("opex", policy.opex_bps), ("margin", policy.margin_bps))


def published(default: Floats, horizons: Iterable[int]) -> dict[str, float]:
    """Return the cumulative incidence (n + 1,) at each horizon and in all, by its name.

    A horizon beyond the term stands at the term's end: who has repaid cannot default any more.

    >>> published(np.array([0.0, 0.1, 0.15]), (1, 12))
    {'1': 0.1, '12': 0.15, 'lifetime': 0.15}
    """
    last = len(default) - 1
    pd = {str(month): default.item(min(month, last)) for month in horizons}
    return {**pd, "lifetime": default.item(last)}
