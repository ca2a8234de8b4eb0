from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pricing import policy
from pricing.capital.irb import AssetClass
from pricing.errors import InputError
from pricing.policy import POLICIES, load, parse

STANDARD = POLICIES / "eur.toml"
GOOD = STANDARD.read_text()


def faults(content: str) -> dict[str, str]:
    """Return field -> what came, of everything that is wrong."""
    with pytest.raises(InputError) as raised:
        parse(content.encode())
    return {fault.field: fault.given for fault in raised.value.faults}


def test_the_embedded_policy_is_an_example_and_says_so() -> None:
    standard = load(currency="EUR")
    assert "Example" in standard.note
    assert standard.currency == "EUR"
    assert standard.asset_class is AssetClass.CORPORATE
    assert (standard.hurdle_rate, standard.tax_rate, standard.capital_ratio) == (0.12, 0.25, 0.105)


def test_the_digest_is_that_of_the_file_s_bytes(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(STANDARD.read_bytes() + b"\n")
    assert load(currency="EUR").digest == hashlib.sha256(STANDARD.read_bytes()).hexdigest()
    assert load(file, currency="EUR").digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert load(file, currency="EUR").digest != load(currency="EUR").digest


def test_the_cost_of_capital_is_the_hurdle_before_tax_less_what_capital_earns() -> None:
    # 12 % / (1 - 25 %) - 2 % = 14 %; 0.105 x 12.5 x 14 % = 18.375 %, in bp per unit of K
    assert load(currency="EUR").capital_cost == pytest.approx(0.14, rel=1e-14)
    assert load(currency="EUR").capital_scale_bps == pytest.approx(1837.5, rel=1e-14)


def test_capital_that_earns_more_where_it_lies_idle_than_at_risk_is_refused() -> None:
    with pytest.raises(InputError, match=r"policy\.hurdle_rate must be at least capital_return"):
        parse(GOOD.replace("hurdle_rate = 0.12", "hurdle_rate = 0.01").encode())


def test_every_fault_is_told_at_once() -> None:
    broken = "opex = 80\n" + (
        GOOD.replace("hurdle_rate = 0.12", "hurdle_rate = 12")
        .replace("tax_rate = 0.25", "")
        .replace("capital_ratio = 0.105", 'capital_ratio = "0.105"')
        .replace("opex_bps = 80", "opex_bps = true")
        .replace("margin_bps = 50", "margin_bps = nan")
        .replace('asset_class = "corporate"', 'asset_class = "sovereign"')
        .replace('currency = "EUR"', "currency = 978")
        .replace("[24, 0.0250]", "[6, 0.0250]")
        .replace("[36, 0.0260]", "[36, 2.60]")
    )
    found = faults(broken)
    assert set(found) == {
        "policy.opex",
        "policy.currency",
        "policy.hurdle_rate",
        "policy.tax_rate",
        "policy.capital_ratio",
        "policy.opex_bps",
        "policy.margin_bps",
        "policy.asset_class",
        "policy.funding_curve[4]",
        "policy.funding_curve[5]",
    }
    assert found["policy.tax_rate"] == "missing"
    assert found["policy.funding_curve[4]"] == "[6, 0.025]"


def test_a_cap_below_the_floor_is_refused() -> None:
    assert faults(GOOD.replace("spread_cap_bps = 3000", "spread_cap_bps = 40")) == {
        "policy.spread_cap_bps": "40"
    }


@pytest.mark.parametrize("curve", ["", "[]", "3", "[[true, 0.02]]", "[[1]]", "[[1.5, 0.02]]"])
def test_a_curve_without_sound_points_is_refused(curve: str) -> None:
    start, end = GOOD.index("funding_curve"), GOOD.index("# Cost of capital")
    line = f"funding_curve = {curve}\n" if curve else ""
    assert all(
        field.startswith("policy.funding_curve")
        for field in faults(GOOD[:start] + line + GOOD[end:])
    )


def test_cap_sales_and_note_may_be_left_out() -> None:
    lines = [
        line
        for line in GOOD.splitlines()
        if not line.startswith(("spread_cap_bps", "annual_sales_millions", "note"))
    ]
    short = parse("\n".join(lines).encode())
    assert (short.spread_cap_bps, short.annual_sales_millions, short.note) == (None, None, "")
    assert short.clip(1e6) == 1e6
    assert short.basel[4] == 0  # no reduction for small firms


def test_the_clip_keeps_between_floor_and_cap() -> None:
    standard = load(currency="EUR")
    assert [standard.clip(x) for x in (-1.0, 50.0, 400.0, 3000.0, 3001.0)] == [
        50.0,
        50.0,
        400.0,
        3000.0,
        3000.0,
    ]


def test_what_is_no_toml_is_refused(tmp_path: Path) -> None:
    for content in (b"name = ", b"\xff\xfe"):
        with pytest.raises(InputError, match="policy must be TOML in UTF-8"):
            parse(content)
    with pytest.raises(InputError, match="policy must be a readable TOML file"):
        load(tmp_path / "absent.toml", currency="EUR")


def test_the_module_offers_one_way_in() -> None:
    assert policy.load(currency="EUR") == policy.parse(STANDARD.read_bytes())


@pytest.mark.parametrize("currency", ["CNY", "EUR", "USD"])
def test_each_embedded_policy_is_in_the_currency_of_its_name(currency: str) -> None:
    assert load(currency=currency).currency == currency


def test_a_policy_in_another_currency_than_the_loans_is_refused() -> None:
    with pytest.raises(InputError, match="must be CNY, as the loans are in it, however: EUR"):
        load(STANDARD, currency="CNY")


def test_a_currency_without_an_embedded_policy_needs_a_file() -> None:
    with pytest.raises(InputError, match="a readable TOML file for loans in JPY"):
        load(currency="JPY")
