"""Who pays for a loss, realised or expected, and what a scheme takes off the bank's price."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pricing.errors import Fault, InputError
from pricing.instrument import Leg
from pricing.support import pool
from pricing.support.scheme import BANK, Scheme


@dataclass(frozen=True)
class Relief:
    """What a scheme takes off the bank's price, in bp of the loan a year."""

    expected_loss_bps: float  # paid by others
    capital_bps: float  # saved on the covered share
    fee_bps: float  # what the scheme costs, at least 0

    @property
    def total_bps(self) -> float:
        """Return the reliefs less the fee: what the price falls by, or rises if negative."""
        return self.expected_loss_bps + self.capital_bps - self.fee_bps


def share_loss(
    scheme: Scheme, *, loss: float, exposure: float, tier: str | None
) -> tuple[Leg, ...]:
    """Return (payers,) what each pays of one loan's loss; the legs add up to it exactly.

    Whoever pays first losses pays up to their share of the exposure. Of what is left everybody
    pays their share, and the payer of the rest, or the last, what then remains. A cap on a whole
    pool says nothing about one loss.

    Args:
        scheme: a scheme that knows the tier.
        loss: at least 0, in currency.
        exposure: at default, in currency, at least the loss.
        tier: of the borrower.
    """
    if not 0 <= loss <= exposure < math.inf:
        expected = f"from 0 to the exposure of {exposure}"
        raise InputError.of("loss", expected, loss)
    first = min(loss, exposure * scheme.first_loss.share) if scheme.first_loss else 0.0
    parts = _parts(scheme, loss, first=first, tier=tier)
    closing = next((i for i, payer in enumerate(scheme.payers) if payer.share is None), -1)
    return _legs(scheme, _exactly(parts, loss, closing % len(parts)))


def share_expected_loss(
    scheme: Scheme,
    *,
    expected_loss_bps: float,
    lgd: float,
    tier: str | None,
    pool_relief: float,
) -> tuple[Leg, ...]:
    """Return (payers,) the expected loss that each bears, in bp; the legs add up to it exactly.

    Whoever is capped pays the effective part of the promise, and the bank keeps the remainder. A
    first loss of f of the exposure takes min(1, f / LGD) of the expected loss, as every default
    loses LGD.

    Args:
        scheme: a scheme that knows the tier.
        expected_loss_bps: at least 0.
        lgd: loss given default, in (0, 1], which only a first loss depends on.
        tier: of the borrower.
        pool_relief: the part of their promise that the capped pay, in [0, 1].
    """
    _check(expected_loss_bps=expected_loss_bps, lgd=lgd, pool_relief=pool_relief)
    first = min(1.0, scheme.first_loss.share / lgd) if scheme.first_loss else 0.0
    promised = _parts(scheme, expected_loss_bps, first=expected_loss_bps * first, tier=tier)
    paid = [
        part * pool_relief if payer.role in scheme.capped else part
        for payer, part in zip(scheme.payers, promised, strict=True)
    ]
    return _legs(scheme, _exactly(paid, expected_loss_bps, scheme.payers.index(scheme.bank)))


def pool_relief(scheme: Scheme, *, pd: float, lgd: float) -> float:
    """Return the part of their promise that the capped pay: E[min(L, a)] / E[L], 1 without a cap.

    On the basis of claims a pool advances the whole principal and the limit counts that, so LGD
    is 1 there.

    Args:
        scheme: the scheme, with its cap a and correlation.
        pd: probability of default over the period in which the cap counts.
        lgd: loss given default as a share of the exposure.
    """
    if scheme.compensation_cap is None or scheme.correlation is None:
        return 1.0
    return pool.effective_cover(
        limit=scheme.compensation_cap,
        pd=pd,
        lgd=1.0 if scheme.cap_basis == "claims" else lgd,
        correlation=scheme.correlation,
    )


def kept(scheme: Scheme, *, pd: float, lgd: float, tier: str | None) -> float:
    """Return the part of an expected loss that the bank bears, in [0, 1].

    Args:
        scheme: a scheme that knows the tier.
        pd: probability of default over the period in which a cap counts.
        lgd: loss given default; 0 where nothing can be lost, and then it decides nothing.
        tier: of the borrower.
    """
    lgd = lgd or 1.0
    paid = pool_relief(scheme, pd=pd, lgd=lgd)
    legs = share_expected_loss(scheme, expected_loss_bps=1.0, lgd=lgd, tier=tier, pool_relief=paid)
    return next(leg.amount for leg in legs if leg.role == BANK)


