from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from pricing import policy
from pricing.arrange import arranged
from pricing.deal import Deal
from pricing.errors import InputError
from pricing.feedback import Feedback
from pricing.ifrs9 import ecl
from pricing.ifrs9.cycle import Cycle, moved
from pricing.ifrs9.ecl import Scenario
from pricing.ifrs9.staging import Stage
from pricing.instrument import Price
from pricing.instruments.rd_loan import Milestone, RdLoan
from pricing.instruments.term_loan import TermLoan
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.support import sharing
from pricing.support.supported import Support
from pricing.thin_data import ThinData
from tests.pricing.cases import EDGES, Floats, flat
from tests.pricing.instruments.laws import lines

CHINA = policy.load(currency="CNY")
FORESEEN = replace(CHINA, scenarios=(Scenario("base", 0.6), Scenario("bad", 0.4, 0.5)))
DAY = date(2026, 3, 1)
LOAN = Terms(1e6, 36, "annuity", payment_months=3)
FAIR = flat(annual_hazard=0.05, lgd=0.4)
PLAN = Support(DAY, scheme="national_technology_guarantee", tier="high_tech")
RELENDING = Support(DAY, subsidy="technology_relending")
SUBSIDY = Support(DAY, subsidy="small_firm_investment_subsidy")


def priced(support: Support | None = None, under: Policy = FORESEEN, m: Floats = FAIR) -> Price:
    deal: Deal = TermLoan(LOAN)
    return arranged(deal, support, under, EDGES).price(m)


def told(support: Support | None = None, under: Policy = FORESEEN) -> dict[str, Any]:
    return dict(priced(support, under).details["ecl"])


def with_integral(name: str) -> Policy:
    schemes = [replace(one, integral=one.name == name) for one in CHINA.schemes]
    return replace(FORESEEN, schemes=tuple(schemes))


def assert_set_aside(price: Price, rate: float) -> None:
    """The losses are those of a plain loan at that rate, which discounts and repays it."""
    apart = ecl.of_loan(
        price.margins,
        EDGES,
        LOAN,
        annual_rate=rate,
        stage=Stage.PERFORMING,
        scenarios=FORESEEN.scenarios,
    )
    said = price.details["ecl"]
    assert said["eir"] == pytest.approx((1 + rate / 4) ** 4 - 1, rel=0, abs=1e-6)
    assert said["twelve_month"] == pytest.approx(apart.twelve_month, rel=0, abs=0.006)
    assert said["lifetime"] == pytest.approx(apart.lifetime, rel=0, abs=0.006)


@pytest.mark.parametrize("support", [None, PLAN, RELENDING], ids=["alone", "plan", "relending"])
def test_losses_are_discounted_at_the_rate_that_is_charged(support: Support | None) -> None:
    price = priced(support)
    assert_set_aside(price, price.rate)


def test_a_floor_is_part_of_the_rate_that_discounts() -> None:
    dear = replace(FORESEEN, spread_floor_bps=2000.0)
    price = priced(under=dear)
    assert lines(price)["floor_cap"] > 500
    assert_set_aside(price, price.rate)


def test_interest_that_a_subsidy_pays_for_the_client_is_interest_all_the_same() -> None:
    price = priced(SUBSIDY)
    assert lines(price)["subsidy"] < -100
    assert_set_aside(price, priced().rate)


def test_another_rate_would_be_noticed() -> None:
    with pytest.raises(AssertionError):
        assert_set_aside(priced(PLAN), priced().rate)


def test_the_risk_is_that_of_the_rate_itself() -> None:
    price = priced(PLAN, replace(FORESEEN, feedback=Feedback(0.05, 300.0)))
    assert not np.array_equal(price.margins, FAIR)
    assert_set_aside(price, price.rate)


def test_an_expectation_is_not_prudent() -> None:
    thin = replace(FORESEEN, thin_data=ThinData(firms=500, defaults=60, confidence=0.75))
    price = priced(under=thin)
    assert lines(price)["thin_data"] > 10
    assert_set_aside(price, price.rate)


def test_a_scheme_apart_from_the_contract_leaves_the_loss_gross() -> None:
    # IFRS 9, B5.5.55: cover that is not part of the contractual terms is no lower loss
    said = told(PLAN)
    assert "twelve_month_net" not in said
    assert said["booked"] == said["twelve_month"]


