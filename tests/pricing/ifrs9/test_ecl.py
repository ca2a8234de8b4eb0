from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from pricing.errors import InputError
from pricing.ifrs9.cycle import Cycle, default_within, moved, reaching
from pricing.ifrs9.ecl import BASE, Scenario, check, eir, of_loan, present_value
from pricing.ifrs9.staging import Stage, Staging, read, stage
from pricing.schedule import Terms, profile
from pricing.survival import curves
from tests.pricing.cases import EDGES, KINDS, Floats, flat, margins, terms

YEARLY = Terms(1e6, 36, "bullet", payment_months=12)
PLAIN = flat(annual_hazard=0.03, lgd=0.4)
STAGING = Staging(pd_multiple=3.0, pd_rise=0.05)
GOOD_AND_BAD = (Scenario("good", 0.6, -0.4), Scenario("bad", 0.4, 0.7))


def with_one_lgd(m: Floats) -> Floats:
    """Return margins (3, K) with one LGD for all ages."""
    out = m.copy()
    out[2] = m[2, 0]
    return out


def test_a_bullet_loan_sets_aside_what_was_published() -> None:
    # design note on pricing, section 3: 1 m, h 3 %, LGD 40 %, EIR 5 %, year-end, 3 years
    ecl = of_loan(PLAIN, EDGES, YEARLY, annual_rate=0.05, stage=Stage.WEAKENED)
    assert ecl.lifetime == pytest.approx(31_282.046, rel=0, abs=5e-4)


def test_a_falling_exposure_sets_aside_what_was_published() -> None:
    # same source: conditional PDs 2, 3, 4 %, EAD 1, 0.7, 0.4 m, LGD 45 %, EIR 6 %
    default = 1 - np.cumprod(np.array([1.0, 0.98, 0.97, 0.96]))
    exposure, lgd = np.array([1e6, 0.7e6, 0.4e6]), np.full(3, 0.45)
    lost = present_value(np.diff(default) * lgd, exposure, eir_annual=0.06, period_years=1.0)
    assert lost[0] == pytest.approx(8_490.566, rel=0, abs=5e-4)
    assert lost.sum() == pytest.approx(22_479.446, rel=0, abs=5e-4)


@given(margins(), terms(), st.floats(0.0, 0.3))
def test_twelve_months_never_lose_more_than_the_whole_life(m: Floats, t: Terms, r: float) -> None:
    ecl = of_loan(m, EDGES, t, annual_rate=r, stage=Stage.PERFORMING)
    assert 0 <= ecl.twelve_month <= ecl.lifetime * (1 + 1e-12)
    assert ecl.booked == ecl.twelve_month
    if t.term_months <= 12:
        assert ecl.lifetime == pytest.approx(ecl.twelve_month, rel=1e-12)


@given(margins(), terms(), st.floats(0.0, 0.3), st.floats(0.0, 3.0))
def test_more_hazard_never_lowers_the_loss(m: Floats, t: Terms, r: float, by: float) -> None:
    m = with_one_lgd(m)
    less, more = (
        of_loan(at, EDGES, t, annual_rate=r, stage=Stage.WEAKENED) for at in (m, moved(m, by))
    )
    assert less.lifetime <= more.lifetime * (1 + 1e-12)
    assert less.twelve_month <= more.twelve_month * (1 + 1e-12)


def test_where_the_lgd_rises_with_age_an_early_default_may_cost_less() -> None:
    m = flat(annual_hazard=1.0, lgd=0.9)
    m[2, 0] = -9.0
    less, more = (
        of_loan(at, EDGES, YEARLY, annual_rate=0.0, stage=Stage.WEAKENED)
        for at in (m, moved(m, 3.0))
    )
    assert more.lifetime < less.lifetime


