"""What may be said of a probability of default where few firms, or none, have failed so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy  # whose parts load when they are asked for

from pricing.entry import Entry
from pricing.errors import Fault, InputError

FIELD = "policy.thin_data"
MOST_FLOOR_PD = 0.2  # far above it Basel's charge falls with the risk, and nobody would lend


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
        1.0
        if defaults == firms
        else float(scipy.special.betaincinv(defaults + 1, firms - defaults, confidence))
    )


@dataclass(frozen=True)
class ThinData:
    """How many firms a lender has seen for a year, and how many of them failed."""

    firms: int
    defaults: int
    confidence: float

    @property
    def floor_pd(self) -> float:
        """Return the least PD within 12 months, see `upper_bound`."""
        return upper_bound(firms=self.firms, defaults=self.defaults, confidence=self.confidence)


def read(given: object) -> tuple[ThinData | None, list[Fault]]:
    """Return the section `[thin_data]` of a policy's TOML, None where there is none.

    >>> read({"firms": 500, "defaults": 0, "confidence": 0.75})[0].floor_pd.__round__(8)
    0.00276875
    """
    if given is None:
        return None, []
    if not isinstance(given, Mapping):
        return None, [Fault(FIELD, "a table of firms, defaults, confidence", repr(given))]
    faults: list[Fault] = []
    entry = Entry(given, FIELD, faults)
    firms, defaults = entry.number("firms", 1, 1e9), entry.number("defaults", 0, 1e9)
    confidence = entry.number("confidence", 0.01, 0.9999)
    for name, number in (("firms", firms), ("defaults", defaults)):
        if number is not None and not number.is_integer():
            entry.fault(name, "a whole number", number)
    if firms is not None and defaults is not None and defaults >= firms:
        entry.fault("defaults", f"below firms={firms:g}", f"{defaults:g}")
    entry.close()
    if faults or firms is None or defaults is None or confidence is None:
        return None, faults
    thin = ThinData(int(firms), int(defaults), confidence)
    if thin.floor_pd > MOST_FLOOR_PD:
        expected = f"enough, for their defaults, to tell a PD of at most {MOST_FLOOR_PD:g} a year"
        entry.fault("firms", expected, f"{firms:g}, which tell {thin.floor_pd:.4g}")
    return (None if faults else thin), faults


def _whole(given: object) -> bool:
    """Return whether it is a whole number; true and false are none."""
    return isinstance(given, int | np.integer) and not isinstance(given, bool)
