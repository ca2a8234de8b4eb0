from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.deal import Deal
from pricing.errors import InputError, ModelError
from pricing.instruments.equity import Equity, EquityStake, Scenarios
from pricing.path import path_weights
from pricing.survival import DEFAULT, EXIT, LGD
from pricing.valuation import Stage, rnpv
from tests.pricing.cases import BUCKETS, EDGES, STANDARD, Floats, flat, margins

PUBLISHED = Equity(  # design note on pricing, section 5: the first cost is the investment
    amount=5,
    ownership=1.0,
    horizon_months=90,
    exit_value=1000,
    discount_rate=0.12,
    stages=(Stage(0, 0, 0.63), Stage(12, 15, 0.30), Stage(36, 40, 0.58), Stage(72, 3, 0.90)),
)
FUND = Equity(
    amount=2e6,
    ownership=0.15,
    horizon_months=70,
    exit_value=1.2e8,
    discount_rate=0.15,
    stages=(Stage(3, 1e6, 0.7), Stage(20, 3e6, 0.6)),
    retention=0.8,
    concession_share=0.3,
    concession_hurdle=0.05,
    scenarios=Scenarios(success=1.2e8, survival=2e7, failure=1e6, success_share=0.35),
    vc_target_return=0.6,
)
NO_HAZARD = flat(annual_hazard=0.05, lgd=0.5)
NO_HAZARD[DEFAULT] = -math.inf


def value_of(terms: Equity, m: Floats) -> float:
    return float(EquityStake(terms, EDGES).figures(m[None])[0])


@st.composite
def equities(draw: st.DrawFn, *, most_stages: int = 4) -> Equity:
    """Draw a stake of up to ten years."""
    months = draw(st.lists(st.integers(0, 100), max_size=most_stages, unique=True))
    cost, odds = st.floats(0, 5e6), st.floats(0.05, 1)
    return Equity(
        amount=draw(st.floats(1e6, 1e7)),
        ownership=draw(st.floats(0.01, 1)),
        horizon_months=draw(st.integers(max(months, default=1) or 1, 120)),
        exit_value=draw(st.floats(1e6, 1e9)),
        discount_rate=draw(st.floats(0, 0.5)),
        stages=tuple(Stage(month, draw(cost), draw(odds)) for month in sorted(months)),
        retention=draw(st.floats(0.1, 1)),
        concession_share=draw(st.floats(0, 1)),
        concession_hurdle=draw(st.floats(0, 0.2)),
    )


def test_a_firm_that_cannot_fail_has_the_published_value() -> None:
    # same source: rNPV 23.184203, which is net of the first cost of 5; success 0.098658
    price = EquityStake(PUBLISHED, EDGES).price(NO_HAZARD)
    assert price.figure_bps / 1e4 * 5 == pytest.approx(23.184203, rel=0, abs=5e-7)
    assert price.details["rnpv"] == pytest.approx(28.184203, rel=0, abs=5e-7)
    assert price.details["technical_success"] == pytest.approx(0.098658, rel=1e-12)
    assert price.details["survive_to_exit"] == 1.0


@given(equities())
def test_without_hazard_a_stake_is_worth_its_plain_net_present_value(terms: Equity) -> None:
    payoff = terms.kept(terms.exit_value)
    stages = [Stage(s.month, terms.ownership * s.cost, s.success) for s in terms.stages]
    plain = rnpv(
        stages, payoff=payoff, payoff_month=terms.horizon_months, annual_rate=terms.discount_rate
    )
    expected = 1e4 * (plain.value / terms.amount - 1)
    assert value_of(terms, NO_HAZARD) == pytest.approx(expected, rel=1e-11, abs=1e-7)


def test_a_flat_hazard_discounts_every_flow_by_its_survival() -> None:
    """A hazard of h a year acts as a discount rate of (1 + r) exp(h) - 1."""
    rate = 1.12 * math.exp(0.05) - 1
    assert value_of(PUBLISHED, flat(annual_hazard=0.05, lgd=0.4)) == pytest.approx(
        value_of(replace(PUBLISHED, discount_rate=rate), NO_HAZARD), rel=1e-12
    )


@given(equities(most_stages=0), margins(), st.integers(0, BUCKETS - 1), st.floats(0, 3))
def test_with_nothing_left_to_pay_more_hazard_never_raises_the_value(
    terms: Equity, m: Floats, bucket: int, more: float
) -> None:
    riskier = m.copy()
    riskier[DEFAULT, bucket] += more
    assert value_of(terms, riskier) <= value_of(terms, m) + 1e-9