def relief(
    scheme: Scheme,
    *,
    expected_loss_bps: float,
    capital_bps: float,
    capital_scale_bps: float,
    lgd: float,
    tier: str | None,
    amount: float,
    pool_relief: float,
) -> Relief:
    """Return what the scheme takes off the bank's price: expected loss, capital, less its fee.

    The covered share g carries the risk weight of who covers it, where that is the lower one:

        capital after = (1-g) capital + g min(capital, scale RW/12.5)

    Of a cover that is capped only the part counts that the capped are expected to pay. One that is
    not recognised, with no risk weight in the scheme, saves no capital.

    Args:
        scheme: a scheme that knows the tier.
        expected_loss_bps: of the loan without the scheme.
        capital_bps: cost of the loan's capital without the scheme.
        capital_scale_bps: cost of a capital requirement of 1 on all that the capital is held for:
            `Policy.capital_scale_bps`, times what a line may draw for every unit drawn.
        lgd: loss given default, in (0, 1].
        tier: of the borrower.
        amount: of the loan in currency; the fee depends on it.
        pool_relief: the part of their promise that the capped pay, in [0, 1].

    Source: substitution of risk weights, Basel Committee, CRE22; the minimum because a bank need
    not use a cover that would raise its capital.
    """
    legs = share_expected_loss(
        scheme, expected_loss_bps=expected_loss_bps, lgd=lgd, tier=tier, pool_relief=pool_relief
    )
    covered = scheme.covered(tier)
    recognised = covered * pool_relief
    weight = scheme.covered_risk_weight
    covered_bps = math.inf if weight is None else capital_scale_bps * weight / 12.5
    return Relief(
        expected_loss_bps=math.fsum(leg.amount for leg in legs if leg.role != BANK),
        capital_bps=recognised * (capital_bps - min(capital_bps, covered_bps)),
        fee_bps=covered * scheme.fee.at(covered * amount),
    )


def _parts(scheme: Scheme, whole: float, *, first: float, tier: str | None) -> list[float]:
    """Return (payers,) the first loss of who pays it, and everybody's share of what is left."""
    payer = scheme.first_loss.payer if scheme.first_loss else None
    shares = zip(scheme.payers, scheme.shares(tier), strict=True)
    return [share * (whole - first) + (first if who.name == payer else 0) for who, share in shares]


def _exactly(parts: Sequence[float], whole: float, closing: int) -> list[float]:
    """Return the parts, with the closing one as what the others leave of the whole.

    All are multiples of the whole's last binary digit, so that any sum of them is exact.

    >>> a, b, c = _exactly([0.6, 0.3, 0.1], 1.0, 2)
    >>> 0.6 + 0.3 + 0.1, a + b + c
    (0.9999999999999999, 1.0)
    """
    digit = math.ulp(whole)
    left, out = whole, [0.0] * len(parts)
    for i, part in enumerate(parts):
        if i != closing:
            out[i] = min(math.floor(part / digit) * digit, left)
            left -= out[i]
    out[closing] = left
    return out


def _legs(scheme: Scheme, amounts: Sequence[float]) -> tuple[Leg, ...]:
    pairs = zip(scheme.payers, amounts, strict=True)
    return tuple(Leg(payer.name, payer.role, amount) for payer, amount in pairs)


def _check(*, expected_loss_bps: float, lgd: float, pool_relief: float) -> None:
    """Raise every fault of the numbers at once."""
    faults = [
        Fault(name, expected, repr(given))
        for name, expected, given, sound in (
            (
                "expected_loss_bps",
                "a number of at least 0",
                expected_loss_bps,
                0 <= expected_loss_bps < math.inf,
            ),
            ("lgd", "in (0, 1]", lgd, 0 < lgd <= 1),
            ("pool_relief", "in [0, 1]", pool_relief, 0 <= pool_relief <= 1),
        )
        if not sound
    ]
    if faults:
        raise InputError(faults)
