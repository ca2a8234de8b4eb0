from __future__ import annotations

import tomllib
from copy import deepcopy
from typing import Any

import pytest

from pricing import policy
from pricing.errors import InputError, PolicyError
from pricing.offers import NOTHING_ELSE, Acquisition, Cover, LineOffer, offered, read
from pricing.policy import POLICIES, parse

EXAMPLE = (POLICIES / "eur.toml").read_text("utf-8")
SECTIONS = {
    name: section
    for name, section in tomllib.loads(EXAMPLE).items()
    if name in ("revolving_line", "rd_loan", "ma_loan", "guarantee", "insurance")
}


def faults(*path: str, put: object = None) -> list[tuple[str, str]]:
    """Return what is wrong after a field of the example was replaced, or taken out by None."""
    given: dict[str, Any] = deepcopy(SECTIONS)
    table = given
    for name in path[:-1]:
        table = table[name]
    if put is None:
        del table[path[-1]]
    else:
        table[path[-1]] = put
    return [(fault.field, fault.given) for fault in read(given)[1]]


@pytest.mark.parametrize("currency", ["EUR", "USD", "CNY"])
def test_the_example_policies_offer_everything(currency: str) -> None:
    offers = policy.load(currency=currency).offers
    for section in (offers.revolving_line, offers.rd_loan, offers.ma_loan, offers.guarantee):
        assert section is not None
    assert [*offers.insurance] == ["rd_failure", "first_set_equipment", "ip_pledge_guarantee"]


def test_a_section_is_read_as_it_stands() -> None:
    offers, wrong = read(SECTIONS)
    assert wrong == []
    assert offers.revolving_line == LineOffer(conversion_factor=0.40, longest_months=36)
    assert offers.ma_loan is not None
    assert offers.ma_loan.minority == Acquisition(largest_share=0.50, longest_months=60)
    assert offers.insurance["ip_pledge_guarantee"] == Cover(1.0, None, 0.25, 0.20, 60)


def test_the_chinese_example_holds_the_rule_on_acquisitions() -> None:
    # rule of 31 December 2025: 70 % of the deal and 10 years, design note on pricing, section 5
    ma_loan = policy.load(currency="CNY").offers.ma_loan
    assert ma_loan is not None
    assert ma_loan.controlling == Acquisition(largest_share=0.70, longest_months=120)


def test_nothing_is_offered_that_has_no_section() -> None:
    assert read({}) == (NOTHING_ELSE, [])
    with pytest.raises(PolicyError, match=r"offers no guarantee: its file has no section"):
        offered(NOTHING_ELSE.guarantee, "guarantee")


@pytest.mark.parametrize(
    ("path", "put"),
    [
        (("revolving_line", "conversion_factor"), 1.1),
        (("revolving_line", "longest_months"), 0),
        (("rd_loan", "log_hazard_per_open_milestone"), -0.1),
        (("rd_loan", "pledge_recovery"), True),
        (("guarantee", "largest_cover"), 1.2),
        (("guarantee", "margin_bps"), 20_000.0),
        (("insurance", "rd_failure", "severity"), "half"),
        (("insurance", "rd_failure", "expense_ratio"), 1.0),
        (("insurance", "rd_failure", "safety_loading"), -0.1),
        (("ma_loan", "minority", "largest_share"), 1.5),
        (("ma_loan", "controlling", "longest_months"), 1.5),
        (("ma_loan", "controlling"), "all of it"),
        (("guarantee", "verified"), "perhaps"),
    ],
)
def test_a_number_out_of_its_range_is_named(path: tuple[str, ...], put: object) -> None:
    assert faults(*path, put=put) == [(".".join(("policy", *path)), repr(put))]


@pytest.mark.parametrize(
    "path",
    [
        ("revolving_line", "conversion_factor"),
        ("rd_loan", "longest_months"),
        ("ma_loan", "minority"),
        ("guarantee", "opex_bps"),
        ("insurance", "rd_failure", "safety_loading"),
    ],
)
def test_a_number_left_out_is_named(path: tuple[str, ...]) -> None:
    assert faults(*path) == [(".".join(("policy", *path)), "missing")]


def test_a_name_misspelt_is_not_passed_over() -> None:
    assert faults("guarantee", "largest_covers", put=0.8) == [
        ("policy.guarantee.largest_covers", "'largest_covers'")
    ]
    assert faults("ma_loan", "minority", "share", put=0.8) == [
        ("policy.ma_loan.minority.share", "'share'")
    ]


@pytest.mark.parametrize("section", ["guarantee", "insurance"])
def test_a_section_is_a_table(section: str) -> None:
    assert faults(section, put=[0.8]) == [(f"policy.{section}", "[0.8]")]


def test_the_faults_of_all_sections_are_told_at_once() -> None:
    broken = EXAMPLE.replace("conversion_factor = 0.40", "conversion_factor = 4").replace(
        "largest_cover = 0.80", "largest_cover = 80"
    )
    with pytest.raises(InputError) as raised:
        parse(broken.replace("opex_bps = 80", "opex_bps = -80").encode())
    assert sorted(fault.field for fault in raised.value.faults) == [
        "policy.guarantee.largest_cover",
        "policy.opex_bps",
        "policy.revolving_line.conversion_factor",
    ]