def test_an_early_repayment_is_no_failure_of_the_firm() -> None:
    staying, leaving = flat(annual_hazard=0.05, lgd=0.4), flat(annual_hazard=0.05, lgd=0.7)
    leaving[EXIT] = -2.0
    prices = [EquityStake(FUND, EDGES).price(m) for m in (staying, leaving)]
    assert prices[0].figure_bps == prices[1].figure_bps
    assert prices[0].pd == prices[1].pd
    assert prices[1].curves.exit.max() == 0


def assert_gradient(stake: EquityStake, m: Floats, *, step: float = 1e-5) -> None:
    """Compare the adjoint with central differences, to 1e-7 of the gross value."""
    _, slopes = stake.gradients(m[None])
    for at in np.ndindex(m.shape):
        moved = np.stack([m, m])
        moved[(0, *at)] += step
        moved[(1, *at)] -= step
        up, down = stake.figures(moved)
        scale = abs(up) + 1e4 + 1
        assert slopes[(0, *at)] == pytest.approx(
            (up - down) / (2 * step), rel=1e-6, abs=1e-8 * scale
        )


@given(equities(), margins(default=(-9.0, 0.0)))
def test_the_adjoint_is_the_derivative(terms: Equity, m: Floats) -> None:
    m[EXIT] = -4.0
    assert_gradient(EquityStake(terms, EDGES), m)


def test_a_wrong_adjoint_is_caught() -> None:
    class Distorted(EquityStake):
        def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
            values, slopes = super().gradients(margins)
            return values, slopes * 0.9999

    m = flat(annual_hazard=0.05, lgd=0.4, annual_exits=0.1)
    assert_gradient(EquityStake(FUND, EDGES), m)
    with pytest.raises(AssertionError):
        assert_gradient(Distorted(FUND, EDGES), m)


@given(equities(), margins(), margins())
def test_the_weights_explain_any_move(terms: Equity, start: Floats, end: Floats) -> None:
    start[EXIT], end[EXIT] = -4.0, -5.0
    stake = EquityStake(terms, EDGES)
    weights = path_weights(stake, start, end)[0]
    before, after = stake.figures(np.stack([start, end]))
    explained = math.fsum((weights * (end - start)).flat)
    assert explained == pytest.approx(after - before, rel=0, abs=1e-6)
    assert not weights[[EXIT, LGD]].any()


@given(equities(), margins())
def test_the_waterfall_adds_up_to_the_value(terms: Equity, m: Floats) -> None:
    price = EquityStake(terms, EDGES).price(m)
    names = [line.name for line in price.waterfall]
    assert names == ["stake", "concession", "stage_costs", "investment"]
    total = math.fsum(line.bps for line in price.waterfall)
    assert total == pytest.approx(price.figure_bps, rel=1e-12, abs=1e-8)
    assert price.figure_bps == pytest.approx(value_of(terms, m), rel=1e-12, abs=1e-8)


@given(equities(), margins())
def test_the_published_survival_is_that_of_the_figure(terms: Equity, m: Floats) -> None:
    price = EquityStake(terms, EDGES).price(m)
    survival = price.details["survive_to_exit"]
    assert float(price.curves.survival[-1]) == pytest.approx(survival, rel=1e-11, abs=1e-300)
    assert price.pd["lifetime"] == pytest.approx(1 - survival, rel=0, abs=1e-12)
    assert price.pd["12"] <= price.pd["36"] <= price.pd["60"] <= price.pd["lifetime"]


def test_the_curve_s_failures_enter_first_chicago_as_published() -> None:
    # same source: probabilities .25/.45/.30, exits 200/40/2, five years, 25 %: 22.478848; and the
    # venture capital method, 200 at 60 %: 19.073486
    m = flat(annual_hazard=-math.log(0.7) / 5, lgd=0.4)
    terms = Equity(
        amount=5,
        ownership=1.0,
        horizon_months=60,
        exit_value=200,
        discount_rate=0.25,
        scenarios=Scenarios(success=200, survival=40, failure=2, success_share=0.25 / 0.7),
        vc_target_return=0.6,
    )
    details = EquityStake(terms, EDGES).price(m).details
    assert details["first_chicago"] == pytest.approx(22.478848, rel=0, abs=5e-7)
    assert details["first_chicago_multiple"] == pytest.approx(22.478848 / 5, rel=0, abs=1e-7)
    assert details["vc_method"] == pytest.approx(19.073486, rel=0, abs=5e-7)
    assert details["vc_method_post_money"] == details["vc_method"]
    assert details["vc_method_required_ownership"] == pytest.approx(5 / 19.073486, rel=1e-7)


