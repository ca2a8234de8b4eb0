from __future__ import annotations

import math

import pytest

from pricing.capital.standardised import WEIGHTS, ExposureClass, risk_weight
from pricing.errors import InputError

UNRATED = ExposureClass.CORPORATE_UNRATED
DEFAULTED = ExposureClass.DEFAULTED


@pytest.mark.parametrize(
    ("exposure_class", "percent"),
    [  # Basel Committee, CRE20 in force from 2023, as public restatements of it have them
        (ExposureClass.CORPORATE_AAA_TO_AA, 20),
        (ExposureClass.CORPORATE_A, 50),
        (ExposureClass.CORPORATE_BBB, 75),
        (ExposureClass.CORPORATE_BB, 100),
        (ExposureClass.CORPORATE_BELOW_BB, 150),
        (ExposureClass.CORPORATE_UNRATED, 100),
        (ExposureClass.REGULATORY_RETAIL, 75),
        (ExposureClass.OTHER_RETAIL, 100),
        (ExposureClass.SUBORDINATED_DEBT, 150),
        (ExposureClass.EQUITY, 250),
        (ExposureClass.SPECULATIVE_UNLISTED_EQUITY, 400),
        (ExposureClass.DEFAULTED, 150),
    ],
)
def test_every_class_has_the_weight_of_the_framework(
    exposure_class: ExposureClass, percent: float
) -> None:
    found = risk_weight(exposure_class)
    assert 100 * found.weight == percent
    assert found.paragraph.startswith("CRE20.")


def test_no_class_is_without_a_weight() -> None:
    assert WEIGHTS.keys() == set(ExposureClass)


@pytest.mark.parametrize(
    ("sales_millions", "percent"), [(None, 100), (0.0, 85), (50.0, 85), (50.1, 100)]
)
def test_an_unrated_firm_is_small_up_to_fifty_millions_of_sales(
    sales_millions: float | None, percent: float
) -> None:
    # Basel Committee, CRE20.47
    assert 100 * risk_weight(UNRATED, sales_millions=sales_millions).weight == percent


def test_small_sales_change_no_other_class() -> None:
    for exposure_class in set(ExposureClass) - {UNRATED}:
        assert risk_weight(exposure_class, sales_millions=5.0) == WEIGHTS[exposure_class]


@pytest.mark.parametrize(("share", "percent"), [(0.0, 150), (0.199, 150), (0.2, 100), (1.0, 100)])
def test_a_default_weighs_less_once_a_fifth_is_provisioned(share: float, percent: float) -> None:
    # Basel Committee, CRE20.104 to CRE20.106
    assert 100 * risk_weight(DEFAULTED, provisioned_share=share).weight == percent


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        risk_weight(UNRATED, sales_millions=math.nan, provisioned_share=1.5)
    assert [fault.field for fault in raised.value.faults] == [
        "sales_millions",
        "provisioned_share",
    ]
