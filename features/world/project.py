"""The projects: five latent traits drive every column a lender may ask for.

Where a number reproduces a published fact, the fact stands beside it; every other number is our choice.

- Crunchbase, October 2013 (CC BY): of funded firms 58 % have one round, 22 % two, 10 % three, a geometric law of
  ratio 0.43; rounds lie 12 months apart in the median and 15 in the mean; the first comes 25 months after founding.
- Listed firms 1991-99 (Aghion, Van Reenen & Zingales 2013): patents rise with R&D at an elasticity of 0.38, and
  log(1 + citations a patent) has a standard deviation of 0.76.
- A first patent grant brings +55 % employment and +80 % sales after five years (Farre-Mensa et al., JF 2020).
- High-tech enterprise: R&D over revenue of 5 % up to 50 m, 4 % up to 200 m, 3 % above; technical staff of 10 %.
- Specialised SME: three years in the niche, debt ratio of at most 70 %, R&D of 3 % above 100 m of revenue and 6 %
  between 50 and 100 m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.world.calendar import policy_rate_percent, sector_growth
from features.world.dice import Dice, Floats, Ints, logistic

SECTORS = (
    "semiconductors",
    "biotech",
    "medical_devices",
    "software",
    "artificial_intelligence",
    "robotics",
    "new_materials",
    "clean_energy",
    "aerospace",
    "advanced_manufacturing",
    "agritech",
    "communications",
)
REGIONS = ("north", "northeast", "east", "central", "south", "southwest", "northwest")
REGION_WEIGHTS = (0.18, 0.05, 0.32, 0.12, 0.18, 0.09, 0.06)
REPAYMENTS = ("linear", "annuity", "bullet")
TERMS_MONTHS = (12, 24, 36, 48, 60, 84)

# One row a trait, one number a sector in the order of SECTORS; all our choice.
SECTOR_RD = np.array([0.5, 0.8, 0.4, 0.0, 0.5, 0.1, 0.0, 0.0, 0.4, -0.4, -0.5, -0.1])
SECTOR_PATENTS = np.array([0.4, 0.5, 0.4, -0.6, -0.2, 0.3, 0.3, 0.1, 0.3, 0.0, -0.4, 0.0])
SECTOR_UNSOLD = np.array([0.2, 1.3, 0.5, -0.6, 0.0, 0.0, 0.1, 0.1, 0.6, -0.7, -0.3, -0.2])
SECTOR_MARGIN = np.array([0.0, 0.12, 0.08, 0.15, 0.1, -0.03, -0.05, -0.08, 0.0, -0.1, -0.08, 0.0])
SECTOR_TREND = np.array([0.04, 0.03, 0.03, 0.04, 0.07, 0.05, 0.0, 0.03, 0.02, -0.02, -0.03, 0.0])

LOG_EMPLOYMENT_PATENT = float(np.log(1.55))  # five years after the first grant
LOG_SALES_PATENT = float(np.log(1.80))
PATENT_YEARS = 5.0
RD_ELASTICITY = 0.38
ROUND_RATIO = 0.43


@dataclass(frozen=True)
class Traits:
    """What nobody sees: standard normal numbers, one array a trait, (projects,) each."""

    quality: Floats
    technology: Floats
    team: Floats
    money: Floats
    size: Floats

    @classmethod
    def draw(cls, dice: Dice) -> Traits:
        """Draw the traits, independent of one another."""
        return cls(*(dice.normal(f"trait {name}") for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class Origins:
    """When and where a project starts: month of origination, sector, region, age of the firm."""

    month: Ints
    sector: Ints
    region: Ints
    firm_age_months: Floats

    @classmethod
    def draw(cls, dice: Dice, traits: Traits, *, first_month: int, months: int) -> Origins:
        """Draw the origins; loans are spread evenly over `months` months from `first_month`."""
        even = tuple([1.0 / len(SECTORS)] * len(SECTORS))
        age = np.exp(3.45 + 0.25 * traits.size + 0.55 * dice.normal("firm age"))
        return cls(
            month=first_month + (dice.uniform("month") * months).astype(np.int64),
            sector=dice.choice("sector", even),
            region=dice.choice("region", REGION_WEIGHTS),
            firm_age_months=np.clip(np.round(age), 1, 240),
        )


def draw(dice: Dice, traits: Traits, origins: Origins) -> pl.DataFrame:
    """Return every column of every project as it truly is: nothing hidden, null where undefined."""
    people = _people(dice, traits, origins)
    patents = _patents(dice, traits, origins, people)
    trade = _trade(dice, traits, origins, people, patents)
    rounds = _rounds(dice, traits, origins)
    money = _money(dice, traits, trade, rounds, people)
    columns = {
        **people,
        **patents,
        **trade,
        **rounds,
        **money,
        **_recognition(dice, traits, origins, people, trade, money),
        **_conduct(dice, traits, origins),
        **_loan(dice, traits, patents),
        "policy_rate_percent": policy_rate_percent(origins.month),
        "sector_growth": sector_growth(origins.month, origins.sector, SECTOR_TREND, dice),
    }
    return _typed({name: values for name, values in columns.items() if not name.startswith("_")})


Columns = dict[str, Floats]
_NAN = np.nan


def _people(dice: Dice, traits: Traits, origins: Origins) -> Columns:
    rd = -0.5 + 0.75 * traits.technology + SECTOR_RD[origins.sector]
    graduates = -1.1 + 0.5 * traits.technology + 0.5 * traits.team
    years = 8.0 + 3.5 * traits.team + 3.0 * dice.normal("founder experience")
    return {
        "rd_staff_share": logistic(rd + 0.5 * dice.normal("rd staff")),
        "graduate_staff_share": logistic(graduates + 0.6 * dice.normal("graduates")),
        "founder_experience_years": np.clip(years, 0, 45),
        "prior_exits": dice.count("prior exits", np.exp(-1.9 + 0.5 * traits.team)),
        "_staff": np.exp(2.6 + 0.6 * traits.size + 0.15 * traits.team + 0.35 * dice.normal("staff")),
    }


def _patents(dice: Dice, traits: Traits, origins: Origins, people: Columns) -> Columns:
    """Grants follow R&D people at the elasticity of the listed firms, and take time."""
    rd_people = np.log(people["_staff"] * people["rd_staff_share"])
    time = np.minimum(origins.firm_age_months / 36.0, 2.0)
    rate = -0.25 + RD_ELASTICITY * (rd_people - 1.6) + 0.55 * traits.technology + 0.2 * traits.quality
    granted = dice.count("patents", time * np.exp(rate + SECTOR_PATENTS[origins.sector]))
    has = granted > 0
    first_grant = origins.firm_age_months / 12.0 * (0.1 + 0.6 * dice.uniform("first grant"))
    seen = has & (first_grant >= 1.0)  # younger patents cannot have been cited yet
    citations = np.exp(1.0 + 0.5 * traits.quality + 0.56 * dice.normal("citations"))
    generality = logistic(0.2 + 0.5 * traits.technology + 0.8 * dice.normal("generality"))
    return {
        "patents_granted": granted,
        "forward_citations": np.where(seen, citations, _NAN),
        "family_size": np.where(has, 1.0 + dice.count("family", np.exp(0.3 + 0.4 * traits.money)), _NAN),
        "patent_claims": np.where(has, 1.0 + dice.count("claims", np.exp(2.0 + 0.2 * traits.team)), _NAN),
        "patent_generality": np.where(seen, generality, _NAN),
        "_patent_growth": np.where(has, np.minimum(first_grant, PATENT_YEARS) / PATENT_YEARS, 0.0),
    }


def _trade(
    dice: Dice, traits: Traits, origins: Origins, people: Columns, patents: Columns
) -> Columns:
    """Staff and sales grow with the years since the first grant, by the published effect."""
    staff = people["_staff"] * np.exp(LOG_EMPLOYMENT_PATENT * patents["_patent_growth"])
    opex = 260_000.0 * staff * np.exp(0.2 * dice.normal("opex"))
    unsold = -1.2 - 0.6 * traits.size - 0.3 * traits.quality - 0.015 * (origins.firm_age_months - 33)
    sells = ~dice.happens("unsold", logistic(unsold + SECTOR_UNSOLD[origins.sector]))
    boost = LOG_SALES_PATENT * patents["_patent_growth"]
    sales = opex * np.exp(-0.3 + 0.4 * traits.quality + boost + 0.45 * dice.normal("sales"))
    growth = np.expm1(0.18 + 0.2 * traits.quality + 0.35 * dice.normal("growth"))
    margin = 0.42 + 0.11 * traits.quality + SECTOR_MARGIN[origins.sector]
    abroad = logistic(-1.0 + 0.3 * traits.quality + 0.9 * dice.normal("export share"))
    intensity = -0.2 + 0.7 * traits.technology + SECTOR_RD[origins.sector]
    payer = -0.4 - 0.4 * traits.size - 0.2 * traits.quality
    contracts = np.exp(12.8 + 0.5 * traits.technology + 0.8 * dice.normal("contract value"))
    return {
        "employees": np.maximum(np.round(staff), 1.0),
        "revenue_cny": np.where(sells, np.maximum(sales, 1_000.0), 0.0),
        "revenue_growth": np.where(sells, np.clip(growth, -0.9, 9.0), _NAN),
        "gross_margin": np.where(
            sells, np.clip(margin + 0.12 * dice.normal("margin"), -0.5, 0.95), _NAN
        ),
        "export_share": np.where(sells, abroad * dice.happens("exports", 0.45), _NAN),
        "rd_to_opex": logistic(intensity + 0.4 * dice.normal("rd to opex")),
        "customer_concentration": logistic(payer + 0.7 * dice.normal("largest customer")),
        "technology_contracts_cny": contracts * dice.happens("contracts", 0.35),
        "_opex": opex,
    }


def _rounds(dice: Dice, traits: Traits, origins: Origins) -> Columns:
    """Rounds are geometric and their gaps gamma, as in Crunchbase: median 12 months, mean 15."""
    chance = logistic(0.1 + 0.7 * traits.money + 0.2 * traits.quality)
    funded = dice.happens("funded", chance)
    tail = np.floor(np.log1p(-dice.uniform("rounds")) / np.log(ROUND_RATIO))
    rounds = np.where(funded, np.minimum(1.0 + tail, 8.0), 0.0)
    gap = dice.stream("months since round").gamma(1.4, 15.0 / 1.4, dice.projects)
    raised = 14.9 + 0.8 * traits.money + 0.3 * traits.quality + 0.6 * np.log(np.maximum(rounds, 1.0))
    backing = logistic(-0.3 + 0.6 * traits.money + 0.4 * traits.quality)
    return {
        "funding_rounds": rounds,
        "months_since_round": np.where(
            funded, np.clip(np.round(gap), 0, origins.firm_age_months), _NAN
        ),
        "equity_raised_cny": np.where(funded, np.exp(raised + 0.7 * dice.normal("raised")), 0.0),
        "institutional_investor": funded * dice.happens("institution", backing).astype(np.float64),
    }


def _money(
    dice: Dice, traits: Traits, trade: Columns, rounds: Columns, people: Columns
) -> Columns:
    """Cash is what the runway and the monthly outflow say it is."""
    runway = np.exp(2.3 + 0.5 * traits.money + 0.2 * traits.quality + 0.4 * dice.normal("runway"))
    earned = trade["revenue_cny"] * np.nan_to_num(trade["gross_margin"])
    outflow = np.maximum(trade["_opex"] - earned, 0.2 * trade["_opex"]) / 12.0
    cash = np.clip(runway, 0.3, 120.0) * outflow
    rd = trade["rd_to_opex"] * trade["_opex"]
    debt = 0.40 - 0.08 * traits.quality - 0.12 * traits.money + 0.2 * dice.normal("debt")
    return {
        "runway_months": np.clip(runway, 0.3, 120.0),
        "cash_cny": cash,
        "debt_ratio": np.clip(debt, 0.0, 2.5),
        "rd_to_funds": np.minimum(rd / (cash + rounds["equity_raised_cny"]), 5.0),
        "_rd": rd,
    }


def _recognition(
    dice: Dice,
    traits: Traits,
    origins: Origins,
    people: Columns,
    trade: Columns,
    money: Columns,
) -> Columns:
    """The two titles follow the published thresholds; not every firm that may hold one applies."""
    sales = trade["revenue_cny"]
    share = money["_rd"] / np.maximum(sales, 1.0)
    needed = np.select([sales <= 50e6, sales <= 200e6], [0.05, 0.04], 0.03)
    able = (sales > 0) & (share >= needed) & (people["rd_staff_share"] >= 0.10)
    high_tech = able & (origins.firm_age_months >= 12)
    bar = np.select([sales > 100e6, sales > 50e6], [0.03, 0.06], 0.0)
    special = (share >= bar) & (money["debt_ratio"] <= 0.7) & (origins.firm_age_months >= 36)
    awards = np.exp(-1.5 + 0.5 * traits.technology + 0.2 * traits.quality)
    listed = dice.happens("listed", logistic(-0.8 + 0.6 * traits.quality))
    return {
        "high_tech_enterprise": (high_tech & dice.happens("high tech", 0.55)).astype(np.float64),
        "specialised_sme": (special & (sales > 0) & listed).astype(np.float64),
        "technology_awards": dice.count("awards", awards),
    }


def _conduct(dice: Dice, traits: Traits, origins: Origins) -> Columns:
    late = np.exp(-1.1 - 0.3 * traits.quality - 0.3 * traits.money + 0.5 * dice.normal("late"))
    cases = np.exp(-2.0 - 0.25 * traits.quality + 0.2 * traits.size + 0.5 * dice.normal("cases"))
    return {
        "firm_age_months": origins.firm_age_months,
        "sector": origins.sector.astype(np.float64),
        "region": origins.region.astype(np.float64),
        "late_payments": dice.count("late payments", late),
        "court_cases": dice.count("court cases", cases),
    }


def _loan(dice: Dice, traits: Traits, patents: Columns) -> Columns:
    amount = np.exp(14.7 + 0.55 * traits.size + 0.1 * traits.money + 0.45 * dice.normal("amount"))
    term = np.array(TERMS_MONTHS)[dice.choice("term", (0.08, 0.17, 0.30, 0.20, 0.20, 0.05))]
    schedule = dice.choice("repayment", (0.5, 0.3, 0.2))
    schedule = np.where((schedule == 2) & (term > 36), 0, schedule)  # long loans are repaid on the way
    grace = np.array([0, 6, 12])[dice.choice("grace", (0.6, 0.25, 0.15))]
    tangible = np.clip(0.35 + 0.2 * traits.size + 0.35 * dice.normal("collateral"), 0.0, 2.0)
    pledged = (patents["patents_granted"] > 0) & dice.happens("pledged", 0.35)
    return {
        "loan_amount_cny": np.clip(np.round(amount / 10_000) * 10_000, 100_000, 100_000_000),
        "term_months": term.astype(np.float64),
        "repayment": schedule.astype(np.float64),
        "grace_months": np.where((schedule == 2) | (grace * 2 > term), 0, grace).astype(np.float64),
        "collateral_coverage": tangible,
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
