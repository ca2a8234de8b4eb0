"""The revolving line: drawn and repaid at will, so that more is drawn where things go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pricing.credit import Credit, Drawing, usual
from pricing.errors import Fault, InputError
from pricing.legs import changed, loan_legs
from pricing.offers import offered
from pricing.policy import Policy
from pricing.schedule import Terms


@dataclass(frozen=True, slots=True)
class RevolvingLine:
    """A limit of which a share u is drawn on average; the spread is on what is drawn.

    At a default a share c of the undrawn part has been drawn as well, the policy's conversion
    factor, so for one unit drawn

        ρ = x = (u + c (1 - u)) / u,      spread = cost of the loss and capital on ρ - fee (1 - u)/u

    where the fee is what the client pays on the undrawn part.

    Source: exposure at default by a credit conversion factor, Basel Committee, CRE32.26 ff.

    >>> RevolvingLine(Terms(1e6, 12, "bullet"), utilisation=0.4, commitment_fee_bps=25.0).kind
    'revolving_line'
    """

    terms: Terms  # the amount is the limit; bullet
    utilisation: float  # u, in (0, 1]
    commitment_fee_bps: float = 0.0  # a year, on the undrawn part
    kind: ClassVar[str] = "revolving_line"

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if faults := [*_faults(self)]:
            raise InputError(faults)

    def priced(self, policy: Policy, edges: Sequence[int]) -> Credit:
        """Return the line under a policy; see `Deal.priced`."""
        offer = offered(policy.offers.revolving_line, self.kind)
        if self.terms.term_months > offer.longest_months:
            expected = f"at most {offer.longest_months}, the policy's longest line"
            raise InputError.of("terms.term_months", expected, self.terms.term_months)
        undrawn = (1 - self.utilisation) / self.utilisation
        exposure = 1 + offer.conversion_factor * undrawn
        loadings = (*usual(policy), ("commitment_fee", -self.commitment_fee_bps * undrawn))
        legs = changed(
            loan_legs(self.terms, policy, tuple(edges)),
            risk=exposure,
            capital=exposure,
            loadings_bps=sum(bps for _, bps in loadings),
        )
        drawn = (Drawing(1.0, np.full(self.terms.periods, self.utilisation)),)
        return Credit(legs, policy, edges, self.terms.term_months, loadings, drawings=drawn)


def _faults(line: RevolvingLine) -> Iterator[Fault]:
    """Yield everything that is wrong with the terms."""
    if line.terms.repayment != "bullet":
        yield Fault(
            "instrument.repayment", "bullet, as a line is repaid at will", line.terms.repayment
        )
    if not 0 < line.utilisation <= 1:
        yield Fault("instrument.utilisation", "in (0, 1]", str(line.utilisation))
    if not 0 <= line.commitment_fee_bps <= 10_000:
        given = str(line.commitment_fee_bps)
        yield Fault("instrument.commitment_fee_bps", "from 0 to 10000", given)
