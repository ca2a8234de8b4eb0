"""What a fund has returned over its whole life: multiples of what was paid in, and of a market."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricing.errors import Fault, InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fund:
    """A fund's cash flows, one entry a date, the last date being that of the judgement.

        DPI  = sum of D / sum of C
        TVPI = (sum of D + value) / sum of C
        PME  = (sum of D_t I_T / I_t + value) / sum of C_t I_T / I_t

    C is paid in, D is paid out, I is a market index and T the last date. A PME above 1 says that
    the investors got more than the index would have given them for the same payments. No single
    year of a fund, and no single project, says any of this.

    Attributes:
        called: (n,) C, in currency, at least 0; something must be called.
        distributed: (n,) D, likewise.
        index: (n,) I, with dividends reinvested, above 0.
        value: of what the fund still holds on the last date, at least 0.

    Source: Kaplan & Schoar (2005), Private Equity Performance, J. of Finance 60, for the PME.

    >>> fund = Fund(np.array([100.0, 50, 0]), np.array([0.0, 30, 150]), np.array([1.0, 1.1, 1.21]))
    >>> round(fund.dpi, 4), round(fund.pme, 4)
    (1.2, 1.0398)
    """

    called: Floats
    distributed: Floats
    index: Floats
    value: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            InputError: names every field that is wrong.
        """
        n = len(self.called)
        faults = [
            Fault(f"fund.{name}", expected, repr(given))
            for name, expected, given, sound in (
                ("called", "amounts from 0", self.called, _amounts(self.called)),
                ("called", "more than 0 in all", self.called, np.sum(self.called) > 0),
                ("distributed", f"{n} amounts from 0", self.distributed, self._of(n)),
                ("index", f"{n} levels above 0", self.index, self._levels(n)),
                ("value", "a number from 0", self.value, _amounts(np.array([self.value]))),
            )
            if not sound
        ]
        if faults:
            raise InputError(faults)

    @property
    def dpi(self) -> float:
        """Return distributions over what was paid in."""
        return float(self.distributed.sum() / self.called.sum())

    @property
    def tvpi(self) -> float:
        """Return distributions and value over what was paid in."""
        return float((self.distributed.sum() + self.value) / self.called.sum())

    @property
    def pme(self) -> float:
        """Return the public market equivalent of Kaplan and Schoar."""
        grown = self.index[-1] / self.index
        return float((self.distributed @ grown + self.value) / (self.called @ grown))

    def _of(self, n: int) -> bool:
        return len(self.distributed) == n and _amounts(self.distributed)

    def _levels(self, n: int) -> bool:
        return len(self.index) == n and bool((np.isfinite(self.index) & (self.index > 0)).all())


def _amounts(given: Floats) -> bool:
    return bool((np.isfinite(given) & (given >= 0)).all())
