"""The projects reproduce the published facts that their docstrings cite."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from features.world import business, innovation
from features.world.dice import Dice
from features.world.project import draw
from features.world.traits import Origins, Traits

DICE = Dice(11, 40_000)
TRAITS = Traits.draw(DICE)
ORIGINS = Origins.draw(DICE, TRAITS, first_month=492, months=180)


@pytest.fixture(scope="module")
def columns() -> pl.DataFrame:
    return draw(DICE, TRAITS, ORIGINS)


def test_funding_rounds_are_as_many_as_in_crunchbase(columns: pl.DataFrame) -> None:
    """Of 17,727 funded US firms, October 2013: 58.4 %, 22.0 %, 10.2 %, 5.0 % with 1 to 4 rounds."""
    rounds = columns["funding_rounds"].to_numpy()
    funded = rounds[rounds > 0]
    shares = [float((funded == n).mean()) for n in (1, 2, 3, 4)]
    np.testing.assert_allclose(shares, [0.584, 0.220, 0.102, 0.050], rtol=0, atol=0.03)


def test_rounds_lie_as_far_apart_as_in_crunchbase(real_crunchbase_gaps: pl.Series) -> None:
    gaps = DICE.stream("months since round").gamma(
        business.ROUND_GAP_SHAPE, business.ROUND_GAP_MONTHS / business.ROUND_GAP_SHAPE, 40_000
    )
    for share in (0.25, 0.5, 0.75):
        real = np.quantile(real_crunchbase_gaps.to_numpy(), share)
        assert np.quantile(gaps, share) == pytest.approx(real, rel=0.12)


def test_five_years_after_a_patent_staff_is_55_and_sales_are_80_percent_larger() -> None:
    """Farre-Mensa et al., JF 2020."""
    people = innovation.people(DICE, TRAITS, ORIGINS)
    without, grown = ({"_patent_growth": np.full(DICE.projects, x)} for x in (0.0, 1.0))
    costs = [business.costs(DICE, TRAITS, ORIGINS, people, p) for p in (without, grown)]
    sales = [
        business.sales(DICE, TRAITS, ORIGINS, cost, patents)["revenue_cny"].sum()
        for cost, patents in zip(costs, (without, grown), strict=True)
    ]
    assert costs[1]["_opex"].sum() / costs[0]["_opex"].sum() == pytest.approx(1.55, rel=1e-9)
    assert sales[1] / sales[0] == pytest.approx(1.80, rel=1e-3)


def test_patents_rise_with_research_as_in_listed_firms(real_elasticity: float) -> None:
    people = innovation.people(DICE, TRAITS, ORIGINS)
    ten_times = people | {"_staff": 10 * people["_staff"]}
    few, many = (
        innovation.patents(DICE, TRAITS, ORIGINS, p)["patents_granted"].mean()
        for p in (people, ten_times)
    )
    assert np.log10(many / few) == pytest.approx(real_elasticity, abs=0.02)


def test_citations_vary_as_in_listed_firms(columns: pl.DataFrame) -> None:
    """log(1 + citations a patent) has a standard deviation of 0.76 in listed firms, 1991-1999."""
    spread = np.log(columns["forward_citations"].drop_nulls().to_numpy()).std()
    assert spread == pytest.approx(0.76, abs=0.03)


def test_titles_are_held_only_by_firms_that_meet_the_official_thresholds(
    columns: pl.DataFrame,
) -> None:
    high_tech = columns.filter("high_tech_enterprise")
    special = columns.filter("specialised_sme")
    assert high_tech["rd_staff_share"].to_numpy().min() >= 0.10
    assert special["firm_age_months"].to_numpy().min() >= 36
    assert special["debt_ratio"].to_numpy().max() <= 0.7
    assert 0.05 < special.height / DICE.projects < high_tech.height / DICE.projects < 0.6


def test_what_cannot_be_is_null_and_nothing_else_is(columns: pl.DataFrame) -> None:
    patents, rounds, sales = (
        columns[name] > 0 for name in ("patents_granted", "funding_rounds", "revenue_cny")
    )
    assert (columns["family_size"].is_not_null() == patents).all()
    assert (columns["months_since_round"].is_not_null() == rounds).all()
    assert (columns["gross_margin"].is_not_null() == sales).all()
    undefined = {"forward_citations", "family_size", "patent_claims", "patent_generality"}
    undefined |= {"months_since_round", "revenue_growth", "gross_margin", "export_share"}
    assert {c for c in columns.columns if columns[c].null_count()} == undefined
