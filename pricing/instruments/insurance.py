"""Technology insurance: the premium of a cover whose claims follow the project's own hazard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from pricing.credit import Credit
from pricing.errors import InputError, PolicyError
from pricing.legs import changed, loan_legs
from pricing.offers import Cover
from pricing.policy import Policy
from pricing.schedule import Terms


@dataclass(frozen=True, slots=True)
class Insurance:
    """A cover over a term, for an annual premium in bp of the sum insured.

        premium = frequency x severity (1 + safety loading) / (1 - expense ratio)

    The frequency is that of default on the survival curve, times the policy's claims for one
    default; the severity is the policy's share of the sum insured, or the loss given default for a
    cover that pays a lender's loss; both less the deductible. So with q claims for one default,

        ρ = q (1 - deductible) or φ = q severity (1 - deductible),   γ = (1 + θ) / (1 - ε)

    Source: the expected value principle with expenses, Klugman, Panjer & Willmot, Loss Models.

    >>> Insurance(Terms(1e6, 24, "bullet", payment_months=12), cover="rd_failure").kind
    'insurance'
    """

    terms: Terms  # the amount is the sum insured; bullet
    cover: str  # one that the policy names
    deductible: float = 0.0  # share of every claim that the insured bears
    kind: ClassVar[str] = "insurance"

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.terms.repayment != "bullet":
            expected = "bullet, as the sum insured stays as it is"
            raise InputError.of("instrument.repayment", expected, self.terms.repayment)
        if not 0 <= self.deductible < 1:
            raise InputError.of("instrument.deductible", "in [0, 1)", self.deductible)

    def priced(self, policy: Policy, edges: Sequence[int]) -> Credit:
        """Return the cover under a policy; see `Deal.priced`."""
        cover = self._cover(policy)
        kept = cover.claims_per_default * (1 - self.deductible)
        gross = (1 + cover.safety_loading) / (1 - cover.expense_ratio)
        legs = changed(
            loan_legs(self.terms, policy, tuple(edges)),
            risk=kept if cover.severity is None else 0.0,
            fixed=0.0 if cover.severity is None else kept * cover.severity,
            capital=0.0,
            loadings_bps=0.0,
            gross=gross,
        )
        losses = (
            ("expected_claims", 1 / gross),
            ("safety_loading", cover.safety_loading / gross),
            ("expenses", cover.expense_ratio),
        )
        return Credit(
            legs,
            policy,
            edges,
            self.terms.term_months,
            (),
            figure="premium_bps",
            funded=False,
            losses=losses,
        )

    def _cover(self, policy: Policy) -> Cover:
        covers = policy.offers.insurance
        if not covers:
            raise PolicyError("the policy offers no insurance: it has no section [insurance.…]")
        if self.cover not in covers:
            expected = f"one of {', '.join(covers)}"
            raise InputError.of("instrument.cover", expected, self.cover)
        cover = covers[self.cover]
        if self.terms.term_months > cover.longest_months:
            expected = f"at most {cover.longest_months}, the policy's longest {self.cover}"
            raise InputError.of("terms.term_months", expected, self.terms.term_months)
        return cover
