"""What the lender does not get to see: single columns, and whole sources, hidden for a reason."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.world.dice import Dice, Floats, logistic
from features.world.source import TOLD_BY
from features.world.traits import Traits

# The chance that an average project does not show a column; all our choice.
HIDDEN = {
    "rd_to_opex": 0.05,
    "rd_to_funds": 0.03,
    "rd_staff_share": 0.04,
    "graduate_staff_share": 0.05,
    "technology_awards": 0.03,
    "founder_experience_years": 0.015,
    "prior_exits": 0.02,
    "customer_concentration": 0.015,
    "export_share": 0.04,
    "gross_margin": 0.012,
    "revenue_growth": 0.012,
    "debt_ratio": 0.008,
    "collateral_coverage": 0.008,
    "ip_pledged": 0.01,
    "region": 0.005,
    "patent_claims": 0.02,
    "employees": 0.01,
    "sector_growth": 0.005,
}
# The chance that an average project withholds a source as a whole; our choice.
WITHHELD = {
    "filings": 0.01,
    "tax": 0.01,
    "patent_office": 0.01,
    "tech_office": 0.01,
    "social_insurance": 0.01,
    "funding_rounds": 0.01,
    "bank_flows": 0.01,
    "courts": 0.01,
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
    for source, chance in WITHHELD.items():
        withheld = dice.happens(f"withhold {source}", _chance(chance, traits.quality))
        for name in TOLD_BY[source]:
            hidden[name] = hidden.get(name, False) | withheld
    return columns.with_columns(
        pl.when(pl.Series(mask)).then(None).otherwise(pl.col(name)).alias(name)
        for name, mask in hidden.items()
    )


def _column(dice: Dice, columns: pl.DataFrame, traits: Traits, name: str) -> NDArray[np.bool_]:
    shame = np.zeros(dice.projects)
    if name in VALUE:
        values = columns[name]
        z = (values - values.mean()) / values.std()
        shame = VALUE[name] * z.fill_null(0.0).to_numpy()
    return dice.happens(f"hide {name}", _chance(HIDDEN[name], traits.quality, shame))


def _chance(chance: float, quality: Floats, shame: Floats | float = 0.0) -> Floats:
    return logistic(np.log(chance / (1.0 - chance)) - QUALITY * quality + shame)
