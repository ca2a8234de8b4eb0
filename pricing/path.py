"""Aumann-Shapley: how much of a move of the price belongs to each margin."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pricing.errors import InputError, ModelError
from pricing.instrument import Instrument

Floats = NDArray[np.float64]

NODES = 10  # of Gauss-Legendre on every piece
NARROWEST = 2.0**-44  # pieces are not split further
MOST_SPLITS = 400


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of the straight line between two sets of margins."""

    low: float
    high: float
    weights: Floats  # (3, K) integral of the gradient over the piece
    residue_bps: float  # what the weights leave of the move of the figure


def path_weights(
    instrument: Instrument, start: Floats, end: Floats, *, tolerance_bps: float = 1e-9
) -> tuple[Floats, float]:
    """Return the weights (3, K) of a move of the margins, and what they leave unexplained in bp.

        w = ∫_0^1 ∇g(start + s (end - start)) ds,     Σ w (end - start) = g(end) - g(start)

    The integral is done with 10 Gauss-Legendre nodes. The figure g is known at both ends, so the
    error of a piece is known as well: while the errors together exceed the tolerance, the line is
    cut at the kinks of the instrument, and then the worst piece in two. A margin that is infinite
    at both ends does not move.

    Args:
        instrument: what is priced.
        start: (3, K) margins of the base.
        end: (3, K) margins of the project.
        tolerance_bps: allowed error of the sum.

    Source: Aumann & Shapley, Values of Non-Atomic Games (1974); Sundararajan, Taly & Yan (2017).
    """
    line = _Line.between(instrument, start, end)
    low, high = line.figures((0.0, 1.0))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ModelError(f"margins must give a finite figure, however: {low=}, {high=}")
    enough_bps = tolerance_bps / 2  # the other half is for rounding
    pieces = [line.piece(0.0, 1.0, low, high)]
    if abs(pieces[0].residue_bps) > enough_bps:
        pieces = list(line.cut_at((0.0, *instrument.kinks(start, line.move), 1.0)))
    for _ in range(MOST_SPLITS):
        if sum(abs(piece.residue_bps) for piece in pieces) <= enough_bps:
            break
        worst = max(pieces, key=lambda piece: abs(piece.residue_bps))
        if worst.high - worst.low <= NARROWEST:
            break
        pieces.remove(worst)
        pieces += line.cut_at((worst.low, (worst.low + worst.high) / 2, worst.high))
    weights = pieces[0].weights
    for piece in pieces[1:]:
        weights = weights + piece.weights
    return weights, high - low - float(np.vdot(weights, line.move))


@dataclass(frozen=True, eq=False)
class _Line:
    """The straight line on which the figure is followed."""

    instrument: Instrument
    start: Floats
    move: Floats

    @classmethod
    def between(cls, instrument: Instrument, start: Floats, end: Floats) -> _Line:
        """Return the line; margins equal at both ends, also infinite ones, do not move."""
        move = np.zeros(np.shape(start))
        np.subtract(end, start, out=move, where=np.not_equal(start, end))
        if not np.isfinite(move).all():
            raise InputError.of("end", "infinite where start is, and only there", end)
        return cls(instrument, start, move)

    def figures(self, at: tuple[float, ...]) -> list[float]:
        """Return the figures at positions in [0, 1]."""
        return [float(x) for x in self.instrument.figures(self._margins(np.array(at)))]

    def piece(self, low: float, high: float, figure_low: float, figure_high: float) -> Piece:
        """Return the piece between two positions whose figures are known."""
        nodes, shares = _rule()
        _, gradients = self.instrument.gradients(self._margins(low + (high - low) * nodes))
        weights = (high - low) * (shares @ gradients.reshape(NODES, -1)).reshape(self.move.shape)
        explained = float(np.vdot(weights, self.move))
        return Piece(low, high, weights, figure_high - figure_low - explained)

    def cut_at(self, at: tuple[float, ...]) -> Iterator[Piece]:
        """Yield the pieces between neighbouring positions."""
        figures = self.figures(at)
        for i in range(len(at) - 1):
            yield self.piece(at[i], at[i + 1], figures[i], figures[i + 1])

    def _margins(self, at: Floats) -> Floats:
        """Return (positions, 3, K)."""
        return self.start + at[:, None, None] * self.move


@cache
def _rule() -> tuple[Floats, Floats]:
    """Return the nodes and weights of Gauss-Legendre on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return (nodes + 1) / 2, weights / 2
