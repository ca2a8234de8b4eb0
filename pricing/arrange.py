"""A deal as it is priced: the instrument, and all that a policy and a request put around it."""

from __future__ import annotations

from collections.abc import Sequence

from pricing.credit import Credit
from pricing.deal import Deal
from pricing.errors import InputError
from pricing.feedback import FedBack
from pricing.ifrs9.provision import Provisioned
from pricing.instrument import Instrument
from pricing.policy import Policy
from pricing.prudence import Prudent
from pricing.support.supported import Support, Supported

HIGHEST_SPREAD_BPS = 10_000.0  # of a fixed point, under a policy without a cap


def arranged(
    deal: Deal, support: Support | None, policy: Policy, edges: Sequence[int]
) -> Instrument:
    """Return what a deal is priced by.

    Args:
        deal: what is asked.
        support: schemes and subsidies asked for, None for none.
        policy: whose feedback of the rate on the risk, where it has one, holds for all loans.
        edges: (K + 1,) months between age buckets.

    Raises:
        InputError: the terms or the support are not to be had; it names every field.
        PolicyError: the policy does not offer the instrument.
    """
    credit = deal.priced(policy, edges)
    if not isinstance(credit, Credit):
        return _alone(credit, deal, support)
    instrument = _lent(credit, deal, policy) if credit.funded else credit
    if policy.thin_data is not None:
        fed = instrument if isinstance(instrument, FedBack) else None
        instrument = Prudent(instrument, credit, policy.thin_data.floor_pd, fed)
    if support is None:
        return instrument
    if not credit.funded:
        return _alone(instrument, deal, support)
    return Supported.of(instrument, credit, deal.terms, policy, support)


def _lent(credit: Credit, deal: Deal, policy: Policy) -> Instrument:
    """Return a loan with its provisions, at the risk that its own rate brings about."""
    instrument: Instrument = credit
    if policy.scenarios:
        instrument = Provisioned(instrument, credit, deal.terms, policy.scenarios)
    if policy.feedback is not None:
        cap_bps = policy.spread_cap_bps
        highest_bps = HIGHEST_SPREAD_BPS if cap_bps is None else cap_bps
        instrument = FedBack(instrument, policy.feedback, highest_bps, policy.spread_floor_bps)
    return instrument


def _alone(instrument: Instrument, deal: Deal, support: Support | None) -> Instrument:
    """Return what nobody lends money for, and so nobody shares losses of or subsidises."""
    if support is not None:
        field = "scheme" if support.scheme is not None else "subsidy"
        raise InputError.of(f"instrument.{field}", f"left out for {deal.kind}", "given")
    return instrument
