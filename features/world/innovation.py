"""What a project knows and can do: its people, its patents, the titles it may hold.

Published facts that the numbers reproduce; every other number is our choice.

- Listed firms 1991-99 (Aghion, Van Reenen & Zingales 2013): patents rise with R&D at an elasticity
  of 0.38, and log(1 + citations a patent) has a standard deviation of 0.76.
- High-tech enterprise: R&D over revenue of 5 % up to 50 m of revenue, 4 % up to 200 m, 3 % above,
  and 10 % of the staff technical.
- Specialised SME: three years in the niche, a debt ratio of at most 70 %, R&D over revenue of 3 %
  above 100 m of revenue and 6 % between 50 and 100 m.
"""

from __future__ import annotations

import numpy as np

from features.world.dice import Columns, Dice, logistic
from features.world.traits import Origins, Traits

RD_ELASTICITY = 0.38
PATENT_YEARS = 5.0  # after which the effect of the first grant is full
# In the order of SECTORS.
SECTOR_RD_STAFF = np.array([0.5, 0.8, 0.4, 0.0, 0.5, 0.1, 0.0, 0.0, 0.4, -0.4, -0.5, -0.1])
SECTOR_PATENTS = np.array([0.4, 0.5, 0.4, -0.6, -0.2, 0.3, 0.3, 0.1, 0.3, 0.0, -0.4, 0.0])


def people(dice: Dice, traits: Traits, origins: Origins) -> Columns:
    """Return the staff before patents made it grow, and the founders."""
    rd = -0.5 + 0.75 * traits.technology + SECTOR_RD_STAFF[origins.sector]
    graduates = -1.1 + 0.5 * traits.technology + 0.5 * traits.team
    staff = 2.6 + 0.6 * traits.size + 0.15 * traits.team
    years = 8.0 + 3.5 * traits.team + 3.0 * dice.normal("founder experience")
    return {
        "rd_staff_share": logistic(rd + 0.5 * dice.normal("rd staff")),
        "graduate_staff_share": logistic(graduates + 0.6 * dice.normal("graduates")),
        "founder_experience_years": np.clip(years, 0, 45),
        "prior_exits": dice.count("prior exits", np.exp(-1.9 + 0.5 * traits.team)),
        "_staff": np.exp(staff + 0.35 * dice.normal("staff")),
    }


def patents(dice: Dice, traits: Traits, origins: Origins, people: Columns) -> Columns:
    """Grants follow R&D people at the elasticity of the listed firms, and take time."""
    rd_people = np.log(people["_staff"] * people["rd_staff_share"])
    time = np.minimum(origins.firm_age_months / 36.0, 2.0)
    rate = -0.25 + RD_ELASTICITY * (rd_people - 1.6)
    rate += 0.55 * traits.technology + 0.2 * traits.quality
    granted = dice.count("patents", time * np.exp(rate + SECTOR_PATENTS[origins.sector]))
    has = granted > 0
    first_grant = origins.firm_age_months / 12.0 * (0.1 + 0.6 * dice.uniform("first grant"))
    seen = has & (first_grant >= 1.0)  # younger patents cannot have been cited yet
    citations = np.exp(1.0 + 0.5 * traits.quality + 0.56 * dice.normal("citations"))
    generality = logistic(0.2 + 0.5 * traits.technology + 0.8 * dice.normal("generality"))
    family, claims = np.exp(0.3 + 0.4 * traits.money), np.exp(2.0 + 0.2 * traits.team)
    return {
        "patents_granted": granted,
        "forward_citations": np.where(seen, citations, np.nan),
        "family_size": np.where(has, 1.0 + dice.count("family", family), np.nan),
        "patent_claims": np.where(has, 1.0 + dice.count("claims", claims), np.nan),
        "patent_generality": np.where(seen, generality, np.nan),
        "_patent_growth": np.where(has, np.minimum(first_grant, PATENT_YEARS) / PATENT_YEARS, 0.0),
    }


def recognition(dice: Dice, traits: Traits, origins: Origins, known: Columns) -> Columns:
    """The two titles follow the published thresholds; not every firm that may hold one applies."""
    sales = known["revenue_cny"]
    share = known["_rd"] / np.maximum(sales, 1.0)
    needed = np.select([sales <= 50e6, sales <= 200e6], [0.05, 0.04], 0.03)
    able = (sales > 0) & (share >= needed) & (known["rd_staff_share"] >= 0.10)
    high_tech = able & (origins.firm_age_months >= 12)
    bar = np.select([sales > 100e6, sales > 50e6], [0.03, 0.06], 0.0)
    special = (share >= bar) & (known["debt_ratio"] <= 0.7) & (origins.firm_age_months >= 36)
    awards = np.exp(-1.5 + 0.5 * traits.technology + 0.2 * traits.quality)
    listed = dice.happens("listed", logistic(-0.8 + 0.6 * traits.quality))
    return {
        "high_tech_enterprise": (high_tech & dice.happens("high tech", 0.55)).astype(np.float64),
        "specialised_sme": (special & (sales > 0) & listed).astype(np.float64),
        "technology_awards": dice.count("awards", awards),
    }
