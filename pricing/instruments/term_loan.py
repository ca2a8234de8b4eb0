"""The term loan: the spread at which it pays for its losses, its capital and the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pricing.credit import Credit, usual
from pricing.legs import loan_legs
from pricing.policy import Policy
from pricing.schedule import Terms


@dataclass(frozen=True, slots=True)
class TermLoan:
    """A loan paid out at once and repaid as its terms say.

    All that is outstanding is at risk and pays: ρ = 1, φ = 0 in `legs.py`.
    """

    terms: Terms
    kind: ClassVar[str] = "term_loan"

    def priced(self, policy: Policy, edges: Sequence[int]) -> Credit:
        """Return the loan under a policy.

        Raises:
            InputError: the term is longer than the last age.
        """
        legs = loan_legs(self.terms, policy, tuple(edges))
        return Credit(legs, policy, edges, self.terms.term_months, usual(policy))
