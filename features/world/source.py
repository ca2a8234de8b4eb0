"""Who tells what: the source of every column, and how late it tells."""

from __future__ import annotations

TOLD_BY: dict[str, tuple[str, ...]] = {
    "application": (
        "founder_experience_years",
        "loan_amount_cny",
        "term_months",
        "repayment",
        "grace_months",
        "collateral_coverage",
        "ip_pledged",
    ),
    "registry": ("firm_age_months", "sector", "region"),
    "filings": ("rd_to_opex", "gross_margin", "debt_ratio"),
    "tax": ("rd_to_funds", "export_share", "revenue_cny", "revenue_growth"),
    "patent_office": (
        "patents_granted",
        "forward_citations",
        "family_size",
        "patent_claims",
        "patent_generality",
    ),
    "tech_office": (
        "technology_contracts_cny",
        "technology_awards",
        "high_tech_enterprise",
        "specialised_sme",
    ),
    "social_insurance": ("rd_staff_share", "graduate_staff_share", "employees"),
    "funding_rounds": (
        "prior_exits",
        "equity_raised_cny",
        "funding_rounds",
        "months_since_round",
        "institutional_investor",
    ),
    "bank_flows": ("customer_concentration", "runway_months", "cash_cny", "late_payments"),
    "courts": ("court_cases",),
    "statistics": ("policy_rate_percent", "sector_growth"),
}
# Days from when a fact is true until the source tells it, at most; our choice.
LATE_DAYS = {
    "application": 0,
    "registry": 30,
    "filings": 120,
    "tax": 45,
    "patent_office": 60,
    "tech_office": 90,
    "social_insurance": 30,
    "funding_rounds": 60,
    "bank_flows": 5,
    "courts": 90,
    "statistics": 40,
}
