"""Probabilities of default through the cycle and at a point of it, and curves that move between."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # whose parts load when they are asked for
from numpy.typing import NDArray

from pricing.entry import Entry
from pricing.errors import Fault, InputError
from pricing.survival import DEFAULT, curves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIELD = "policy.cycle"
MOST_Z = 5.0  # standard deviations
YEAR = 12  # months
LARGEST_SHIFT = 600.0  # beyond it a hazard overflows, or is nil

PdOf = Callable[[Floats], float]  # a probability of default, of margins (3, K)


def point_in_time(*, pd: float, z: float, correlation: float) -> float:
    """Return the probability of default in a year whose state of the economy is known.

        PD(Z) = N((G(PD) - sqrt(ρ) Z) / sqrt(1-ρ))

    The mean of PD(Z) over all years is PD; a plain year, Z = 0, lies below it.

    Args:
        pd: probability of default through the cycle, in [0, 1].
        z: Z, the common factor in standard deviations; good years are positive.
        correlation: ρ, of the firms' assets with each other, in (0, 1).

    Source: Vasicek, "Loan portfolio value", Risk (December 2002).

    >>> round(point_in_time(pd=0.02, z=-1.0, correlation=0.12), 7)
    0.0343773
    """
    _check(pd=pd, z=z, correlation=correlation)
    return float(
        scipy.special.ndtr(
            (scipy.special.ndtri(pd) - math.sqrt(correlation) * z) / math.sqrt(1 - correlation)
        )
    )


def through_the_cycle(*, pd: float, z: float, correlation: float) -> float:
    """Return the probability of default through the cycle that a year in state Z has shown.

        PD = N(sqrt(1-ρ) G(PD(Z)) + sqrt(ρ) Z), the inverse of `point_in_time`

    Args:
        pd: probability of default in that year, in [0, 1].
        z: Z, the common factor of that year.
        correlation: ρ, in (0, 1).

    >>> round(through_the_cycle(pd=0.0343773, z=-1.0, correlation=0.12), 6)
    0.02
    """
    _check(pd=pd, z=z, correlation=correlation)
    return float(
        scipy.special.ndtr(
            math.sqrt(1 - correlation) * scipy.special.ndtri(pd) + math.sqrt(correlation) * z
        )
    )


def moved(margins: Floats, log_hazard_shift: float) -> Floats:
    """Return (..., 3, K) margins whose log hazard of default is shifted at every age.

    >>> moved(np.zeros((3, 1)), 0.5).ravel().tolist()
    [0.5, 0.0, 0.0]
    """
    out = np.array(margins, np.float64)
    out[..., DEFAULT, :] += log_hazard_shift
    return out


def default_within(edges: Sequence[int] | Ints, months: int = YEAR) -> PdOf:
    """Return what says the PD within so many months, or all that are left, of margins alone."""
    horizon = min(months, int(edges[-1]))
    return lambda margins: float(curves(margins, edges, horizon).default[-1])


def reaching(pd: PdOf, margins: Floats, target_pd: float) -> float:
    """Return the shift of the log hazard of default that moves a PD to a target.

    With the shift the PD rises from nil to one, so that there is one root, found by Brent's method.

    Args:
        pd: the PD that is meant; it rises with the hazard from nil to one.
        margins: (3, K).
        target_pd: in (0, 1).

    Raises:
        InputError: the target is not within reach, as when no default is possible at all.

    >>> flat = np.array([[math.log(0.01)], [-math.inf], [0.0]])
    >>> by = reaching(default_within((0, 12)), flat, 1 - math.exp(-0.24))
    >>> round(by, 12) == round(math.log(2), 12)
    True
    """
    if not 0 < target_pd < 1:
        raise InputError.of("target_pd", "in (0, 1)", target_pd)

    def gap(by: float) -> float:
        return pd(moved(margins, by)) - target_pd

    low, high = _bracket(gap)
    if not gap(low) <= 0 <= gap(high):
        expected = "a probability that a shift of the hazard can reach"
        raise InputError.of("target_pd", expected, target_pd)
    return float(scipy.optimize.brentq(gap, low, high, xtol=1e-14, rtol=1e-14, maxiter=500))


@dataclass(frozen=True)
class Cycle:
    """Where the economy stands: a policy's `[cycle]`, by which scenarios may name its states."""

    correlation: float  # ρ, of the firms' assets with each other
    z: float  # the state that the model's hazards speak of, 0 for a plain year

    def through(self, pd: float) -> float:
        """Return the PD of a year through the cycle, of one in today's state."""
        return through_the_cycle(pd=pd, z=self.z, correlation=self.correlation)

    def at(self, margins: Floats, pd: PdOf, *, z: float) -> Floats:
        """Return margins (3, K) moved so that their PD of a year is that of a year in state z.

        PD today -> through the cycle -> PD in state z, in standard deviations; good years are
        positive. The whole curve moves by one shift of the log hazard: what is known of later years
        is no more than what is known of the first. Who can never default, never will.

        Args:
            margins: (3, K).
            pd: says the PD of a year, with all that raises it, such as milestones ahead.
            z: the state.
        """
        through = self.through(pd(margins))
        target = point_in_time(pd=through, z=z, correlation=self.correlation)
        if not 0 < target < 1:
            return margins
        return moved(margins, reaching(pd, margins, target))


def read(given: object) -> tuple[Cycle | None, list[Fault]]:
    """Return the section `[cycle]` of a policy's TOML, None where there is none, and its faults.

    >>> read({"correlation": 0.12, "z": -0.5})[0]
    Cycle(correlation=0.12, z=-0.5)
    """
    if given is None:
        return None, []
    if not isinstance(given, Mapping):
        return None, [Fault(FIELD, "a table of correlation, z", repr(given))]
    entry = Entry(given, FIELD)
    correlation, z = entry.number("correlation", 1e-6, 0.999), entry.number("z", -MOST_Z, MOST_Z)
    entry.close()
    if correlation is None or z is None:
        return None, entry.faults
    return Cycle(correlation, z), entry.faults


def _bracket(gap: Callable[[float], float]) -> tuple[float, float]:
    """Return an interval around nil, doubled until the gap changes its sign or no room is left."""
    toward = -1.0 if gap(0.0) > 0 else 1.0
    near, far = 0.0, 1.0
    while far < LARGEST_SHIFT and gap(toward * far) * toward < 0:
        near, far = far, min(2 * far, LARGEST_SHIFT)
    low, high = sorted((toward * near, toward * far))
    return low, high


def _check(*, pd: float, z: float, correlation: float) -> None:
    """Raise every fault of the numbers at once."""
    faults = [
        Fault(name, expected, repr(given))
        for name, expected, given, sound in (
            ("pd", "in [0, 1]", pd, 0 <= pd <= 1),
            ("z", "a finite number", z, math.isfinite(z)),
            ("correlation", "in (0, 1)", correlation, 0 < correlation < 1),
        )
        if not sound
    ]
    if faults:
        raise InputError(faults)
