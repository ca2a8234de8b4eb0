"""Aumann-Shapley: how much of a move of the price belongs to each margin."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pricing.errors import ModelError
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


class Path(NamedTuple):
    """What a move of the margins does to a figure."""

    weights: Floats  # (3, K) mean slope of the figure by every margin
    low_bps: float  # the figure at the start
    high_bps: float  # the figure at the end


def path_weights(
    instrument: Instrument, start: Floats, end: Floats, *, tolerance_bps: float = 1e-9
) -> Path:
    """Return the weights (3, K) of a move of the margins, and the figures at its ends.

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

    Raises:
        ModelError: a margin is infinite at one end only, or a figure is not finite.

    Source: Aumann & Shapley, Values of Non-Atomic Games (1974); Sundararajan, Taly & Yan (2017).
    """
    way = Way.between(start, end)
    figures, slopes = instrument.gradients(way.margins())
    return path_along(instrument, way, figures, slopes, tolerance_bps=tolerance_bps)


def path_along(
    instrument: Instrument,
    way: Way,
    figures: Floats,
    slopes: Floats,
    *,
    tolerance_bps: float = 1e-9,
) -> Path:
    """Return the `path_weights` of a way, of which the figures (12,) and slopes are known."""
    low, high = float(figures[0]), float(figures[1])
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ModelError(f"margins must give a finite figure, however: {low}, {high}")
    enough_bps = tolerance_bps / 2  # the other half is for rounding
    pieces = [way.piece(0.0, 1.0, (low, high), slopes[2:])]
    if abs(pieces[0].residue_bps) > enough_bps:
        pieces = [*_cut(instrument, way, (0.0, *instrument.kinks(way.start, way.move), 1.0))]
    for _ in range(MOST_SPLITS):
        if sum(abs(piece.residue_bps) for piece in pieces) <= enough_bps:
            break
        worst = max(pieces, key=lambda piece: abs(piece.residue_bps))
        if worst.high - worst.low <= NARROWEST:
            break
        pieces.remove(worst)
        pieces += _cut(instrument, way, (worst.low, (worst.low + worst.high) / 2, worst.high))
    weights = pieces[0].weights
    for piece in pieces[1:]:
        weights = weights + piece.weights
    return Path(weights, low, high)


class Way(NamedTuple):
    """The straight line from one set of margins to another."""

    start: Floats  # (3, K)
    end: Floats  # (3, K)
    move: Floats  # (3, K)

    @classmethod
    def between(cls, start: Floats, end: Floats) -> Way:
        """Return the line; margins equal at both ends, also infinite ones, do not move."""
        start, end = (np.ascontiguousarray(margins, np.float64) for margins in (start, end))
        move, finite = _move(start, end)
        if not finite:
            raise ModelError(f"margins must be finite, or infinite at both ends, however: {end}")
        return cls(start, end, move)

    def margins(self) -> Floats:
        """Return (12, 3, K): both ends, and the nodes of the whole way."""
        margins = _along(self.start, self.move, _both_ends_and_nodes())
        margins[1] = self.end
        return margins

    def at(self, positions: Floats) -> Floats:
        """Return the margins (positions, 3, K) at positions in [0, 1]."""
        return _along(self.start, self.move, positions)

    def piece(self, low: float, high: float, figures: tuple[float, float], slopes: Floats) -> Piece:
        """Return a piece, of which the figures at its ends and the slopes at its nodes are known.

        Args:
            low: where it begins, in [0, 1].
            high: where it ends.
            figures: at both.
            slopes: (nodes, 3, K).
        """
        weights, explained = _integral((high - low) * _rule()[1], slopes, self.move)
        return Piece(low, high, weights, figures[1] - figures[0] - explained)


def _cut(instrument: Instrument, way: Way, at: tuple[float, ...]) -> Iterator[Piece]:
    """Yield the pieces between neighbouring positions."""
    figures = instrument.figures(way.at(np.array(at))).tolist()
    nodes, _ = _rule()
    for i in range(len(at) - 1):
        between = at[i] + (at[i + 1] - at[i]) * nodes
        _, slopes = instrument.gradients(way.at(between))
        yield way.piece(at[i], at[i + 1], (figures[i], figures[i + 1]), slopes)


@njit(cache=True)
def _move(start: Floats, end: Floats) -> tuple[Floats, bool]:
    """Return end - start, nil where they are equal, and whether all of it is finite."""
    move = np.zeros(start.shape)
    finite = True
    for i in range(start.shape[0]):
        for j in range(start.shape[1]):
            if start[i, j] != end[i, j]:
                move[i, j] = end[i, j] - start[i, j]
                finite &= math.isfinite(move[i, j])
    return move, finite


@njit(cache=True)
def _along(start: Floats, move: Floats, at: Floats) -> Floats:
    """Return the margins (positions, 3, K) at positions on the line."""
    out = np.empty((len(at), *start.shape))
    for n in range(len(at)):
        for i in range(start.shape[0]):
            for j in range(start.shape[1]):
                out[n, i, j] = start[i, j] + at[n] * move[i, j]
    return out


@njit(cache=True)
def _integral(shares: Floats, slopes: Floats, move: Floats) -> tuple[Floats, float]:
    """Return the weighted sum of slopes (nodes, 3, K), and what it makes of the move."""
    weights = np.zeros(move.shape)
    explained = 0.0
    for i in range(move.shape[0]):
        for j in range(move.shape[1]):
            for n in range(len(shares)):
                weights[i, j] += shares[n] * slopes[n, i, j]
            explained += weights[i, j] * move[i, j]
    return weights, explained


@cache
def _rule() -> tuple[Floats, Floats]:
    """Return the nodes and weights of Gauss-Legendre on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return (nodes + 1) / 2, weights / 2


@cache
def _both_ends_and_nodes() -> Floats:
    """Return 0, 1 and the nodes."""
    return np.concatenate([[0.0, 1.0], _rule()[0]])
