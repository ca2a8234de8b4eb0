from __future__ import annotations

import pytest

from pricing.errors import InputError
from pricing.valuation import Stage, first_chicago, reached, rnpv, venture_capital

STAGES = (Stage(0, 5, 0.63), Stage(12, 15, 0.30), Stage(36, 40, 0.58), Stage(72, 3, 0.90))


def test_the_published_project_has_its_published_value() -> None:
    # design note on pricing, section 5, computed independently
    project = rnpv(STAGES, payoff=1000, payoff_month=90, annual_rate=0.12)
    assert project.value == pytest.approx(23.184203, rel=0, abs=5e-7)
    assert project.success == pytest.approx(0.098658, rel=1e-12)


def test_a_cost_is_due_only_if_everything_before_succeeded() -> None:
    assert reached(STAGES) == pytest.approx([1, 0.63, 0.189, 0.10962, 0.098658], rel=1e-12)
    assert reached(()) == [1.0]


def test_without_stages_and_interest_a_project_is_worth_its_payoff() -> None:
    assert rnpv((), payoff=1000, payoff_month=90, annual_rate=0.0).value == 1000


def test_the_published_scenarios_have_their_published_value() -> None:
    # same source
    value = first_chicago((0.25, 0.45, 0.30), (200, 40, 2), exit_month=60, annual_rate=0.25)
    assert value == pytest.approx(22.478848, rel=0, abs=5e-7)


@pytest.mark.parametrize("probabilities", [(0.5, 0.5, 0.1), (1.2, -0.2, 0.0), (0.5, 0.5)])
def test_probabilities_that_are_none_are_refused(probabilities: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match=r"probabilities|exit_values"):
        first_chicago(probabilities, (200, 40, 2), exit_month=60, annual_rate=0.25)


def test_a_target_return_leaves_the_published_value() -> None:
    # same source: an exit of 200 at 60 % over five years
    deal = venture_capital(exit_value=200, exit_month=60, target_return=0.6, investment=5)
    assert deal.post_money == pytest.approx(19.073486, rel=0, abs=5e-7)
    assert deal.pre_money == pytest.approx(deal.post_money - 5, rel=1e-12)


def test_the_required_ownership_earns_the_target_return_after_dilution() -> None:
    deal = venture_capital(
        exit_value=200, exit_month=60, target_return=0.6, investment=5, retention=0.7
    )
    proceeds = deal.required_ownership * 0.7 * 200
    assert proceeds == pytest.approx(5 * 1.6**5, rel=1e-12)


def test_an_exit_too_small_asks_for_more_than_the_whole_firm() -> None:
    deal = venture_capital(exit_value=10, exit_month=60, target_return=0.6, investment=5)
    assert deal.required_ownership > 1
    assert deal.pre_money < 0
