"""Regulatory capital of a loan, by the internal ratings formula of Basel CRE31."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pricing import kernels

Floats = NDArray[np.float64]


class AssetClass(StrEnum):
    """Which correlation applies (CRE31.5 for the first two, CRE31.16 for the last)."""

    CORPORATE = "corporate"
    LARGE_FINANCIAL = "large_financial"  # correlation x 1.25
    OTHER_RETAIL = "other_retail"  # no maturity term


def constants(
    asset_class: AssetClass, *, lgd: float, sales_millions: float | None = None
) -> Floats:
    """Return (8,) the constants that `capital_requirement` needs, in the order of `kernels`.

    Args:
        asset_class: decides correlation and maturity term.
        lgd: regulatory loss given default, as a fraction; not the economic one.
        sales_millions: annual sales of the borrower's group in millions of euros, for the
            adjustment for small firms of CRE31.8 (corporates only); None for none.
    """
    reduction = 0.0
    if asset_class is AssetClass.CORPORATE and sales_millions is not None:
        reduction = 0.04 * (1 - (min(max(sales_millions, 5.0), 50.0) - 5) / 45)
    if asset_class is AssetClass.OTHER_RETAIL:
        return np.array([35.0, 0.03, 0.16, 1.0, 0.0, lgd, 0.0, -1.0])
    factor = 1.25 if asset_class is AssetClass.LARGE_FINANCIAL else 1.0
    return np.array([50.0, 0.12, 0.24, factor, reduction, lgd, 1.0, -1.0])


def flat(weight: float) -> Floats:
    """Return (8,) the constants of a capital that depends on a risk weight alone.

    >>> round(risk_weight(pd=0.2, maturity_years=4.0, basel=flat(0.75)), 12)
    0.75
    """
    return np.array([50.0, 0.12, 0.24, 1.0, 0.0, 0.0, 0.0, weight / 12.5])


def capital_requirement(*, pd: float, maturity_years: float, basel: Floats) -> float:
    """Return K, the capital that must stand behind one unit of exposure.

        PD = max(PD, 0.0005);  e = (1 - exp(-50 PD)) / (1 - exp(-50));  R = 0.12 e + 0.24 (1 - e)
        small firms, S in [5, 50] millions: R -= 0.04 (1 - (S - 5)/45);  large financials: R *= 1.25
        b = (0.11852 - 0.05478 ln PD)^2
        K = [LGD N((G(PD) + sqrt(R) G(0.999)) / sqrt(1 - R)) - PD LGD] (1 + (M - 2.5) b)/(1 - 1.5 b)

    Other retail: R = 0.03 e + 0.16 (1 - e) with exp(-35 PD), and no maturity term.

    Args:
        pd: probability of default within a year, in [0, 1].
        maturity_years: M, clipped to [1, 5].
        basel: the `constants` of the asset class.

    Source: Basel Committee, CRE31.5 to CRE31.9 and CRE31.16; floor of PD: CRE32.4.

    >>> basel = constants(AssetClass.CORPORATE, lgd=0.45)
    >>> round(capital_requirement(pd=0.01, maturity_years=2.5, basel=basel), 6)
    0.073853
    """
    loss, _, b, _ = kernels.unexpected_loss(pd, basel)
    return loss * kernels.maturity_term(maturity_years, b)[0]


def risk_weight(*, pd: float, maturity_years: float, basel: Floats) -> float:
    """Return RW = 12.5 K, as a fraction of the exposure (1.0 is 100 %)."""
    return 12.5 * capital_requirement(pd=pd, maturity_years=maturity_years, basel=basel)