@pytest.mark.parametrize("t", KINDS, ids=str)
def test_a_loss_is_gathered_month_by_month_and_discounted_from_the_payment(t: Terms) -> None:
    m = flat(annual_hazard=0.06, lgd=0.4, annual_exits=0.1)
    m[2, 1:] += 0.5
    share = profile(t, annual_rate=0.07).share
    default = np.diff(curves(m, EDGES, t.term_months).default)
    lost = 0.0
    for month, p in enumerate(default):
        period = month // t.payment_months
        bucket = int(np.searchsorted(EDGES, month, side="right")) - 1
        discount = (1 + 0.07 * t.payment_months / 12) ** -(period + 1)
        lost += p * expit(m[2, bucket]) * t.amount * share[period] * discount
    ecl = of_loan(m, EDGES, t, annual_rate=0.07, stage=Stage.WEAKENED)
    assert ecl.lifetime == pytest.approx(lost, rel=1e-12)
    assert ecl.booked == ecl.lifetime


def test_scenarios_are_weighed_by_their_probability() -> None:
    whole = of_loan(
        PLAIN, EDGES, YEARLY, annual_rate=0.05, stage=Stage.WEAKENED, scenarios=GOOD_AND_BAD
    )
    parts = [
        of_loan(moved(PLAIN, by), EDGES, YEARLY, annual_rate=0.05, stage=Stage.WEAKENED)
        for by in (-0.4, 0.7)
    ]
    for name in ("twelve_month", "lifetime", "booked"):
        good, bad = (getattr(part, name) for part in parts)
        assert getattr(whole, name) == pytest.approx(0.6 * good + 0.4 * bad, rel=1e-12)


@pytest.mark.parametrize(
    ("scenarios", "fields"),
    [
        ((), ["scenarios"]),
        ((Scenario("a", 0.5), Scenario("b", 0.4)), ["scenarios"]),
        (
            (Scenario("a", -0.5), Scenario("a", 1.5, math.nan)),
            [
                "scenarios[0].weight",
                "scenarios[1].weight",
                "scenarios[1].log_hazard_shift",
                "scenarios[1].name",
            ],
        ),
    ],
)
def test_scenarios_that_are_no_probabilities_are_refused(
    scenarios: tuple[Scenario, ...], fields: list[str]
) -> None:
    with pytest.raises(InputError) as raised:
        of_loan(PLAIN, EDGES, YEARLY, annual_rate=0.05, stage=Stage.PERFORMING, scenarios=scenarios)
    assert [fault.field for fault in raised.value.faults] == fields


def test_thirds_are_weights_that_sum_to_one() -> None:
    check([Scenario(name, 1 / 3) for name in ("good", "base", "bad")])
    check(BASE)


def test_in_default_the_loss_is_certain_whatever_the_scenario() -> None:
    left = Terms(2e6 / 3, 24, "linear", payment_months=12)
    ecl = of_loan(
        PLAIN, EDGES, left, annual_rate=0.05, stage=Stage.IMPAIRED, scenarios=GOOD_AND_BAD
    )
    assert ecl.booked == pytest.approx(0.4 * 2e6 / 3)
    assert ecl.twelve_month == ecl.lifetime == ecl.booked


def test_a_state_of_the_economy_moves_the_pd_as_published() -> None:
    # design note on pricing, section 3: TTC 2 %, rho 0.12, Z = -1: 3.43773 %, Z = +1: 0.52551 %
    year = Terms(1e6, 12, "bullet", payment_months=12)
    today = moved(PLAIN, reaching(default_within(EDGES), PLAIN, 0.0142874))  # that of Z = 0
    for z, pd in ((-1.0, 0.0343773), (0.0, 0.0142874), (1.0, 0.0052551)):
        ecl = of_loan(
            today,
            EDGES,
            year,
            annual_rate=0.0,
            stage=Stage.PERFORMING,
            scenarios=(Scenario("state", 1.0, z=z),),
            cycle=Cycle(correlation=0.12, z=0.0),
        )
        assert ecl.booked == pytest.approx(1e6 * 0.4 * pd, rel=1e-5)


