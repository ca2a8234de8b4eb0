"""What holds for every instrument made of legs, whatever it pays for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from pricing import kernels
from pricing.credit import Credit
from pricing.instrument import Instrument, Part, Price
from pricing.path import path_weights
from pricing.survival import DEFAULT, EXIT
from tests.pricing.cases import Floats, margins

LIKELY = (
    -9.0,
    -4.2,
)  # log monthly hazards at which Basel's charge still rises: 0.15 % to 18 % a year


@dataclass(frozen=True, eq=False)
class Distorted(Credit):
    """Legs whose adjoint forgets one part in ten thousand of one row."""

    row: int = field(default=DEFAULT, kw_only=True)

    @classmethod
    def of(cls, credit: Credit, row: int) -> Distorted:
        """Return the same legs with a wrong adjoint."""
        return cls(
            credit.legs, credit.policy, credit.edges, credit.term_months, credit.loadings, row=row
        )

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return the figures and derivatives that are slightly wrong."""
        figures, gradients = super().gradients(margins)
        gradients[:, self.row] *= 0.9999
        return figures, gradients


@st.composite
def moves(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """Draw two sets of margins (3, K) that are infinite at the same places."""
    start, end = draw(margins()), draw(margins())
    if not np.array_equal(np.isinf(start), np.isinf(end)):
        end[EXIT] = start[EXIT]
    return start, end


def assert_smooth_gradient(credit: Credit, m: Floats) -> None:
    """Compare the adjoint with central differences, in a property, away from the kinks."""
    years, pd = kernels.breakdown(m[None], credit.legs)[0, [kernels.MATURITY, kernels.PD_12]]
    at_floor = abs(pd - kernels.PD_FLOOR) < 1e-5
    at_bound = credit.legs.grace >= 0 and min(abs(years - 1), abs(years - 5)) < 1e-4
    assume(not (credit.legs.numbers[kernels.SCALE] and (at_floor or at_bound)))
    assert_gradient(credit, m)


def assert_gradient(instrument: Instrument, m: Floats, *, atol: float = 1e-5) -> None:
    """Compare every derivative with a central difference; those of infinite margins must be nil."""
    figures, gradients = instrument.gradients(m[None])
    np.testing.assert_array_equal(figures, instrument.figures(m[None]))
    h, scale = 1e-5, 1 + np.abs(gradients).max()
    for cell in np.ndindex(*m.shape):
        moved = np.stack([m, m])
        moved[(0, *cell)] += h
        moved[(1, *cell)] -= h
        up, down = instrument.figures(moved)
        assert abs((up - down) / (2 * h) - gradients[0][cell]) <= atol * scale, cell


def assert_explained(instrument: Instrument, start: Floats, end: Floats) -> None:
    """The weights of a move add up to what the figure moves by, to a millionth of a bp."""
    weights, low_bps, high_bps = path_weights(instrument, start, end)
    moved = start != end
    explained = math.fsum((weights[moved] * (end[moved] - start[moved])).tolist())
    assert explained == pytest.approx(high_bps - low_bps, rel=0, abs=1e-6)
    before, after = instrument.figures(np.stack([start, end]))
    assert (low_bps, high_bps) == pytest.approx((before, after), rel=1e-12)


def assert_adds_up(price: Price) -> None:
    """The lines within make the figure, with those apart what is charged, with all the rate."""

    def total(*parts: Part) -> float:
        return math.fsum(line.bps for line in price.waterfall if line.part in parts)

    assert total(Part.WITHIN) == pytest.approx(price.figure_bps, rel=1e-12, abs=1e-8)
    assert total(Part.WITHIN, Part.APART) == pytest.approx(price.charged_bps, rel=1e-12, abs=1e-8)
    assert total(*Part) == pytest.approx(1e4 * price.rate, rel=1e-12, abs=1e-8)


def lines(price: Price) -> dict[str, float]:
    """Return the waterfall in bp, by name."""
    return {line.name: line.bps for line in price.waterfall}


def figure(instrument: Instrument, m: Floats) -> float:
    """Return the figure in bp of margins (3, K)."""
    return float(instrument.figures(m[None])[0])


def riskier(m: Floats, by: float) -> Floats:
    """Return margins (3, K) with the log hazard of default raised at every age."""
    moved = m.copy()
    moved[DEFAULT] += by
    return moved
