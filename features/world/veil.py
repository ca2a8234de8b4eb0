"""What the lender does not get to see: single columns, and whole sources, hidden for a reason."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.world.dice import Dice, Floats, logistic
from features.world.project import Traits

# The chance that an average project does not show a column; all our choice.
HIDDEN = {
    "rd_to_opex": 0.10,
    "rd_to_funds": 0.05,
    "rd_staff_share": 0.08,
    "graduate_staff_share": 0.10,
    "technology_awards": 0.05,
    "founder_experience_years": 0.06,
    "prior_exits": 0.04,
    "customer_concentration": 0.08,
    "export_share": 0.06,
    "gross_margin": 0.05,
    "revenue_growth": 0.05,
    "debt_ratio": 0.03,
    "collateral_coverage": 0.03,
    "ip_pledged": 0.02,
    "region": 0.01,
    "patent_claims": 0.03,
    "employees": 0.01,
    "sector_growth": 0.02,
}
# The chance that an average project withholds a source as a whole, and what the source tells.
SOURCES: dict[str, tuple[float, tuple[str, ...]]] = {
    "filings": (0.03, ("rd_to_opex", "gross_margin", "debt_ratio")),
    "tax": (
        0.03,
        ("rd_to_funds", "export_share", "revenue_cny", "revenue_growth"),
    ),
    "patent_office": (
        0.03,
        (
            "patents_granted",
            "forward_citations",
            "family_size",
            "patent_claims",
            "patent_generality",
        ),
    ),
    "tech_office": (
        0.03,
        (
            "technology_contracts_cny",
            "technology_awards",
            "high_tech_enterprise",
            "specialised_sme",
        ),
    ),
    "social_insurance": (0.03, ("rd_staff_share", "graduate_staff_share", "employees")),
    "funding_rounds": (
        0.03,
        (
            "prior_exits",
            "equity_raised_cny",
            "funding_rounds",
            "months_since_round",
            "institutional_investor",
        ),
    ),
    "bank_flows": (
        0.03,
        ("customer_concentration", "runway_months", "cash_cny", "late_payments"),
    ),
    "courts": (0.03, ("court_cases",)),
}
QUALITY = 0.6  # a project one standard deviation better hides that much less, in log odds
VALUE = {  # and hides a number more when it looks bad: log odds a standard deviation of the column
    "gross_margin": -0.5,
    "debt_ratio": 0.5,
    "customer_concentration": 0.5,
    "revenue_growth": -0.5,
}


def hide(dice: Dice, columns: pl.DataFrame, traits: Traits) -> pl.DataFrame:
    """Return the columns with what is not shown as null: worse projects show less."""
    hidden = {name: _column(dice, columns, traits, name) for name in HIDDEN}
    for source, (chance, names) in SOURCES.items():
        withheld = dice.happens(f"withhold {source}", _chance(chance, traits.quality))
        for name in names:
            hidden[name] = hidden.get(name, False) | withheld
    return columns.with_columns(
        pl.when(pl.Series(mask)).then(None).otherwise(pl.col(name)).alias(name)
        for name, mask in hidden.items()
    )


def _column(dice: Dice, columns: pl.DataFrame, traits: Traits, name: str) -> np.ndarray:
    shame = np.zeros(dice.projects)
    if name in VALUE:
        values = columns[name]
        z = (values - values.mean()) / values.std()
        shame = VALUE[name] * z.fill_null(0.0).to_numpy()
    return dice.happens(f"hide {name}", _chance(HIDDEN[name], traits.quality, shame))


def _chance(chance: float, quality: Floats, shame: Floats | float = 0.0) -> Floats:
    return logistic(np.log(chance / (1.0 - chance)) - QUALITY * quality + shame)
