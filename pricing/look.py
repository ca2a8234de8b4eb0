"""All that a quote asks of an instrument: its price, the path to it, the ends of its interval.

A credit answers it all with one walk over its legs. What is put around it only says more of the
price; any other instrument is asked one thing after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pricing.credit import Credit
from pricing.errors import PolicyError
from pricing.instrument import Around, Instrument, Price
from pricing.kernels import FIGURE
from pricing.path import Path, Way, path_along, path_weights

Floats = NDArray[np.float64]
Pair = tuple[float | None, float | None]  # at the safer and the riskier end


class Ends(NamedTuple):
    """A quote at two sets of margins; None where there is no viable price at one."""

    bps: Pair  # the figure explained, unclipped
    pd: Pair  # of default within the term


class Look(NamedTuple):
    """What a quote is made of."""

    price: Price
    path: Path  # of the figure, from the start to the price
    ends: Ends


class Priced(Protocol):
    """What the ends of an interval ask of an instrument."""

    def figures(self, margins: Floats) -> Floats:
        """Return (rows,) the unclipped figure in bp, of margins (rows, 3, K)."""

    def pds(self, margins: Floats) -> Floats:
        """Return (rows,) the probability of default within the term."""


def look(instrument: Instrument, start: Floats, at: Floats, ends: Floats) -> Look:
    """Return the price of margins, the path to them, and what the ends of the interval cost.

    Args:
        instrument: what is priced.
        start: (3, K) margins at which the path begins.
        at: (3, K) margins of the project.
        ends: (2, 3, K) margins of the project at the safer and at the riskier end.
    """
    if isinstance(instrument, Around):
        inside = look(instrument.instrument, start, at, ends)
        return inside._replace(price=instrument.told(inside.price, at))
    if isinstance(instrument, Credit):
        return _by_one_walk(instrument, Way.between(start, at), ends)
    price, path = instrument.price(at), path_weights(instrument, start, at)
    return Look(price, path, ends_of(instrument, ends))


def _by_one_walk(credit: Credit, way: Way, ends: Floats) -> Look:
    parts, slopes = credit.walked(np.concatenate([way.margins(), ends]))
    price = credit.told(way.end, parts[1].tolist())
    figures = parts[:, FIGURE]
    path = path_along(credit, way, figures, slopes[:-2])
    low, high = figures[-2:].tolist()
    safer, riskier = credit.pds(ends).tolist()
    return Look(price, path, Ends((low, high), (safer, riskier)))


def ends_of(instrument: Priced, ends: Floats) -> Ends:
    """Return what an instrument is worth at both ends (2, 3, K) of an interval."""
    return Ends(_both(instrument.figures, ends), _both(instrument.pds, ends))


def _both(measure: Callable[[Floats], Floats], ends: Floats) -> Pair:
    try:
        low, high = measure(ends).tolist()
    except PolicyError:
        return _alone(measure, ends[:1]), _alone(measure, ends[1:])
    return low, high


def _alone(measure: Callable[[Floats], Floats], end: Floats) -> float | None:
    try:
        return float(measure(end)[0])
    except PolicyError:
        return None
