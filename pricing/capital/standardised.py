"""Risk weights of the standardised approach, for lenders without internal ratings.

What could not be verified: the text of CRE20 (version in force from 1 January 2023) could not be
opened where this was written. The weights agree with several public restatements of it, but the
numbers of the paragraphs were checked only against such restatements, and those of subordinated
debt, retail and default not to the single paragraph. Missing on purpose: sovereigns, banks, real
estate, specialised lending, card transactors, the weight of 65 % for investment grade where ratings
may not be used, and equity under national programmes. A jurisdiction's own rules may differ (China
and the European Union do) and always prevail.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pricing.errors import Fault, InputError


class ExposureClass(StrEnum):
    """To what or to whom money is lent; corporates by the bucket of their external rating."""

    CORPORATE_AAA_TO_AA = "corporate_aaa_to_aa"  # down to AA-
    CORPORATE_A = "corporate_a"  # A+ to A-
    CORPORATE_BBB = "corporate_bbb"  # BBB+ to BBB-
    CORPORATE_BB = "corporate_bb"  # BB+ to BB-
    CORPORATE_BELOW_BB = "corporate_below_bb"  # below BB-
    CORPORATE_UNRATED = "corporate_unrated"  # small firms have a weight of their own
    REGULATORY_RETAIL = "regulatory_retail"  # meets the tests of product, amount and granularity
    OTHER_RETAIL = "other_retail"  # individuals who do not meet them
    SUBORDINATED_DEBT = "subordinated_debt"
    EQUITY = "equity"
    SPECULATIVE_UNLISTED_EQUITY = "speculative_unlisted_equity"  # venture capital and the like
    DEFAULTED = "defaulted"  # the unsecured part, net of specific provisions


@dataclass(frozen=True)
class Weight:
    """A risk weight as a fraction of the exposure, and where it stands."""

    weight: float  # 1.0 is 100 %
    paragraph: str


WEIGHTS: dict[ExposureClass, Weight] = {
    ExposureClass.CORPORATE_AAA_TO_AA: Weight(0.20, "CRE20.42"),
    ExposureClass.CORPORATE_A: Weight(0.50, "CRE20.42"),
    ExposureClass.CORPORATE_BBB: Weight(0.75, "CRE20.42"),
    ExposureClass.CORPORATE_BB: Weight(1.00, "CRE20.42"),
    ExposureClass.CORPORATE_BELOW_BB: Weight(1.50, "CRE20.42"),
    ExposureClass.CORPORATE_UNRATED: Weight(1.00, "CRE20.43"),
    ExposureClass.REGULATORY_RETAIL: Weight(0.75, "CRE20.63 to CRE20.68"),
    ExposureClass.OTHER_RETAIL: Weight(1.00, "CRE20.63 to CRE20.68"),
    ExposureClass.SUBORDINATED_DEBT: Weight(1.50, "CRE20.54 to CRE20.62"),
    ExposureClass.EQUITY: Weight(2.50, "CRE20.57"),
    ExposureClass.SPECULATIVE_UNLISTED_EQUITY: Weight(4.00, "CRE20.57"),
    ExposureClass.DEFAULTED: Weight(1.50, "CRE20.104 to CRE20.106"),
}
SMALL_FIRM = Weight(0.85, "CRE20.47")
PROVISIONED_DEFAULT = Weight(1.00, "CRE20.104 to CRE20.106")
SMALL_FIRM_SALES_MILLIONS = 50.0
PROVISIONED = 0.20  # share of the outstanding amount


def risk_weight(
    exposure_class: ExposureClass,
    *,
    sales_millions: float | None = None,
    provisioned_share: float = 0.0,
) -> Weight:
    """Return the risk weight of an exposure, and the paragraph it stands in.

    Args:
        exposure_class: to what or to whom money is lent.
        sales_millions: annual sales of the borrower's group in millions of euros; an unrated
            corporate with at most 50 is a small firm. None where unknown: it is not one then.
        provisioned_share: specific provisions as a share of the outstanding amount, in [0, 1];
            a defaulted exposure with 0.2 or more has the lower weight.

    Source: Basel Committee, CRE20; see above for what could not be verified.

    >>> risk_weight(ExposureClass.CORPORATE_UNRATED, sales_millions=12.0)
    Weight(weight=0.85, paragraph='CRE20.47')
    """
    _check(sales_millions=sales_millions, provisioned_share=provisioned_share)
    unrated = exposure_class is ExposureClass.CORPORATE_UNRATED
    if unrated and sales_millions is not None and sales_millions <= SMALL_FIRM_SALES_MILLIONS:
        return SMALL_FIRM
    if exposure_class is ExposureClass.DEFAULTED and provisioned_share >= PROVISIONED:
        return PROVISIONED_DEFAULT
    return WEIGHTS[exposure_class]


def _check(*, sales_millions: float | None, provisioned_share: float) -> None:
    """Raise every fault of the numbers at once."""
    faults = [
        Fault(name, expected, repr(given))
        for name, expected, given, sound in (
            ("sales_millions", "at least 0", sales_millions, (sales_millions or 0.0) >= 0),
            ("provisioned_share", "in [0, 1]", provisioned_share, 0 <= provisioned_share <= 1),
        )
        if not sound
    ]
    if faults:
        raise InputError(faults)
