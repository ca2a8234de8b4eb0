from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import policy
from pricing.arrange import arranged
from pricing.errors import InputError
from pricing.instruments.rd_loan import Milestone, RdLoan
from pricing.instruments.revolving_line import RevolvingLine
from pricing.instruments.term_loan import TermLoan
from pricing.policy import POLICIES, Policy
from pricing.schedule import Terms
from pricing.support import pool
from pricing.support.scheme import Share
from pricing.support.supported import Support, Supported
from tests.pricing.cases import EDGES, Floats, flat, margins, terms
from tests.pricing.instruments.laws import assert_adds_up, assert_explained, lines, moves

CHINA = policy.load(currency="CNY")
DAY = date(2026, 3, 1)
FAIR = flat(annual_hazard=0.05, lgd=0.4)
LOAN = Terms(1e6, 36, "linear")
SCHEMES = [
    ("national_technology_guarantee", "little_giant"),
    ("national_technology_guarantee", "other_tech"),
    ("local_risk_pool", None),
    ("guarantee_80", None),
    ("first_loss_fund", None),
]
SUBSIDIES = [None, "small_firm_investment_subsidy", "technology_relending"]
some_schemes = st.sampled_from(SCHEMES)


def asked(scheme: tuple[str, str | None] | None = None, subsidy: str | None = None) -> Support:
    name, tier = scheme or (None, None)
    return Support(DAY, scheme=name, tier=tier, subsidy=subsidy)


def supported(loan: Terms, support: Support, under: Policy = CHINA) -> Supported:
    credit = TermLoan(loan).priced(under, EDGES)
    return Supported.of(credit, credit, loan, under, support)


def covering(share: float) -> Policy:
    """Return the policy with another cover of the example guarantee, which takes no fee."""
    (guarantee,) = (scheme for scheme in CHINA.schemes if scheme.name == "guarantee_80")
    bank, guarantor = guarantee.payers
    changed = replace(guarantee, payers=(replace(bank, share=Share(1 - share)), guarantor))
    return replace(CHINA, schemes=(changed,))


@given(terms(), margins(), st.none() | some_schemes, st.sampled_from(SUBSIDIES))
def test_the_lines_add_up(
    loan: Terms, m: Floats, scheme: tuple[str, str | None] | None, subsidy: str | None
) -> None:
    assert_adds_up(supported(loan, asked(scheme, subsidy)).price(m))


@given(terms(), margins(default=(-10.0, 0.0)), some_schemes)
def test_every_basis_point_of_the_expected_loss_has_a_payer(
    loan: Terms, m: Floats, scheme: tuple[str, str | None]
) -> None:
    price = supported(loan, asked(scheme)).price(m)
    parts = [leg.amount for leg in price.payers]
    assert sum(parts) == lines(price)["expected_loss"]
    assert min(parts) >= 0
    others = [leg.amount for leg in price.payers if leg.role != "bank"]
    assert math.fsum(others) == -lines(price)["scheme_loss"]


@given(terms(), margins(), some_schemes, st.sampled_from(SUBSIDIES))
def test_support_leaves_the_figure_that_is_explained_as_it_is(
    loan: Terms, m: Floats, scheme: tuple[str, str | None], subsidy: str | None
) -> None:
    alone = TermLoan(loan).priced(CHINA, EDGES)
    helped = supported(loan, asked(scheme, subsidy))
    assert helped.price(m).figure_bps == alone.price(m).figure_bps
    np.testing.assert_array_equal(helped.gradients(m[None])[1], alone.gradients(m[None])[1])


@given(terms(), moves(), some_schemes)
def test_the_weights_explain_any_move(
    loan: Terms, move: tuple[Floats, Floats], scheme: tuple[str, str | None]
) -> None:
    assert_explained(supported(loan, asked(scheme)), *move)


