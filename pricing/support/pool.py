"""The losses of a large portfolio, and what a pool that pays up to a limit takes of them."""

from __future__ import annotations

import math

import scipy  # whose parts load when they are asked for

from pricing.errors import Fault, InputError

FAR = 12.0  # the common factor lies beyond ±12 with a probability of 1e-33
STEP = 8.0  # standard deviations within which a step is looked at closely
PRECISION = 1e-11  # relative, of the quadrature


def loss_distribution(loss: float, *, pd: float, lgd: float, correlation: float) -> float:
    """Return the probability that the portfolio loses at most a share of what is covered.

        F(x) = N((sqrt(1-ρ) G(x/LGD) - G(PD)) / sqrt(ρ))

    Args:
        loss: x, as a share of the portfolio.
        pd: probability of default of every loan, in [0, 1].
        lgd: loss given default as a share of the exposure, in [0, 1]; 1 on the basis of claims.
        correlation: ρ, of the firms' assets with each other, in (0, 1).

    Source: Vasicek, "Loan portfolio value", Risk (December 2002).

    >>> round(loss_distribution(0.02, pd=0.02, lgd=0.4, correlation=0.12), 6)
    0.92981
    """
    _check(pd=pd, lgd=lgd, correlation=correlation)
    if not loss >= 0:
        return 0.0
    if loss >= lgd or pd == 0:
        return 1.0
    if pd == 1:
        return 0.0
    at = math.sqrt(1 - correlation) * scipy.special.ndtri(loss / lgd) - scipy.special.ndtri(pd)
    return float(scipy.special.ndtr(at / math.sqrt(correlation)))


def expected_within(limit: float, *, pd: float, lgd: float, correlation: float) -> float:
    """Return E[min(L, a)], what a pool with the limit a is expected to pay.

    Over the common factor Z, a good year being a high Z, the portfolio loses

        L(z) = LGD N((G(PD) - sqrt(ρ) z) / sqrt(1-ρ))
        E[min(L, a)] = a N(z_a) + ∫_{z_a} L(z) φ(z) dz

    where L(z_a) = a. It equals ∫₀ᵃ (1 - F), and unlike that integrand this one is smooth.

    Args:
        limit: a, as a share of what is covered, at least 0; infinity for no limit.
        pd: probability of default of every loan, in [0, 1].
        lgd: loss given default as a share of the exposure, in [0, 1]; 1 on the basis of claims.
        correlation: ρ, in (0, 1).

    Source: the distribution of `loss_distribution`.

    >>> round(expected_within(0.05, pd=0.03, lgd=0.4, correlation=0.12), 8)
    0.01187887
    """
    _check(pd=pd, lgd=lgd, correlation=correlation, limit=limit)
    if limit >= lgd or pd in (0.0, 1.0):
        return min(limit, pd * lgd)
    if limit == 0:
        return 0.0
    threshold, own, common = (
        scipy.special.ndtri(pd),
        math.sqrt(1 - correlation),
        math.sqrt(correlation),
    )
    z_limit = (threshold - own * float(scipy.special.ndtri(limit / lgd))) / common

    def density(z: float) -> float:
        loss = lgd * scipy.special.ndtr((threshold - common * z) / own)
        return float(loss * math.exp(-z * z / 2) / math.sqrt(2 * math.pi))

    start = min(max(z_limit, -FAR), FAR)
    step, width = threshold / common, STEP * own / common  # where L falls from LGD to nil
    bends = [z for z in (step - width, step, step + width, common * threshold) if start < z < FAR]
    below, *_ = scipy.integrate.quad(
        density, start, FAR, points=bends, epsabs=0, epsrel=PRECISION, limit=200
    )
    return float(min(limit * scipy.special.ndtr(z_limit) + below, limit, pd * lgd))


def effective_cover(*, limit: float, pd: float, lgd: float, correlation: float) -> float:
    """Return E[min(L, a)] / E[L], the share of what it has promised that a capped pool pays.

    Without losses nothing is beyond the limit, unless the limit is nil.

    >>> round(effective_cover(limit=0.05, pd=0.03, lgd=1.0, correlation=0.12), 6)
    0.854159
    """
    paid = expected_within(limit, pd=pd, lgd=lgd, correlation=correlation)
    expected_loss = pd * lgd
    if expected_loss == 0:
        return float(limit > 0)
    return paid / expected_loss


def _check(*, pd: float, lgd: float, correlation: float, limit: float = 0.0) -> None:
    """Raise every fault of the numbers at once."""
    faults = [
        Fault(name, expected, repr(given))
        for name, expected, given, sound in (
            ("pd", "in [0, 1]", pd, 0 <= pd <= 1),
            ("lgd", "in [0, 1]", lgd, 0 <= lgd <= 1),
            ("correlation", "in (0, 1)", correlation, 0 < correlation < 1),
            ("limit", "at least 0", limit, limit >= 0),
        )
        if not sound
    ]
    if faults:
        raise InputError(faults)
