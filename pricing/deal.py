"""What a client asks to be priced, before any policy or model has been asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pricing.instrument import Instrument
from pricing.policy import Policy
from pricing.schedule import Terms


class Deal(Protocol):
    """An instrument on its terms; one that makes no sense cannot be made."""

    @property
    def kind(self) -> str:
        """Return the name of the instrument, as a request gives it."""

    @property
    def terms(self) -> Terms:
        """Return the amount and its course over time, which a model's columns may read."""

    def priced(self, policy: Policy, edges: Sequence[int]) -> Instrument:
        """Return the instrument under a policy, for margins on these age buckets.

        Raises:
            InputError: the policy or the ages forbid such terms; it names every field at fault.
            PolicyError: the policy does not offer the instrument.
        """
