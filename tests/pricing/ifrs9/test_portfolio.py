from __future__ import annotations

from dataclasses import replace

import pytest

from pricing import policy
from pricing.errors import InputError
from pricing.ifrs9.cycle import Cycle
from pricing.ifrs9.ecl import Scenario
from pricing.ifrs9.portfolio import Holding, provisions, totals
from pricing.ifrs9.staging import Stage
from pricing.schedule import Terms

CHINA = policy.load(currency="CNY")  # three times the PD, five points more, 30 and 90 days
LOAN = Holding(
    loan="A",
    terms=Terms(1e6, 36, "bullet", payment_months=12),
    eir_annual=0.05,
    pd=0.0295544664514918,  # 1 - exp(-0.03)
    pd_at_origination=0.02,
    lgd=0.4,
    days_past_due=0,
)


def test_a_bullet_loan_sets_aside_what_was_published() -> None:
    # design note on pricing, section 3: 1 m, h 3 %, LGD 40 %, EIR 5 %, year-end, 3 years
    (loss,) = provisions([replace(LOAN, days_past_due=31)], CHINA)
    assert loss.stage is Stage.WEAKENED
    assert loss.booked == loss.lifetime == pytest.approx(31_282.046, rel=0, abs=5e-4)


def test_each_loan_has_its_stage_and_its_loss() -> None:
    book = [
        LOAN,
        replace(LOAN, pd_at_origination=0.009),
        replace(LOAN, days_past_due=90),
        replace(LOAN, pd=1.0),
        replace(LOAN, pd=0.0, lgd=1.0),
    ]
    losses = provisions(book, CHINA)
    assert [int(loss.stage) for loss in losses] == [1, 2, 3, 3, 1]
    year = 1e6 * LOAN.pd * 0.4 / 1.05
    assert losses[0].booked == losses[1].twelve_month == pytest.approx(year, rel=1e-12)
    assert [loss.booked for loss in losses[2:4]] == pytest.approx([4e5, 4e5])
    assert losses[4].booked == 0


def test_the_rate_of_an_annuity_is_the_one_that_its_effective_rate_compounds() -> None:
    """Monthly at 12 %: 12.6825 % effective, in any table; the balance falls as that rate says."""
    annuity = replace(LOAN, terms=Terms(1e6, 24, "annuity"), eir_annual=0.126825030131970)
    (loss,) = provisions([replace(annuity, days_past_due=40)], CHINA)
    payment = 1e6 * 0.01 / (1 - 1.01**-24)
    alive, owed, lost = 1.0, 1e6, 0.0
    for month in range(1, 25):
        died = alive * (1 - (1 - LOAN.pd) ** (1 / 12))
        lost += died * 0.4 * owed / 1.01**month
        alive, owed = alive - died, owed * 1.01 - payment
    assert loss.booked == pytest.approx(lost, rel=1e-9)


def test_scenarios_and_states_weigh_in() -> None:
    worse = replace(
        CHINA, scenarios=(Scenario("bad", 1.0, z=-1.0),), cycle=Cycle(correlation=0.12, z=0.0)
    )
    # design note on pricing, section 3: 1.42874 % in a plain year is 3.43773 % at Z = -1
    plain = replace(LOAN, pd=0.0142874)
    (loss,) = provisions([plain], worse)
    assert loss.booked == pytest.approx(1e6 * 0.0343773 * 0.4 / 1.05, rel=1e-5)


def test_the_totals_are_those_of_the_stages_and_of_all() -> None:
    book = [LOAN, replace(LOAN, days_past_due=90), LOAN]
    first, second, third, every = totals(book, provisions(book, CHINA))
    assert (first.loans, second.loans, third.loans, every.loans) == (2, 0, 1, 3)
    assert (every.stage, every.outstanding) == (None, 3e6)
    assert every.booked == pytest.approx(first.booked + third.booked)
    assert third.coverage == pytest.approx(0.4)
    assert second.coverage == 0


def test_a_policy_without_thresholds_stages_nothing() -> None:
    with pytest.raises(InputError, match=r"policy\.staging must be given"):
        provisions([LOAN], replace(CHINA, staging=None))
