"""What may be said of a probability of default where few firms, or none, have failed so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from pricing.errors import Fault, InputError
from pricing.ifrs9.cycle import YEAR, shift
from pricing.survival import curves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def upper_bound(*, firms: int, defaults: int, confidence: float) -> float:
    """Return the largest PD with which as few defaults are not yet a surprise.

    It is the p at which d defaults or fewer among n firms have the probability 1 - γ:

        Σ_{k<=d} C(n,k) p^k (1-p)^(n-k) = 1 - γ        =>        p = BetaQuantile(γ; d+1, n-d)

    Defaults are taken to be independent; firms that fall together would raise the bound.

    Args:
        firms: n, seen for the whole period that the PD speaks of; at least 1.
        defaults: d, from 0 to n. Where all firms have failed, the bound is 1.
        confidence: γ, in (0, 1).

    Source: Pluto & Tasche, "Estimating probabilities of default for low default portfolios"
    (2005), sections 2 and 3, for a single grade; it is the bound of Clopper & Pearson.

    >>> round(upper_bound(firms=500, defaults=0, confidence=0.95), 8)
    0.00597355
    """
    faults = [
        Fault(name, expected, repr(given))
        for name, expected, given, sound in (
            ("firms", "a whole number from 1", firms, _whole(firms) and firms >= 1),
            (
                "defaults",
                f"a whole number from 0 to {firms=}",
                defaults,
                _whole(defaults) and 0 <= defaults <= firms,
            ),
            ("confidence", "in (0, 1)", confidence, 0 < confidence < 1),
        )
        if not sound
    ]
    if faults:
        raise InputError(faults)
    return (
        1.0 if defaults == firms else float(betaincinv(defaults + 1, firms - defaults, confidence))
    )


def loading(margins: Floats, edges: Sequence[int] | Ints, *, floor_pd: float) -> float:
    """Return the shift of the log hazard of default that lifts the 12-month PD to a floor.

    It is nil where the PD is at the floor or above: the loading only ever adds prudence.

    Args:
        margins: (3, K).
        edges: (K + 1,) months.
        floor_pd: least PD within 12 months, in [0, 1), as `upper_bound` returns it.
    """
    if not 0 <= floor_pd < 1:
        raise InputError.of("floor_pd", "in [0, 1)", floor_pd)
    if curves(margins, edges, YEAR).default[-1] >= floor_pd:
        return 0.0
    return max(0.0, shift(margins, edges, target_pd=floor_pd))


def _whole(given: object) -> bool:
    """Return whether it is a whole number; true and false are none."""
    return isinstance(given, int | np.integer) and not isinstance(given, bool)
