from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import policy
from pricing.arrange import HIGHEST_SPREAD_BPS, arranged
from pricing.capital.raroc import Rewarded
from pricing.credit import Credit
from pricing.deal import Deal
from pricing.errors import InputError, PolicyError
from pricing.feedback import FedBack, Feedback
from pricing.ifrs9.ecl import Scenario
from pricing.ifrs9.provision import Provisioned
from pricing.instrument import Around
from pricing.instruments.equity import Equity, EquityStake
from pricing.instruments.guarantee import Guarantee
from pricing.instruments.insurance import Insurance
from pricing.instruments.ma_loan import MaLoan
from pricing.instruments.rd_loan import Milestone, RdLoan
from pricing.instruments.revolving_line import RevolvingLine
from pricing.instruments.term_loan import TermLoan
from pricing.instruments.venture_debt import VentureDebt
from pricing.offers import NOTHING_ELSE
from pricing.override import NUMBERS, Overrides
from pricing.prudence import Prudent
from pricing.schedule import Terms
from pricing.support.supported import Support, Supported
from pricing.thin_data import ThinData
from pricing.warrant import Warrant
from tests.pricing.cases import EDGES, Floats, flat, margins
from tests.pricing.instruments.laws import assert_adds_up, assert_explained, lines, moves

CHINA = policy.load(currency="CNY")
DAY = date(2026, 3, 1)
FAIR = flat(annual_hazard=0.05, lgd=0.4)
LOAN = Terms(1e6, 36, "linear", payment_months=3)
BULLET = Terms(1e6, 36, "bullet", payment_months=3)
LOANS: tuple[Deal, ...] = (
    TermLoan(LOAN),
    RevolvingLine(BULLET, utilisation=0.4, commitment_fee_bps=25.0),
    RdLoan(BULLET, (Milestone(0, 0.5), Milestone(12, 0.5, success=0.8)), pledge_value=1e6),
    MaLoan(LOAN, deal_value=2e6, controlling=True),
    VentureDebt(LOAN, Warrant(0.05, years=7, volatility=0.6)),
)
PROMISES: tuple[Deal, ...] = (Guarantee(BULLET, 0.8), Insurance(BULLET, "rd_failure"))
STAKE = Equity(1e6, 0.1, 60, exit_value=5e7, discount_rate=0.12)
DEALS = (*LOANS, *PROMISES)

POOL = Support(DAY, scheme="local_risk_pool", subsidy="technology_relending")
FED_BACK = replace(CHINA, feedback=Feedback(0.05, 400.0))
THIN = replace(CHINA, thin_data=ThinData(firms=500, defaults=25, confidence=0.75))
FORESEEN = replace(CHINA, scenarios=(Scenario("base", 0.6), Scenario("bad", 0.4, 0.5)))
EVERYTHING = replace(
    FED_BACK, thin_data=THIN.thin_data, scenarios=FORESEEN.scenarios
)  # all sections of a policy at once
deals = st.sampled_from(DEALS)
loans = st.sampled_from(LOANS)


def kind(deal: Deal) -> str:
    return deal.kind


@given(st.sampled_from((*DEALS, STAKE)), margins())
def test_with_nothing_around_it_a_deal_is_priced_as_it_is(deal: Deal, m: Floats) -> None:
    ours = arranged(deal, None, CHINA, EDGES).price(m)
    assert ours.waterfall == deal.priced(CHINA, EDGES).price(m).waterfall


def layers(under: policy.Policy, support: Support | None = None) -> list[type]:
    """Return what is around a loan, from the outside in."""
    at, found = arranged(LOANS[0], support, under, EDGES), []
    while isinstance(at, Around | FedBack):
        found.append(type(at))
        at = at.instrument
    return [*found, type(at)]


def test_each_section_of_a_policy_puts_its_own_around_a_loan() -> None:
    assert layers(CHINA) == [Rewarded, Credit]
    assert layers(FED_BACK) == [Rewarded, FedBack, Credit]
    everything = [Rewarded, Provisioned, Supported, Prudent, FedBack, Credit]
    assert layers(EVERYTHING, POOL) == everything


@pytest.mark.parametrize("deal", LOANS, ids=kind)
def test_the_lines_of_a_loan_add_up_with_everything_around_it(deal: Deal) -> None:
    price = arranged(deal, POOL, EVERYTHING, EDGES).price(FAIR)
    assert_adds_up(price)
    assert {"thin_data", "scheme_loss", "relending", "floor_cap"} <= {*lines(price)}
    assert {"support", "ecl", "raroc"} <= {*price.details}


@given(loans, moves())
def test_the_weights_explain_any_move_under_feedback(
    deal: Deal, move: tuple[Floats, Floats]
) -> None:
    start, end = move
    start[0], end[0] = np.minimum(start[0], -6.0), np.minimum(end[0], -6.0)  # 3 % a year
    assert_explained(arranged(deal, POOL, FED_BACK, EDGES), start, end)


@given(deals, margins())
def test_thin_data_never_lower_a_price(deal: Deal, m: Floats) -> None:
    """A floor of PD on a hazard where Basel's charge rises, under a policy without a cap."""
    m[0] = np.minimum(m[0], -4.5)
    under = replace(THIN, spread_cap_bps=None)
    price = arranged(deal, None, under, EDGES).price(m)
    assert lines(price)["thin_data"] >= -1e-9
    assert_adds_up(price)


