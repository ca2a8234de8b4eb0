"""A deal as it is priced: the instrument, and all that a policy and a request put around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pricing.capital.raroc import Rewarded
from pricing.credit import Credit
from pricing.deal import Deal
from pricing.errors import Fault, InputError, gathered
from pricing.feedback import FedBack
from pricing.ifrs9.provision import Provisioned
from pricing.instrument import Instrument
from pricing.override import ANYONE
from pricing.policy import Policy
from pricing.prudence import Prudent
from pricing.support.supported import Support, Supported

HIGHEST_SPREAD_BPS = 10_000.0  # of a fixed point, under a policy without a cap
NONE: Mapping[str, float] = {}


def arranged(
    deal: Deal,
    support: Support | None,
    policy: Policy,
    edges: Sequence[int],
    overrides: Mapping[str, float] = NONE,
    caller: str = ANYONE,
) -> Instrument:
    """Return what a deal is priced by.

    Args:
        deal: what is asked.
        support: schemes and subsidies asked for, None for none.
        policy: whose feedback of the rate on the risk, where it has one, holds for all loans.
        edges: (K + 1,) months between age buckets.
        overrides: numbers of the policy that a caller asks to change; all of them are a lender's.
        caller: who asks, as the policy's bounds name them.

    Raises:
        InputError: the terms, the support or the overrides are not to be had; it names every field.
        PolicyError: the policy does not offer the instrument.
    """
    rules, faults = policy, list[Fault]()
    if overrides:
        with gathered(faults):
            rules = policy.overridden(overrides, caller=caller)
    with gathered(faults):
        priced = deal.priced(rules, edges)
    if faults:
        raise InputError(faults)
    if isinstance(priced, Credit) and priced.funded:
        return _lent(priced, deal, support, rules)
    _refuse(deal, support, overrides)
    if isinstance(priced, Credit) and rules.thin_data is not None:
        return Prudent(priced, priced, rules.thin_data.floor_pd, None)
    return priced


def _lent(credit: Credit, deal: Deal, support: Support | None, policy: Policy) -> Instrument:
    """Return a loan at the risk that its own rate brings about, with what it earns and costs."""
    instrument: Instrument = credit
    fed = None
    if policy.feedback is not None:
        cap_bps = policy.spread_cap_bps
        highest_bps = HIGHEST_SPREAD_BPS if cap_bps is None else cap_bps
        fed = FedBack(credit, policy.feedback, highest_bps, policy.spread_floor_bps)
        instrument = fed
    if policy.thin_data is not None:
        instrument = Prudent(instrument, credit, policy.thin_data.floor_pd, fed)
    scheme = None
    if support is not None:
        supported = Supported.of(instrument, credit, deal.terms, policy, support)
        instrument, scheme = supported, supported.scheme
    if policy.scenarios:
        tier = support.tier if support is not None else None
        instrument = Provisioned(instrument, credit, deal.terms, policy, scheme, tier)
    return Rewarded(instrument, policy)


def _refuse(deal: Deal, support: Support | None, overrides: Mapping[str, float]) -> None:
    """Refuse to share losses of, to subsidise, or to price as a lender, what nobody lends."""
    fields = [f"overrides.{name}" for name in overrides]
    if support is not None:
        fields.append(f"instrument.{'scheme' if support.scheme is not None else 'subsidy'}")
    if fields:
        raise InputError([Fault(name, f"left out for {deal.kind}", "given") for name in fields])
