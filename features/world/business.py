"""How a project earns and is funded: sales, staff, rounds of equity, cash and debt.

Published facts that the numbers reproduce; every other number is our choice.

- A first patent grant brings +55 % employment and +80 % sales after five years (Farre-Mensa et al.,
  JF 2020).
- Crunchbase (https://www.crunchbase.com, October 2013, CC BY): of funded firms 58 % have one round,
  22 % two and 10 % three, a geometric law of ratio 0.43; rounds lie 12 months apart in the median
  and 15 in the mean.
"""

from __future__ import annotations

import numpy as np

from features.world.dice import Columns, Dice, logistic
from features.world.traits import Origins, Traits

LOG_EMPLOYMENT_PATENT = float(np.log(1.55))  # five years after the first grant
LOG_SALES_PATENT = float(np.log(1.80))
COST_A_HEAD_CNY = 260_000.0
ROUND_RATIO = 0.43
ROUND_GAP_SHAPE, ROUND_GAP_MONTHS = 1.4, 15.0
# In the order of SECTORS.
SECTOR_RD = np.array([0.5, 0.8, 0.4, 0.0, 0.5, 0.1, 0.0, 0.0, 0.4, -0.4, -0.5, -0.1])
SECTOR_UNSOLD = np.array([0.2, 1.3, 0.5, -0.6, 0.0, 0.0, 0.1, 0.1, 0.6, -0.7, -0.3, -0.2])
SECTOR_MARGIN = np.array([0.0, 12, 8, 15, 10, -3, -5, -8, 0, -10, -8, 0]) / 100


def costs(
    dice: Dice, traits: Traits, origins: Origins, people: Columns, patents: Columns
) -> Columns:
    """Return staff, which grows with the years since the first grant, and what it spends on R&D."""
    growth = np.exp(LOG_EMPLOYMENT_PATENT * patents["_patent_growth"])
    start = COST_A_HEAD_CNY * people["_staff"] * np.exp(0.2 * dice.normal("opex"))
    intensity = -0.2 + 0.7 * traits.technology + SECTOR_RD[origins.sector]
    return {
        "employees": np.maximum(np.round(people["_staff"] * growth), 1.0),
        "rd_to_opex": logistic(intensity + 0.4 * dice.normal("rd to opex")),
        "_opex_before_patents": start,
        "_opex": start * growth,
    }


def sales(
    dice: Dice, traits: Traits, origins: Origins, costs: Columns, patents: Columns
) -> Columns:
    """Return what is sold, and at what margin; nothing yet by the smaller and younger firms."""
    young = 0.015 * (origins.firm_age_months - 33)
    unsold = -1.2 - 0.6 * traits.size - 0.3 * traits.quality - young
    sells = ~dice.happens("unsold", logistic(unsold + SECTOR_UNSOLD[origins.sector]))
    boost = LOG_SALES_PATENT * patents["_patent_growth"]
    drive = -0.3 + 0.4 * traits.quality + boost + 0.45 * dice.normal("sales")
    revenue = costs["_opex_before_patents"] * np.exp(drive)
    growth = np.expm1(0.18 + 0.2 * traits.quality + 0.35 * dice.normal("growth"))
    margin = 0.42 + 0.11 * traits.quality + SECTOR_MARGIN[origins.sector]
    margin = np.clip(margin + 0.12 * dice.normal("margin"), -0.5, 0.95)
    abroad = logistic(-1.0 + 0.3 * traits.quality + 0.9 * dice.normal("export share"))
    return {
        "revenue_cny": np.where(sells, np.maximum(revenue, 1_000.0), 0.0),
        "revenue_growth": np.where(sells, np.clip(growth, -0.9, 9.0), np.nan),
        "gross_margin": np.where(sells, margin, np.nan),
        "export_share": np.where(sells, abroad * dice.happens("exports", 0.45), np.nan),
    }


def customers(dice: Dice, traits: Traits) -> Columns:
    """Return how much hangs on the largest customer, and what customers have signed for."""
    payer = -0.4 - 0.4 * traits.size - 0.2 * traits.quality
    contracts = np.exp(12.8 + 0.5 * traits.technology + 0.8 * dice.normal("contract value"))
    return {
        "customer_concentration": logistic(payer + 0.7 * dice.normal("largest customer")),
        "technology_contracts_cny": contracts * dice.happens("contracts", 0.35),
    }


def rounds(dice: Dice, traits: Traits, origins: Origins) -> Columns:
    """Rounds are geometric and their gaps gamma, as in Crunchbase: median 12 months, mean 15."""
    chance = logistic(0.1 + 0.7 * traits.money + 0.2 * traits.quality)
    funded = dice.happens("funded", chance)
    more = np.floor(np.log1p(-dice.uniform("rounds")) / np.log(ROUND_RATIO))
    closed = np.where(funded, np.minimum(1.0 + more, 8.0), 0.0)
    scale = ROUND_GAP_MONTHS / ROUND_GAP_SHAPE
    gap = dice.stream("months since round").gamma(ROUND_GAP_SHAPE, scale, dice.projects)
    since = np.clip(np.round(gap), 0, origins.firm_age_months)
    drive = 14.9 + 0.8 * traits.money + 0.3 * traits.quality + 0.7 * dice.normal("raised")
    raised = np.exp(drive + 0.6 * np.log(np.maximum(closed, 1.0)))
    backing = logistic(-0.3 + 0.6 * traits.money + 0.4 * traits.quality)
    return {
        "funding_rounds": closed,
        "months_since_round": np.where(funded, since, np.nan),
        "equity_raised_cny": np.where(funded, raised, 0.0),
        "institutional_investor": funded * dice.happens("institution", backing).astype(np.float64),
    }


def money(dice: Dice, traits: Traits, trade: Columns, rounds: Columns) -> Columns:
    """Cash is what the runway and the monthly outflow say it is."""
    runway = np.exp(2.3 + 0.5 * traits.money + 0.2 * traits.quality + 0.4 * dice.normal("runway"))
    runway = np.clip(runway, 0.3, 120.0)
    earned = trade["revenue_cny"] * np.nan_to_num(trade["gross_margin"])
    outflow = np.maximum(trade["_opex"] - earned, 0.2 * trade["_opex"]) / 12.0
    cash = runway * outflow
    rd = trade["rd_to_opex"] * trade["_opex"]
    debt = 0.40 - 0.08 * traits.quality - 0.12 * traits.money + 0.2 * dice.normal("debt")
    return {
        "runway_months": runway,
        "cash_cny": cash,
        "debt_ratio": np.clip(debt, 0.0, 2.5),
        "rd_to_funds": np.minimum(rd / (cash + rounds["equity_raised_cny"]), 5.0),
        "_rd": rd,
    }