def test_the_effective_rate_of_monthly_payments_is_compounded() -> None:
    # 12 % a year in months is 12.6825 % (any table of effective rates)
    assert eir(Terms(1, 12, "bullet"), 0.12) == pytest.approx(0.126825, rel=0, abs=5e-7)
    assert eir(YEARLY, 0.05) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("pd", "before", "days", "expected"),
    [
        (0.02, 0.02, 0, Stage.PERFORMING),
        (0.01, 0.02, 0, Stage.PERFORMING),
        (0.03, 0.01, 0, Stage.WEAKENED),  # three times the PD
        (0.029, 0.01, 0, Stage.PERFORMING),
        (0.36, 0.30, 0, Stage.WEAKENED),  # more than five points more
        (0.34, 0.30, 0, Stage.PERFORMING),
        (0.0, 0.0, 0, Stage.PERFORMING),
        (0.02, 0.02, 30, Stage.PERFORMING),  # IFRS 9, 5.5.11: more than 30 days
        (0.02, 0.02, 31, Stage.WEAKENED),
        (0.02, 0.02, 89, Stage.WEAKENED),
        (0.02, 0.02, 90, Stage.IMPAIRED),  # IFRS 9, B5.5.37: no later than 90 days
    ],
)
def test_each_sign_of_weakness_is_enough(
    pd: float, before: float, days: int, expected: Stage
) -> None:
    found = stage(pd=pd, pd_at_origination=before, days_past_due=days, staging=STAGING)
    assert found is expected


def test_thresholds_are_the_lenders_own() -> None:
    patient = Staging(
        pd_multiple=math.inf, pd_rise=0.2, weakened_after_days=60, impaired_from_days=180
    )
    at = [
        stage(pd=0.1, pd_at_origination=0.01, days_past_due=days, staging=patient)
        for days in (60, 61, 180)
    ]
    assert at == [Stage.PERFORMING, Stage.WEAKENED, Stage.IMPAIRED]


def test_every_fault_of_the_thresholds_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        Staging(pd_multiple=0.5, pd_rise=0.0, weakened_after_days=-1, impaired_from_days=-1)
    assert [fault.field for fault in raised.value.faults] == [
        "staging.pd_multiple",
        "staging.pd_rise",
        "staging.weakened_after_days",
        "staging.impaired_from_days",
    ]


def test_every_fault_of_a_stage_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        stage(pd=1.1, pd_at_origination=-0.1, days_past_due=-1, staging=STAGING)
    assert len(raised.value.faults) == 3


def test_every_fault_of_the_loan_is_told_at_once() -> None:
    beyond = replace(YEARLY, term_months=132)
    with pytest.raises(InputError) as raised:
        of_loan(PLAIN, EDGES, beyond, annual_rate=-1.0, stage=Stage.PERFORMING)
    assert [fault.field for fault in raised.value.faults] == ["terms.term_months", "annual_rate"]


def test_a_pd_of_one_is_a_default() -> None:
    # Basel CRE36.79: the PD of an exposure in default is 100 %
    assert stage(pd=1.0, pd_at_origination=1.0, days_past_due=0, staging=STAGING) is Stage.IMPAIRED


def test_a_policy_says_the_thresholds_in_a_section() -> None:
    given = {"pd_multiple": 2.5, "pd_rise": math.inf, "weakened_after_days": 20}
    assert read(given) == (Staging(2.5, math.inf, 20, 90), [])
    _, faults = read({"pd_multiple": 0.5, "impaired_from_days": 1000, "days": 3})
    assert {fault.field for fault in faults} == {
        "policy.staging.pd_multiple",
        "policy.staging.pd_rise",
        "policy.staging.impaired_from_days",
        "policy.staging.days",
    }
    _, faults = read({"pd_multiple": 2, "pd_rise": 0.1, "weakened_after_days": 95})
    assert [fault.field for fault in faults] == ["policy.staging.impaired_from_days"]
