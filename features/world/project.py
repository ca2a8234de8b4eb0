"""The projects as they truly are: every column a lender may ask for, nothing hidden."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.world import business, innovation
from features.world.calendar import policy_rate_percent, sector_growth
from features.world.dice import Columns, Dice, Floats
from features.world.traits import REGIONS, SECTORS, Origins, Traits

REPAYMENTS = ("linear", "annuity", "bullet")
LINEAR, BULLET = 0, 2
TERMS_MONTHS = (12, 24, 36, 48, 60, 84)
SECTOR_TREND = np.array([4, 3, 3, 4, 7, 5, 0, 3, 2, -2, -3, 0]) / 100  # growth a year, our choice


def draw(dice: Dice, traits: Traits, origins: Origins) -> pl.DataFrame:
    """Return every column of every project as it truly is: nothing hidden, null where undefined."""
    people = innovation.people(dice, traits, origins)
    patents = innovation.patents(dice, traits, origins, people)
    costs = business.costs(dice, traits, origins, people, patents)
    trade = costs | business.sales(dice, traits, origins, costs, patents)
    rounds = business.rounds(dice, traits, origins)
    money = business.money(dice, traits, trade, rounds)
    columns = {
        **people,
        **patents,
        **trade,
        **rounds,
        **money,
        **innovation.recognition(dice, traits, origins, people | trade | money),
        **business.customers(dice, traits),
        **_conduct(dice, traits),
        **_loan(dice, traits, patents),
        "firm_age_months": origins.firm_age_months,
        "sector": origins.sector.astype(np.float64),
        "region": origins.region.astype(np.float64),
        "policy_rate_percent": policy_rate_percent(origins.month),
        "sector_growth": sector_growth(origins.month, origins.sector, SECTOR_TREND, dice),
    }
    return _typed({name: values for name, values in columns.items() if not name.startswith("_")})


def _conduct(dice: Dice, traits: Traits) -> Columns:
    late = np.exp(-1.1 - 0.3 * traits.quality - 0.3 * traits.money + 0.5 * dice.normal("late"))
    cases = np.exp(-2.0 - 0.25 * traits.quality + 0.2 * traits.size + 0.5 * dice.normal("cases"))
    return {
        "late_payments": dice.count("late payments", late),
        "court_cases": dice.count("court cases", cases),
    }


def _loan(dice: Dice, traits: Traits, patents: Columns) -> Columns:
    amount = np.exp(14.7 + 0.55 * traits.size + 0.1 * traits.money + 0.45 * dice.normal("amount"))
    term = np.array(TERMS_MONTHS)[dice.choice("term", (0.08, 0.17, 0.30, 0.20, 0.20, 0.05))]
    schedule = dice.choice("repayment", (0.5, 0.3, 0.2))
    schedule = np.where((schedule == BULLET) & (term > 36), LINEAR, schedule)  # as lenders do
    grace = np.array([0, 6, 12])[dice.choice("grace", (0.6, 0.25, 0.15))]
    owned = np.clip(0.35 + 0.2 * traits.size + 0.35 * dice.normal("collateral"), 0.0, 2.0)
    pledged = (patents["patents_granted"] > 0) & dice.happens("pledged", 0.35)
    return {
        "loan_amount_cny": np.clip(np.round(amount / 10_000) * 10_000, 100_000, 100_000_000),
        "term_months": term.astype(np.float64),
        "repayment": schedule.astype(np.float64),
        "grace_months": np.where((schedule == BULLET) | (2 * grace > term), 0, grace).astype(
            np.float64
        ),
        "collateral_coverage": owned,
        "ip_pledged": pledged.astype(np.float64),
    }


LEVELS = {"sector": SECTORS, "region": REGIONS, "repayment": REPAYMENTS}
FLAGS = ("high_tech_enterprise", "specialised_sme", "institutional_investor", "ip_pledged")
DECIMALS = {  # what the sources publish; the hazard is a function of the rounded numbers
    "cny": 0,
    "months": 1,
    "percent": 2,
    "forward_citations": 2,
    "founder_experience_years": 1,
}


def _typed(columns: Columns) -> pl.DataFrame:
    """Return the columns rounded as published, categories as names, flags as true and false."""
    return pl.DataFrame([_series(name, values) for name, values in columns.items()])


def _series(name: str, values: Floats) -> pl.Series:
    if name in LEVELS:
        return pl.Series(name, np.array(LEVELS[name])[values.astype(np.int64)])
    if name in FLAGS:
        return pl.Series(name, values > 0.5)
    rounded = np.round(values, DECIMALS.get(name, DECIMALS.get(name.rsplit("_", 1)[-1], 4)))
    return pl.Series(name, rounded, nan_to_null=True)