@pytest.mark.parametrize("utilisation", [0.1, 0.4, 1.0])
def test_what_is_set_aside_for_a_line_is_for_what_a_default_finds_drawn(utilisation: float) -> None:
    """EAD = limit (u + c (1 - u)); the rest is a bullet's, discounted at the line's own rate."""
    year = Terms(1e6, 12, "bullet", payment_months=12)
    line, bullet = (
        arranged(deal, None, FORESEEN, EDGES).price(FAIR)
        for deal in (RevolvingLine(year, utilisation), TermLoan(year))
    )
    exposure = utilisation + 0.40 * (1 - utilisation)
    expected = exposure * bullet.details["ecl"]["lifetime"] * (1 + bullet.rate) / (1 + line.rate)
    assert line.details["ecl"]["lifetime"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("deal", PROMISES, ids=kind)
def test_a_promise_has_no_rate_that_feeds_back_and_no_provision_of_a_loan(deal: Deal) -> None:
    assert isinstance(arranged(deal, None, FED_BACK, EDGES), Credit)
    assert "ecl" not in arranged(deal, None, FORESEEN, EDGES).price(FAIR).details


@pytest.mark.parametrize("deal", [*PROMISES, STAKE], ids=kind)
@pytest.mark.parametrize("under", [CHINA, THIN], ids=["plain", "thin"])
def test_nobody_shares_the_losses_of_what_is_not_lent(deal: Deal, under: policy.Policy) -> None:
    for support, name in (
        (Support(DAY, scheme="local_risk_pool"), "scheme"),
        (Support(DAY, subsidy="technology_relending"), "subsidy"),
    ):
        with pytest.raises(InputError) as raised:
            arranged(deal, support, under, EDGES)
        (fault,) = raised.value.faults
        assert (fault.field, fault.expected) == (
            f"instrument.{name}",
            f"left out for {deal.kind}",
        )


@pytest.mark.parametrize("deal", [*PROMISES, STAKE], ids=kind)
def test_a_lender_s_numbers_cannot_be_asked_for_where_nothing_is_lent(deal: Deal) -> None:
    under = replace(CHINA, overrides=Overrides({"anyone": dict.fromkeys(NUMBERS, (0.0, 5000.0))}))
    asked = dict.fromkeys(NUMBERS, 100.0)
    with pytest.raises(InputError) as raised:
        arranged(deal, None, under, EDGES, asked)
    assert {fault.field: fault.expected for fault in raised.value.faults} == {
        f"overrides.{name}": f"left out for {deal.kind}" for name in NUMBERS
    }
    for name in NUMBERS:  # each of which a loan uses
        plain, changed = (
            arranged(LOANS[0], None, under, EDGES, numbers).price(FAIR).charged_bps
            for numbers in ({}, {"spread_floor_bps": 2000.0} if "floor" in name else {name: 60.0})
        )
        assert changed != plain, name


@pytest.mark.parametrize(
    "deal", [deal for deal in DEALS if deal.kind not in ("term_loan", "venture_debt")], ids=kind
)
def test_a_policy_that_offers_nothing_else_quotes_nothing_else(deal: Deal) -> None:
    with pytest.raises(PolicyError, match="offers no"):
        arranged(deal, None, replace(CHINA, offers=NOTHING_ELSE), EDGES)


def test_a_stake_is_no_lender_s_affair() -> None:
    stake = arranged(STAKE, None, EVERYTHING, EDGES)
    assert isinstance(stake, EquityStake)


@pytest.mark.parametrize("amount", [0.01, 1e15])
@pytest.mark.parametrize("deal", LOANS, ids=kind)
def test_the_least_and_the_largest_amount_have_a_finite_price(deal: Deal, amount: float) -> None:
    """Warnings are errors, so that nothing overflows on the way either."""
    terms = replace(deal.terms, amount=amount)
    if isinstance(deal, MaLoan):
        deal = MaLoan(terms, deal_value=2 * amount, controlling=True)
    else:
        deal = replace(deal, terms=terms)  # type: ignore[type-var]
    told = arranged(deal, POOL, EVERYTHING, EDGES).price(FAIR)
    assert np.isfinite([told.rate, *lines(told).values(), told.details["ecl"]["lifetime"]]).all()


@pytest.mark.parametrize("amount", [5e-324, 0.009, 1.1e15, 1e308, -1.0, 0.0])
def test_an_amount_that_no_currency_has_is_refused(amount: float) -> None:
    with pytest.raises(InputError, match=r"terms\.amount must be a number from 0\.01 to 1e\+15"):
        replace(LOAN, amount=amount)


def test_without_a_cap_a_fixed_point_ends_at_a_spread_of_all() -> None:
    for cap_bps, expected in ((None, HIGHEST_SPREAD_BPS), (3000.0, 3000.0)):
        whole = arranged(LOANS[0], None, replace(FED_BACK, spread_cap_bps=cap_bps), EDGES)
        assert isinstance(whole, Rewarded)
        assert isinstance(whole.instrument, FedBack)
        assert whole.instrument.cap_bps == expected