def test_an_integral_guarantee_of_four_fifths_leaves_a_fifth() -> None:
    said = told(Support(DAY, scheme="guarantee_80"), with_integral("guarantee_80"))
    assert said["twelve_month_net"] == pytest.approx(said["twelve_month"] / 5, abs=0.01)
    assert said["lifetime_net"] == pytest.approx(said["lifetime"] / 5, abs=0.01)
    assert said["booked"] == said["twelve_month_net"]


def test_an_integral_pool_pays_less_of_a_bad_year() -> None:
    """Its cap binds scenario by scenario: a mean of means would say more relief than there is."""
    pool = Support(DAY, scheme="local_risk_pool")
    under = with_integral("local_risk_pool")
    (scheme,) = (one for one in under.schemes if one.name == "local_risk_pool")
    gross, net = 0.0, 0.0
    rate = priced(pool, under).rate
    for scenario in FORESEEN.scenarios:
        m = moved(FAIR, scenario.log_hazard_shift)
        year = ecl.of_loan(m, EDGES, LOAN, annual_rate=rate, stage=Stage.PERFORMING).twelve_month
        pd = 1 - np.exp(-0.05 * np.exp(scenario.log_hazard_shift))
        gross += scenario.weight * year
        net += scenario.weight * year * sharing.kept(scheme, pd=float(pd), lgd=0.4, tier=None)
    said = told(pool, under)
    assert said["twelve_month"] == pytest.approx(gross, abs=0.01)
    assert said["twelve_month_net"] == pytest.approx(net, abs=0.01)


def test_states_of_the_economy_are_scenarios_by_name() -> None:
    # a bad year of Z = -1 against a plain one: 3.43773 % for 1.42874 % (design note, section 3)
    cycle = Cycle(correlation=0.12, z=0.0)
    bad = replace(CHINA, scenarios=(Scenario("bad", 1.0, z=-1.0),), cycle=cycle)
    m = flat(annual_hazard=-float(np.log1p(-0.0142874)), lgd=0.4)
    said = priced(under=bad, m=m).details["ecl"]
    assert said["pd_through_the_cycle"] == pytest.approx(0.02, abs=1e-6)
    plain = priced(under=replace(bad, scenarios=(Scenario("plain", 1.0),)), m=m).details["ecl"]
    assert said["twelve_month"] / plain["twelve_month"] == pytest.approx(
        3.43773 / 1.42874, rel=0.01
    )


def test_a_policy_says_cycle_and_scenarios_together() -> None:
    text = policy.text(currency="CNY").decode()
    bad = '[[ifrs9]]\nname = "bad"\nweight = 1.0\nz = -1.0\n'
    cycle = "[cycle]\ncorrelation = 0.12\nz = 0.5\n"
    read = policy.parse((text + cycle + bad).encode())
    assert (read.cycle, read.scenarios) == (Cycle(0.12, 0.5), (Scenario("bad", 1.0, z=-1.0),))
    for wrong in (text + bad, text + cycle):
        with pytest.raises(InputError) as raised:
            policy.parse(wrong.encode())
        assert [fault.field for fault in raised.value.faults] == ["policy.cycle"]
    both = bad + "log_hazard_shift = 0.5\n"
    with pytest.raises(InputError, match=r"log_hazard_shift must be given, or z in its place"):
        policy.parse((text + cycle + both).encode())


def test_milestones_ahead_are_in_the_year_that_goes_through_the_cycle() -> None:
    """Each adds to the hazard from today on, so the PD is that of a plain loan at a higher one."""
    rd = CHINA.offers.rd_loan
    assert rd is not None
    under = replace(CHINA, scenarios=(Scenario("bad", 1.0, z=-1.5),), cycle=Cycle(0.12, z=0.5))
    steps = (Milestone(0, 0.5), Milestone(24, 0.5))  # one ahead for the whole first year
    loan = RdLoan(Terms(1e6, 36, "bullet", payment_months=3), steps)
    said = arranged(loan, None, under, EDGES).price(FAIR).details["ecl"]
    riskier = moved(FAIR, rd.log_hazard_per_open_milestone)
    plain = priced(None, under, riskier).details["ecl"]
    assert said["pd_through_the_cycle"] == plain["pd_through_the_cycle"]
    alone = priced(None, under).details["ecl"]
    assert said["pd_through_the_cycle"] > 1.1 * alone["pd_through_the_cycle"]
