"""What a spread does to the risk that it pays for: the price as a fixed point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing.errors import Fault
from pricing.fixed_point import Limits, smallest_of_rows
from pricing.instrument import Instrument, Price
from pricing.survival import DEFAULT

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIELD = "policy.feedback"
RANGES = {"log_hazard_per_point": (0.0, 1.0), "reference_spread_bps": (-10_000.0, 100_000.0)}
WIDTH_BPS = 0.01  # prices are published in hundredths: closer fixed points are the same price
TOLERANCE = 1e-13


@dataclass(frozen=True)
class Feedback:
    """How the log hazard of default moves with the spread: affordability, adverse selection.

    shift(s) = log_hazard_per_point (s - reference_spread_bps) / 100, added at every age
    """

    log_hazard_per_point: float  # for every 100 bp of spread, >= 0
    reference_spread_bps: float  # at which the model's hazards hold as they are

    def shift(self, spread_bps: Floats) -> Floats:
        """Return what a spread adds to the log hazard.

        >>> Feedback(0.08, 300.0).shift(np.array([300.0, 500.0])).tolist()
        [0.0, 0.16]
        """
        return self.per_bp * (spread_bps - self.reference_spread_bps)

    @property
    def per_bp(self) -> float:
        """Return the change of the log hazard for one basis point."""
        return self.log_hazard_per_point / 100


def read(given: object) -> tuple[Feedback | None, list[Fault]]:
    """Return the section `policy.feedback`, None where there is none, and all that is wrong."""
    if given is None:
        return None, []
    if not isinstance(given, Mapping):
        return None, [Fault(FIELD, f"a table of {', '.join(RANGES)}", repr(given))]
    faults = list(_faults(given))
    if faults:
        return None, faults
    return Feedback(**{name: float(given[name]) for name in RANGES}), []


def _faults(given: Mapping[str, object]) -> Iterator[Fault]:
    """Yield everything that is wrong with the section."""
    for name in given.keys() - RANGES.keys():
        yield Fault(f"{FIELD}.{name}", f"one of {', '.join(RANGES)}", name)
    for name, (low, high) in RANGES.items():
        value = given.get(name)
        number = math.nan if isinstance(value, bool) else value
        if not (isinstance(number, int | float) and low <= number <= high):
            shown = repr(value) if name in given else "missing"
            yield Fault(f"{FIELD}.{name}", f"a number from {low:g} to {high:g}", shown)


@dataclass(frozen=True, eq=False)
class FedBack:
    """An instrument whose spread s changes the hazards by which it is priced.

        s = g(m + shift(max(s, floor))) =: F(s)    m margins, shift on row DEFAULT, g the figure
        ds/dm = (∂g/∂m) / (1 - F'),  F' = log_hazard_per_point/100 Σ_k ∂g/∂m[DEFAULT, k]

    both at the shifted margins; the second is the implicit function theorem. The client pays the
    policy's floor where s is below it, as where a commitment fee or a warrant pays for most of the
    risk; there F does not move, F' is nil, and s = F(floor) is at once the answer.

    More hazard costs more, and the shift rises with s, so F does not fall; the smallest s, which
    competition leaves, is climbed to from min(floor, F(floor)): F is F(floor) up to the floor, so
    that no fixed point is lower, and the start lies at or below its image, whatever g is. Where
    more hazard would cost less (far beyond 20 % a year Basel's charge for the unexpected falls; a
    warrant that outweighs the loss is worth more a year to a shorter life), or where no stable s
    is below the cap, there is no viable price, and PolicyError says so.

    Without feedback it is the instrument itself, beyond the cap too.

    Source: Stiglitz & Weiss (1981), Credit Rationing in Markets with Imperfect Information, for
    the effect; that the log hazard moves in a straight line with the spread is a choice.
    """

    instrument: Instrument
    feedback: Feedback
    cap_bps: float  # highest spread at which a price counts as viable
    floor_bps: float  # lowest spread that a client pays

    def figures(self, margins: Floats) -> Floats:
        """Return (rows,) the smallest spread in bp that pays for the risk at that spread."""
        if not self.feedback.per_bp:
            return self.instrument.figures(margins)
        floor_bps = np.full(len(margins), self.floor_bps)
        at_floor = self.instrument.figures(self._shifted(margins, floor_bps))
        return self._climbed(margins, np.minimum(floor_bps, at_floor))

    def at_least(self, margins: Floats, spread_bps: float) -> float:
        """Return the smallest spread from a given one on that pays for the risk that it makes.

        It is the given one where that pays for more, which a lender may ask for.
        """
        rows, start = margins[None], np.array([spread_bps])
        if float(self.instrument.figures(self._shifted(rows, start))[0]) <= spread_bps:
            return spread_bps
        return float(self._climbed(rows, start)[0])

    def _climbed(self, margins: Floats, start: Floats) -> Floats:
        """Return (rows,) the smallest fixed points of F from start (rows,) on."""

        def image(spread_bps: Floats, rows: Ints) -> Floats:
            return self.instrument.figures(self._shifted(margins[rows], spread_bps))

        limits = Limits(cap=self.cap_bps, width=WIDTH_BPS, tolerance=TOLERANCE, unit=" bp")
        return smallest_of_rows(image, start=start, limits=limits)

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return (rows,) the spreads and (rows, 3, K) their derivatives by every margin."""
        if not self.feedback.per_bp:
            return self.instrument.gradients(margins)
        spread_bps = self.figures(margins)
        _, slopes = self.instrument.gradients(self._shifted(margins, spread_bps))
        by_spread = self.feedback.per_bp * slopes[:, DEFAULT].sum(axis=1)  # (rows,) F'
        by_spread *= spread_bps > self.floor_bps
        return spread_bps, slopes / (1 - by_spread)[:, None, None]

    def kinks(self, start: Floats, move: Floats) -> Sequence[float]:
        """Return the instrument's kinks where nothing feeds back, else none: a path finds them.

        The shift bends the line on which the instrument would be asked; the floor is one as well.
        """
        return () if self.feedback.per_bp else self.instrument.kinks(start, move)

    def pds(self, margins: Floats) -> Floats:
        """Return (rows,) the probabilities of default at the hazards of their own spreads."""
        if not self.feedback.per_bp:
            return self.instrument.pds(margins)
        return self.instrument.pds(self._shifted(margins, self.figures(margins)))

    def price(self, margins: Floats) -> Price:
        """Return the instrument's price of margins (3, K) at the hazards of its own spread."""
        if not self.feedback.per_bp:
            return self.instrument.price(margins)
        rows = margins[None]
        return self.instrument.price(self._shifted(rows, self.figures(rows))[0])

    def _shifted(self, margins: Floats, spread_bps: Floats) -> Floats:
        """Return margins (rows, 3, K) as they are at spreads (rows,), but at the floor or above."""
        shifted = np.array(margins, np.float64)
        paid_bps = np.maximum(spread_bps, self.floor_bps)
        shifted[:, DEFAULT] += self.feedback.shift(paid_bps)[:, None]
        return shifted
