"""A loading for thin data: a floor of PD from the few firms that a lender has seen so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing import thin_data
from pricing.entry import Entry
from pricing.errors import Fault
from pricing.ifrs9.cycle import moved
from pricing.instrument import Around, Line, Part, Price

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIELD = "policy.thin_data"


@dataclass(frozen=True)
class ThinData:
    """How many firms a lender has seen for a year, and how many of them failed."""

    firms: int
    defaults: int
    confidence: float

    @property
    def floor_pd(self) -> float:
        """Return the least PD within 12 months, see `thin_data.upper_bound`."""
        return thin_data.upper_bound(
            firms=self.firms, defaults=self.defaults, confidence=self.confidence
        )


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
    if firms is not None and defaults is not None and defaults > firms:
        entry.fault("defaults", f"at most firms={firms:g}", defaults)
    entry.close()
    if faults or firms is None or defaults is None or confidence is None:
        return None, faults
    return ThinData(int(firms), int(defaults), confidence), []


@dataclass(frozen=True, eq=False)
class Prudent(Around):
    """An instrument whose PD within 12 months is charged for as if it were at least a floor.

    The figure that columns explain stays as it is; what the floor adds is a line of its own:

        thin_data = g(margins with the log hazard lifted to the floor) - g(margins)
    """

    edges: Sequence[int] | Ints
    floor_pd: float

    def price(self, margins: Floats) -> Price:
        """Return the price of margins (3, K) with the loading."""
        price = self.instrument.price(margins)
        by = thin_data.loading(margins, self.edges, floor_pd=self.floor_pd)
        lifted = float(self.instrument.figures(moved(margins, by)[None])[0])
        return price.with_lines([Line("thin_data", lifted - price.figure_bps, Part.APART)])
