"""The loan for a merger or an acquisition: a term loan within what the policy lets it finance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pricing.credit import Credit, usual
from pricing.errors import Fault, InputError
from pricing.legs import loan_legs
from pricing.offers import Acquisition, offered
from pricing.policy import Policy
from pricing.schedule import Terms


@dataclass(frozen=True, slots=True)
class MaLoan:
    """A loan that pays for part of a deal; whether it brings control decides which bounds hold.

    >>> MaLoan(Terms(7e6, 84, "linear"), deal_value=1e7, controlling=True).share
    0.7
    """

    terms: Terms
    deal_value: float  # in currency
    controlling: bool
    kind: ClassVar[str] = "ma_loan"

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not self.terms.amount <= self.deal_value < float("inf"):
            expected = f"at least the amount of {self.terms.amount:.15g}"
            raise InputError.of("instrument.deal_value", expected, self.deal_value)

    @property
    def share(self) -> float:
        """Return the part of the deal that the loan pays for."""
        return self.terms.amount / self.deal_value

    def priced(self, policy: Policy, edges: Sequence[int]) -> Credit:
        """Return the loan under a policy; see `Deal.priced`."""
        offer = offered(policy.offers.ma_loan, self.kind)
        bounds = offer.controlling if self.controlling else offer.minority
        if faults := [*self._beyond(bounds)]:
            raise InputError(faults)
        legs = loan_legs(self.terms, policy, tuple(edges))
        return Credit(legs, policy, edges, self.terms.term_months, usual(policy))

    def _beyond(self, bounds: Acquisition) -> Iterator[Fault]:
        """Yield which of the policy's bounds are crossed."""
        of = "that brings control" if self.controlling else "of a minority"
        if self.share > bounds.largest_share:
            most = f"{bounds.largest_share:.12g} of deal_value in an acquisition {of}"
            yield Fault("terms.amount", f"at most {most}", f"{self.share:.6g} of it")
        if self.terms.term_months > bounds.longest_months:
            expected = f"at most {bounds.longest_months} in an acquisition {of}"
            yield Fault("terms.term_months", expected, str(self.terms.term_months))
