"""The true hazards of default, early repayment and acquisition, given a project's columns.

    log λ(t) = baseline(t) + level + early(t) · early effect + late(t) · late effect
               + strain effect · strain(calendar month) + frailty

for t = 1, 2, ... months since origination, λ per month. Effects are functions of the columns as
they truly are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from features.world.dice import Floats, logistic
from features.world.traits import SECTORS

MONTHS = 84  # the longest term
AGES = np.arange(1, MONTHS + 1, dtype=np.float64)

# Default peaks in the second year (Glennon & Nigro 2005). The height gives 15-20 % lifetime
# defaults, as small-business loans of the SBA have (17.56 % of them were charged off).
PEAK = 1.10 * np.exp(-(((AGES - 19.0) / 9.5) ** 2))
SEASONING = -0.7 * np.exp(-AGES / 4.0)  # few stop paying at once, our choice
BASELINE = -6.26 + PEAK + SEASONING - 0.004 * AGES
EARLY = np.exp(-AGES / 14.0)  # a short runway matters in the first year, our choice
LATE = logistic((AGES - 22.0) / 6.0)  # patents matter from the third year on, our choice
REPAID_BASELINE = -4.9 + 0.8 * logistic((AGES - 12.0) / 5.0)
ACQUIRED_BASELINE = -6.6 + 0.5 * logistic((AGES - 24.0) / 8.0)

STRAIN_DEFAULT = 0.18  # effect of one unit of strain, our choice
STRAIN_EXIT = -0.15
FRAILTY = 0.25  # standard deviation of what no column says, our choice

# In the order of SECTORS; our choice.
SECTOR_RISK = np.array([0.1, 0.3, 0.0, -0.2, 0.15, 0.0, 0.05, 0.3, 0.15, -0.3, -0.1, 0.0])
# Where a patent protects a product rather than a part of one; our choice.
SCIENCE = ("semiconductors", "biotech", "medical_devices", "new_materials", "clean_energy")
REGION_RISK = {
    "north": 0.0,
    "northeast": 0.15,
    "east": -0.08,
    "central": 0.05,
    "south": -0.08,
    "southwest": 0.08,
    "northwest": 0.12,
}


@dataclass(frozen=True)
class Effects:
    """What the columns add to the log hazards, (projects,) each; `term_months` ends the loan."""

    level: Floats
    early: Floats
    late: Floats
    repaid: Floats
    acquired: Floats
    term_months: Floats

    @classmethod
    def of(cls, columns: pl.DataFrame) -> Effects:
        """Return the effects of the columns as they truly are (nothing hidden)."""
        known = _Known(columns)
        return cls(
            level=_money(known) + _firm(known) + _innovation(known) + _loan(known),
            early=_early(known),
            late=_late(known),
            repaid=_repaid(known),
            acquired=_acquired(known),
            term_months=known("term_months"),
        )

    def rows(self, part: slice) -> Effects:
        """Return the effects of some of the projects."""
        return Effects(*(getattr(self, name)[part] for name in self.__dataclass_fields__))

    def default(self) -> Floats:
        """Return log monthly hazards of default without strain and frailty: (projects, MONTHS)."""
        log_hazard: Floats = (
            BASELINE + self.level[:, None] + EARLY * self.early[:, None] + LATE * self.late[:, None]
        )
        return np.clip(log_hazard, -12.0, -0.7)

    def exits(self) -> Floats:
        """Return log monthly hazards of repayment and acquisition: (2, projects, MONTHS)."""
        repaid = REPAID_BASELINE + self.repaid[:, None]
        acquired = ACQUIRED_BASELINE + self.acquired[:, None]
        return np.clip(np.stack([repaid, acquired]), -12.0, -1.0)


@dataclass(frozen=True)
class _Known:
    """Columns as numbers: a category as itself, a flag as 0 or 1, what is undefined as `empty`."""

    columns: pl.DataFrame

    def __call__(self, name: str, *, empty: float = 0.0) -> Floats:
        values = self.columns[name].cast(pl.Float64).fill_null(empty)
        return values.to_numpy()

    def has(self, name: str) -> Floats:
        return self.columns[name].is_not_null().cast(pl.Float64).to_numpy()

    def millions(self, name: str) -> Floats:
        """Return log(1 + millions)."""
        return np.log1p(self(name) / 1e6)

    def mapped(self, name: str, values: dict[str, float]) -> Floats:
        return self.columns[name].replace_strict(values, return_dtype=pl.Float64).to_numpy()


def _money(known: _Known) -> Floats:
    """Return what income, debt and cash do; debt costs more where the policy rate is high."""
    growth = known("revenue_growth")
    overtrading = 0.30 * np.maximum(growth - 1.0, 0.0)
    debt = np.maximum(known("debt_ratio") - 0.3, 0.0) * (1.0 + 0.15 * known("policy_rate_percent"))
    squeezed = (known("debt_ratio") > 0.55) & (growth < 0.0)
    cover = np.log((known("cash_cny") + 5e4) / known("loan_amount_cny"))
    return np.asarray(
        -0.22 * (known.millions("revenue_cny") - 1.2)
        - 0.35 * np.tanh(1.5 * growth)
        + overtrading
        - 1.1 * (known("gross_margin", empty=0.42) - 0.42)
        + 0.9 * debt
        + 0.50 * squeezed
        - 0.16 * np.clip(cover, -3.0, 3.0)
        - 0.10 * known.millions("equity_raised_cny")
        + 0.010 * np.minimum(known("months_since_round", empty=30.0), 36.0)
        - 0.15 * known("institutional_investor")
        + 0.10 * (known("policy_rate_percent") - 3.0)
    )


def _firm(known: _Known) -> Floats:
    """Return what the firm's people, age, conduct, customers and market do."""
    hostage = (known("customer_concentration") > 0.6) & (known("employees") < 20.0)
    risk = dict(zip(SECTORS, SECTOR_RISK.tolist(), strict=True))
    return np.asarray(
        -0.035 * (np.minimum(known("founder_experience_years"), 25.0) - 8.0)
        - 0.18 * np.minimum(known("prior_exits"), 3.0)
        - 0.28 * (np.log1p(known("firm_age_months")) - 3.4)
        + 0.32 * np.minimum(known("late_payments"), 4.0)
        + 0.35 * np.log1p(known("court_cases"))
        + 0.40 * (known("customer_concentration") - 0.41)
        + 0.50 * hostage
        - 1.8 * (known("sector_growth") - 0.1)
        + known.mapped("sector", risk)
        + known.mapped("region", REGION_RISK)
    )