@given(terms(), margins(), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_more_cover_never_raises_the_price_without_a_fee(
    loan: Terms, m: Floats, one: float, other: float
) -> None:
    less, more = (
        supported(loan, asked(("guarantee_80", None)), covering(share)).price(m).charged_bps
        for share in sorted((one, other))
    )
    assert more <= less + 1e-9


@given(terms(), margins(), st.sampled_from(SUBSIDIES[1:]))
def test_public_money_never_raises_the_rate(loan: Terms, m: Floats, subsidy: str) -> None:
    helped = supported(loan, asked(subsidy=subsidy)).price(m)
    assert helped.rate <= TermLoan(loan).priced(CHINA, EDGES).price(m).rate + 1e-15


def test_a_guarantee_of_four_fifths_takes_them_off_the_expected_loss() -> None:
    price = supported(LOAN, asked(("guarantee_80", None))).price(FAIR)
    told = lines(price)
    assert told["scheme_loss"] == pytest.approx(-0.8 * told["expected_loss"], rel=1e-12)
    assert told["scheme_capital"] < 0
    assert told["scheme_fee"] == 0
    names = "ftp expected_loss capital opex margin scheme_loss scheme_capital scheme_fee floor_cap"
    assert [*told] == names.split()


def test_floor_and_cap_hold_after_the_scheme_and_before_public_money() -> None:
    safe = flat(annual_hazard=1e-4, lgd=0.4)
    under = replace(covering(1.0), opex_bps=0.0, margin_bps=0.0)
    shared = supported(LOAN, asked(("guarantee_80", None)), under).price(safe)
    assert shared.charged_bps == under.spread_floor_bps
    both = Support(DAY, scheme="guarantee_80", subsidy="small_firm_investment_subsidy")
    assert supported(LOAN, both, under).price(safe).charged_bps < under.spread_floor_bps


def test_a_subsidy_of_a_point_and_a_half_for_all_of_a_short_loan_is_that() -> None:
    # 150 bp for 24 months, in the example policy: a loan of two years has it to the end
    price = supported(Terms(1e6, 24, "linear"), asked(subsidy=SUBSIDIES[1])).price(FAIR)
    assert lines(price)["subsidy"] == pytest.approx(-150.0, rel=1e-12)
    assert price.details["support"]["programme"]["payer"] == "Central government"


def test_the_reply_tells_the_price_before_and_after() -> None:
    price = supported(LOAN, asked(("local_risk_pool", None), SUBSIDIES[2])).price(FAIR)
    alone = TermLoan(LOAN).priced(CHINA, EDGES).price(FAIR)
    told = price.details["support"]
    assert float(told["before_bps"]) == pytest.approx(alone.charged_bps, rel=0, abs=0.005)
    assert float(told["after_bps"]) == pytest.approx(price.charged_bps, rel=0, abs=0.005)
    assert told["scheme"] == "local_risk_pool"
    assert told["verified"] is False


@pytest.mark.parametrize("scheme", SCHEMES[2:], ids=str)
def test_a_scheme_shares_nothing_of_no_loss(scheme: tuple[str, str | None]) -> None:
    """A pledge that covers all of the loan, and a borrower who cannot fail."""
    safe = FAIR.copy()
    safe[0] = -math.inf
    pledged = RdLoan(Terms(1e6, 36, "bullet"), (Milestone(0, 1.0),), pledge_value=4e6)
    for deal, m in ((pledged, FAIR), (TermLoan(LOAN), safe)):
        price = arranged(deal, asked(scheme), CHINA, EDGES).price(m)
        assert lines(price)["scheme_loss"] == 0
        assert {leg.amount for leg in price.payers} == {0.0}


def test_a_subsidy_counts_what_is_drawn_not_what_is_promised() -> None:
    # 150 bp for 24 of 60 months; a tenth is drawn for 36 of them: 0.2 of 2.1 years of the loan,
    # and a little more as early payments are worth more
    late = RdLoan(Terms(1e6, 60, "bullet"), (Milestone(0, 0.1), Milestone(36, 0.9)))
    at_once = RdLoan(Terms(1e6, 60, "bullet"), (Milestone(0, 1.0),))
    ours, plain = (
        -lines(arranged(deal, asked(subsidy=SUBSIDIES[1]), CHINA, EDGES).price(FAIR))["subsidy"]
        for deal in (late, at_once)
    )
    assert 150 * 0.2 / 2.1 < ours < 150 * 0.2 / 2.1 * 1.25
    assert plain > 60


def test_a_cap_of_a_subsidy_counts_what_is_drawn_of_a_line() -> None:
    # 50 m are subsidised: 40 % of 100 m lie below
    line = RevolvingLine(Terms(1e8, 12, "bullet"), utilisation=0.4)
    price = arranged(line, asked(subsidy=SUBSIDIES[1]), CHINA, EDGES).price(FAIR)
    assert lines(price)["subsidy"] == pytest.approx(-150.0, rel=1e-12)


def test_a_cap_of_a_subsidy_counts_how_far_drawing_got() -> None:
    """50 m are subsidised. After the first year 40 m are out or, as likely, all of 100 m: 40 and
    50 m are subsidised then, so 45 m of 70 m. A cap on the mean would let 50 m of 70 m pass.
    """
    halves = (Milestone(0, 0.4), Milestone(12, 0.6, success=0.5))
    loan = RdLoan(Terms(1e8, 24, "bullet", payment_months=3), halves)
    price = arranged(loan, asked(subsidy=SUBSIDIES[1]), CHINA, EDGES).price(FAIR)
    ends = np.arange(3, 25, 3)
    worth = CHINA.funding_curve.discount[2 * ends] * price.curves.survival[ends]
    first, then = worth[:4].sum(), worth[4:].sum()
    expected = 150 * (40 * first + 45 * then) / (40 * first + 70 * then)
    assert lines(price)["subsidy"] == pytest.approx(-expected, rel=1e-12)


def test_a_cap_a_firm_is_held_to_the_most_that_may_be_drawn() -> None:
    """The plan covers firms up to 30 m; a loan that may come to 31 m is above, however likely."""
    steps = (Milestone(0, 0.2), Milestone(12, 0.8, success=0.1))
    loan = RdLoan(Terms(31e6, 24, "bullet"), steps)
    with pytest.raises(InputError, match=r"terms\.amount must be above 0 and at most 30000000"):
        arranged(loan, asked(SCHEMES[0]), CHINA, EDGES)


@pytest.mark.parametrize("months", [3, 6, 12, 36])
def test_a_pool_s_cap_counts_within_a_year_however_short_the_loan(months: int) -> None:
    """The pool covers a revolving book: by hand, 40 % of the loss times E[min(L, 3 %)] / E[L]."""
    loan = Terms(1e6, months, "bullet")
    told = lines(supported(loan, asked(("local_risk_pool", None))).price(FAIR))
    cover = pool.effective_cover(limit=0.03, pd=-math.expm1(-0.05), lgd=1.0, correlation=0.12)
    assert told["scheme_loss"] == pytest.approx(-0.4 * cover * told["expected_loss"], rel=1e-9)


def test_a_tier_without_a_scheme_is_refused() -> None:
    with pytest.raises(InputError, match=r"instrument\.tier must be left out without a scheme"):
        Support(DAY, tier="little_giant")


def test_a_scheme_or_subsidy_that_is_not_in_force_is_refused() -> None:
    for support, field in (
        (Support(date(2020, 1, 1), scheme="local_risk_pool"), "instrument.scheme"),
        (Support(date(2027, 1, 1), subsidy=SUBSIDIES[1]), "instrument.subsidy"),
    ):
        with pytest.raises(InputError) as raised:
            supported(LOAN, support)
        assert [fault.field for fault in raised.value.faults] == [field]


def test_a_loan_above_the_cap_of_a_scheme_names_the_amount() -> None:
    with pytest.raises(InputError, match=r"terms\.amount must be above 0 and at most 30000000"):
        supported(replace(LOAN, amount=31e6), asked(SCHEMES[0]))


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        (
            "compensation_cap = 0.03",
            "compensation_cap = -0.03",
            "policy.schemes[1].compensation_cap",
        ),
        (
            'role = "local_pool", share = 0.40',
            'role = "local_pool", share = 1.40',
            "policy.schemes[1].payers[1].share",
        ),
        (
            'role = "guarantor", share = "rest"',
            'role = "guarantor", share = 0.7',
            "policy.schemes[2].payers",
        ),
        ("months = 24", "months = -24", "policy.subsidies[0].months"),
    ],
)
def test_a_policy_with_impossible_support_names_the_field(
    before: str, after: str, field: str
) -> None:
    content = (POLICIES / "cny.toml").read_text("utf-8")
    assert content.count(before) == 1
    with pytest.raises(InputError) as raised:
        policy.parse(content.replace(before, after).encode())
    assert [fault.field for fault in raised.value.faults] == [field]
