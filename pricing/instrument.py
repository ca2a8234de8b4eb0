"""What can be priced and explained: a figure in basis points, its gradient, and the whole price."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pricing.survival import Curves

Floats = NDArray[np.float64]


class Part(Enum):
    """What a line of a waterfall is to the figure that is explained."""

    WITHIN = "within"  # of the figure, so the columns explain it
    APART = "apart"  # of what is charged, but no column's doing: a floor, a scheme, a subsidy
    BESIDE = "beside"  # not of the figure at all: the cost of funds


class Line(NamedTuple):
    """One line of a waterfall."""

    name: str
    bps: float
    part: Part = Part.WITHIN


class Leg(NamedTuple):
    """What one payer pays, in the unit of what is shared: currency, or basis points."""

    payer: str
    role: str
    amount: float


class Price(NamedTuple):
    """What a client is quoted, and of what it is made."""

    figure: str  # its name, as "spread_bps"
    figure_bps: float  # what is explained: the lines within
    charged_bps: float  # with the lines apart: floor or cap, scheme, subsidy
    waterfall: tuple[
        Line, ...
    ]  # the lines within add up to the figure, with those apart to charged
    pd: Mapping[str, float]  # of default by month "12", "36", "60", or by the term's end if sooner
    annual_pd: float  # of the borrower's default within 12 months, however short the term
    lgd: float  # the borrower's mean loss given default, over what is outstanding at default
    maturity_years: float  # weighted average life of what is outstanding
    curves: Curves  # month by month, to the end of the term
    margins: Floats  # (3, K) of the price: with what the rate does to the risk
    details: Mapping[str, Any] = MappingProxyType({})  # what only this instrument has to say
    clip: Callable[[float], float] | None = None  # floor and cap, where the policy sets them
    payers: tuple[Leg, ...] = ()  # of the expected loss in bp, where others share it

    @property
    def rate(self) -> float:
        """Return all lines together, annual and as a fraction: for a loan, funding + spread."""
        return 1e-4 * (
            self.charged_bps + sum(x.bps for x in self.waterfall if x.part is Part.BESIDE)
        )

    def with_lines(self, lines: Iterable[Line]) -> Price:
        """Return the price with more lines apart; floor and cap then hold for all of it."""
        kept = [line for line in self.waterfall if line.name != "floor_cap"]
        kept += lines
        net_bps = self.figure_bps + sum(line.bps for line in kept if line.part is Part.APART)
        charged_bps = net_bps if self.clip is None else self.clip(net_bps)
        if self.clip is not None:
            kept.append(Line("floor_cap", charged_bps - net_bps, Part.APART))
        return self._replace(charged_bps=charged_bps, waterfall=tuple(kept))


class Instrument(Protocol):
    """Anything whose price is a smooth function of a project's margins, but for a few kinks."""

    def figures(self, margins: Floats) -> Floats:
        """Return (rows,) the figure explained, in bp, of margins (rows, 3, K)."""

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return (rows,) the figures and (rows, 3, K) their derivatives by every margin."""

    def kinks(self, start: Floats, move: Floats) -> Sequence[float]:
        """Return where, at start + s move (3, K) with s in (0, 1), the gradient jumps."""

    def pds(self, margins: Floats) -> Floats:
        """Return (rows,) the probability of default within the term, of margins (rows, 3, K)."""

    def price(self, margins: Floats) -> Price:
        """Return the price of margins (3, K)."""


@dataclass(frozen=True, eq=False)
class Around(ABC):
    """What is put around an instrument: its figure stays, and only the price says more."""

    instrument: Instrument

    @abstractmethod
    def told(self, price: Price, margins: Floats) -> Price:
        """Return the instrument's price of margins (3, K), with what there is to say."""

    def price(self, margins: Floats) -> Price:
        """Return the price of margins (3, K)."""
        return self.told(self.instrument.price(margins), margins)

    def figures(self, margins: Floats) -> Floats:
        """Return (rows,) the instrument's figure in bp, of margins (rows, 3, K)."""
        return self.instrument.figures(margins)

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return (rows,) the figures and (rows, 3, K) their derivatives by every margin."""
        return self.instrument.gradients(margins)

    def kinks(self, start: Floats, move: Floats) -> Sequence[float]:
        """Return the instrument's kinks."""
        return self.instrument.kinks(start, move)

    def pds(self, margins: Floats) -> Floats:
        """Return (rows,) the instrument's probability of default within the term."""
        return self.instrument.pds(margins)