def test_first_chicago_bears_the_stages_that_rnpv_bears() -> None:
    """One scenario for all who live is rNPV itself, so that the costs are the same."""
    m = flat(annual_hazard=0.05, lgd=0.4)
    success = math.prod(stage.success for stage in FUND.stages)
    alike = Scenarios(success=FUND.exit_value, survival=0.0, failure=0.0, success_share=success)
    terms = replace(FUND, scenarios=alike)
    details = EquityStake(terms, EDGES).price(m).details
    assert terms.stages
    assert details["first_chicago"] == pytest.approx(details["rnpv"], rel=1e-12)


def test_methods_nobody_asked_for_are_not_shown() -> None:
    details = EquityStake(PUBLISHED, EDGES).price(NO_HAZARD).details
    assert set(details) == {"survive_to_exit", "technical_success", "rnpv", "rnpv_multiple"}


def test_a_fund_that_cedes_all_its_gain_gets_its_money_and_the_hurdle() -> None:
    """Others may buy the stake back at the amount with interest of 5 %."""
    terms = replace(FUND, concession_share=1.0)
    assert terms.kept(1.2e8) == pytest.approx(2e6 * 1.05 ** (70 / 12), rel=1e-12)


def test_without_a_gain_nothing_is_ceded() -> None:
    assert FUND.ceded(1e6) == 0
    assert FUND.kept(1e6) == pytest.approx(0.15 * 0.8 * 1e6, rel=1e-12)


def test_the_concession_is_a_line_of_its_own() -> None:
    m = flat(annual_hazard=0.05, lgd=0.4)
    with_it, without = (
        {line.name: line.bps for line in EquityStake(terms, EDGES).price(m).waterfall}
        for terms in (FUND, replace(FUND, concession_share=0.0))
    )
    assert with_it["stake"] == pytest.approx(without["stake"], rel=1e-12)
    assert with_it["concession"] < 0 == without["concession"]


@given(equities(), st.lists(margins(), min_size=1, max_size=4))
def test_a_batch_values_every_row_as_if_it_were_alone(terms: Equity, rows: list[Floats]) -> None:
    stake = EquityStake(terms, EDGES)
    values, slopes = stake.gradients(np.stack(rows))
    for i, row in enumerate(rows):
        alone, alone_slopes = stake.gradients(row[None])
        assert values[i] == pytest.approx(alone[0], rel=1e-12, abs=1e-8)
        np.testing.assert_allclose(slopes[i], alone_slopes[0], rtol=1e-12, atol=1e-8)


def test_a_stake_is_a_deal_that_is_priced_like_any_other() -> None:
    deal: Deal = FUND
    m = flat(annual_hazard=0.05, lgd=0.4)
    price = deal.priced(STANDARD, EDGES).price(m)
    assert (deal.kind, price.figure, deal.terms.term_months) == ("equity", "value_bps", 70)
    assert price.figure_bps == price.charged_bps == pytest.approx(value_of(FUND, m), rel=1e-12)


def test_a_survival_that_is_no_number_is_the_model_s_fault() -> None:
    m = flat(annual_hazard=0.05, lgd=0.4)
    m[DEFAULT] = math.nan
    with pytest.raises(ModelError, match="finite survival"):
        EquityStake(FUND, EDGES).price(m)


def test_an_exit_beyond_the_model_s_last_age_names_the_field() -> None:
    with pytest.raises(InputError, match="at most 120") as raised:
        EquityStake(replace(FUND, horizon_months=121), EDGES)
    assert [fault.field for fault in raised.value.faults] == ["instrument.horizon_months"]


def test_every_fault_of_the_terms_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        Equity(
            amount=0,
            ownership=1.5,
            horizon_months=6,
            exit_value=math.inf,
            discount_rate=math.nan,
            stages=(Stage(12, -1, 0.5), Stage(12, 1, 0.0)),
            retention=0.0,
            concession_share=2,
            concession_hurdle=True,
            scenarios=Scenarios(success=-1, survival=1, failure=0, success_share=1.1),
            vc_target_return=-0.1,
        )
    assert [fault.field.removeprefix("instrument.") for fault in raised.value.faults] == [
        "amount",
        "ownership",
        "exit_value",
        "discount_rate",
        "retention",
        "concession_share",
        "concession_hurdle",
        "stages[0].cost",
        "stages[1].month",
        "stages[1].success",
        "horizon_months",
        "scenarios.success",
        "scenarios.success_share",
        "vc_target_return",
    ]