def _innovation(known: _Known) -> Floats:
    """Return what innovation does: U-shaped in R&D, as one study finds of the loan spread.

    Patent value lowers the probability of default, and the count does only with adequate equity
    (Pederzoli et al. 2013): see `_late`.
    """
    return np.asarray(
        2.2 * (known("rd_to_opex") - 0.5) ** 2
        + 0.12 * np.minimum(known("rd_to_funds"), 3.0)
        - 0.025 * np.sqrt(known("technology_contracts_cny") / 1e4)
        - 0.18 * known("high_tech_enterprise")
        - 0.20 * known("specialised_sme")
    )


def _loan(known: _Known) -> Floats:
    """Return what the loan does: collateral binds, and one large last payment is hard to make."""
    bullet = known.columns["repayment"].eq("bullet").cast(pl.Float64).to_numpy()
    return -0.40 * np.minimum(known("collateral_coverage"), 1.5) + 0.18 * bullet


def _early(known: _Known) -> Floats:
    """Return the risk of running out of money before the next round."""
    runway = known("runway_months")
    alone = (runway < 9.0) & (known("institutional_investor") == 0.0)
    return np.asarray(-0.75 * np.log((runway + 1.0) / 11.0) + 0.8 * alone)


def _late(known: _Known) -> Floats:
    """Return what shows late: patents keep firms from bankruptcy (Kato et al. 2022)."""
    adequate = 1.0 / (1.0 + np.exp((known("debt_ratio") - 0.6) / 0.08))
    science = np.where(known.columns["sector"].is_in(SCIENCE).to_numpy(), 1.0, 0.15)
    long_and_thin = (known("term_months") > 48.0) & (known("gross_margin", empty=0.0) < 0.35)
    return np.asarray(
        -0.55 * np.log1p(known("patents_granted")) * adequate * science
        - 0.25 * np.log1p(known("forward_citations"))
        - 0.15 * known.has("family_size") * np.log(known("family_size", empty=1.0))
        + 0.35 * long_and_thin
        + 0.30
    )


def _repaid(known: _Known) -> Floats:
    """Return what makes firms repay early: growth, cash and fresh equity."""
    return np.asarray(
        0.35 * np.tanh(known("revenue_growth"))
        + 0.12 * np.log1p(known("cash_cny") / known("loan_amount_cny"))
        + 0.2 * known("institutional_investor")
        - 0.25 * np.minimum(known("collateral_coverage"), 1.5)
    )


def _acquired(known: _Known) -> Floats:
    """Return what makes firms be bought: patents do (Kato et al. 2022: more merger)."""
    return np.asarray(
        0.35 * np.log1p(known("patents_granted"))
        + 0.15 * np.log1p(known("forward_citations"))
        + 0.3 * known("institutional_investor")
        + 0.25 * np.log1p(known("prior_exits"))
        + 1.0 * known("sector_growth")
    )
