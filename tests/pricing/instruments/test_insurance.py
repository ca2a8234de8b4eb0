from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.credit import Credit
from pricing.errors import InputError, PolicyError
from pricing.instruments.insurance import Insurance
from pricing.offers import NOTHING_ELSE
from pricing.schedule import Terms
from pricing.survival import DEFAULT, LGD
from tests.pricing.cases import EDGES, STANDARD, Floats, bare, flat, margins
from tests.pricing.instruments.laws import (
    LIKELY,
    Distorted,
    assert_adds_up,
    assert_explained,
    assert_gradient,
    assert_smooth_gradient,
    figure,
    lines,
    moves,
    riskier,
)

COVERS = STANDARD.offers.insurance
FAIR = flat(annual_hazard=0.05, lgd=0.4)
THREE_YEARS = Terms(1e6, 36, "bullet", payment_months=3)

# Claims of one default a year in bp on one unit insured, hazard 5 %, 3 % continuous, 3 years,
# quarterly: the swap of the design note on pricing, section 1, without its LGD of 40 %.
FREQUENCY_BPS = 200.7441 / 0.4


@st.composite
def covers(draw: st.DrawFn) -> Insurance:
    name = draw(st.sampled_from(sorted(COVERS)))
    payment = draw(st.sampled_from((1, 3, 6, 12)))
    periods = draw(st.integers(1, COVERS[name].longest_months // payment))
    terms = Terms(1e6, periods * payment, "bullet", payment_months=payment)
    return Insurance(terms, name, draw(st.floats(0.0, 0.9)))


def priced(insurance: Insurance) -> Credit:
    return insurance.priced(STANDARD, EDGES)


# claims for one default x severity x (1 + safety loading) / (1 - expense ratio), from the file
@pytest.mark.parametrize(
    ("cover", "loaded_severity"),
    [
        ("rd_failure", 1.2 * 0.50 * 1.30 / 0.75),
        ("first_set_equipment", 0.5 * 0.30 * 1.25 / 0.80),
        ("ip_pledge_guarantee", 1.0 * 0.40 * 1.25 / 0.80),  # it pays the loss given default
    ],
)
def test_a_premium_is_frequency_times_severity_with_its_loadings(
    cover: str, loaded_severity: float
) -> None:
    premium_bps = figure(Insurance(THREE_YEARS, cover).priced(bare(0.03), EDGES), FAIR)
    assert premium_bps == pytest.approx(FREQUENCY_BPS * loaded_severity, rel=0, abs=5e-4)


def test_one_premium_paid_in_a_year_can_be_checked_by_hand() -> None:
    # a year, 3 % continuous, hazard 5 %: a claim falls in the middle of the year and half a premium
    # is earned; at 1.2 claims of 50 %
    dead, middle = -math.expm1(-0.05), math.exp(-0.015)
    earned = math.exp(-0.03) * (1 - dead) + middle * dead / 2
    by_hand = 1e4 * 1.2 * 0.5 * middle * dead / earned * 1.3 / 0.75
    year = Insurance(Terms(1e6, 12, "bullet", payment_months=12), "rd_failure")
    assert figure(year.priced(bare(0.03), EDGES), FAIR) == pytest.approx(by_hand, rel=1e-12)


@given(covers(), margins())
def test_the_premium_is_split_into_claims_safety_and_expenses(
    insurance: Insurance, m: Floats
) -> None:
    cover, price = COVERS[insurance.cover], priced(insurance).price(m)
    assert_adds_up(price)
    claims, safety, expenses = lines(price).values()
    assert [*lines(price)] == ["expected_claims", "safety_loading", "expenses"]
    assert safety == pytest.approx(cover.safety_loading * claims, rel=1e-12)
    assert expenses == pytest.approx(cover.expense_ratio * price.figure_bps, rel=1e-12)
    assert price.charged_bps == price.figure_bps >= 0


@given(covers(), margins())
def test_a_deductible_takes_its_share_off_the_premium(insurance: Insurance, m: Floats) -> None:
    whole = figure(priced(replace(insurance, deductible=0.0)), m)
    kept = 1 - insurance.deductible
    assert figure(priced(insurance), m) == pytest.approx(kept * whole, rel=1e-12)


@given(covers(), margins(), st.floats(-3.0, 3.0))
def test_only_a_lender_s_cover_depends_on_the_loss_given_default(
    insurance: Insurance, m: Floats, more: float
) -> None:
    worse = m.copy()
    worse[LGD] += more
    same = figure(priced(insurance), worse) == figure(priced(insurance), m)
    assert same or insurance.cover == "ip_pledge_guarantee"


@given(covers(), margins(default=LIKELY), st.floats(0.0, 0.3))
def test_more_hazard_never_lowers_the_premium(insurance: Insurance, m: Floats, more: float) -> None:
    credit = priced(insurance)
    assert figure(credit, riskier(m, more)) >= figure(credit, m) - 1e-9


@given(covers(), margins())
def test_without_hazard_there_is_no_premium(insurance: Insurance, m: Floats) -> None:
    m[DEFAULT] = -math.inf
    assert figure(priced(insurance), m) == 0


@given(covers(), margins(default=(-8.0, 0.0)))
def test_the_adjoint_is_the_derivative(insurance: Insurance, m: Floats) -> None:
    assert_smooth_gradient(priced(insurance), m)


@pytest.mark.parametrize("row", [DEFAULT, LGD])
def test_a_wrong_adjoint_is_caught(row: int) -> None:
    credit = priced(Insurance(THREE_YEARS, "ip_pledge_guarantee"))
    assert_gradient(credit, FAIR, atol=1e-7)
    with pytest.raises(AssertionError):
        assert_gradient(Distorted.of(credit, row), FAIR, atol=1e-7)


@given(covers(), moves())
def test_the_weights_explain_any_move(insurance: Insurance, move: tuple[Floats, Floats]) -> None:
    assert_explained(priced(insurance), *move)


def test_a_sum_insured_is_not_repaid() -> None:
    with pytest.raises(InputError, match=r"instrument\.repayment must be bullet"):
        Insurance(Terms(1e6, 24, "linear"), "rd_failure")


@pytest.mark.parametrize("deductible", [-0.01, 1.0, math.nan])
def test_a_deductible_leaves_something_to_insure(deductible: float) -> None:
    with pytest.raises(InputError, match=r"instrument\.deductible must be in \[0, 1\)"):
        Insurance(THREE_YEARS, "rd_failure", deductible)


def test_an_unknown_cover_is_told_the_known_ones() -> None:
    with pytest.raises(InputError, match="one of rd_failure, first_set_equipment, ip_pledge"):
        priced(Insurance(THREE_YEARS, "hail"))


def test_a_cover_longer_than_the_policy_s_names_the_term() -> None:
    with pytest.raises(InputError, match=r"terms\.term_months must be at most 36, the policy's"):
        priced(Insurance(Terms(1e6, 37, "bullet"), "rd_failure"))


def test_a_policy_without_insurance_does_not_quote() -> None:
    with pytest.raises(PolicyError, match="offers no insurance"):
        Insurance(THREE_YEARS, "rd_failure").priced(replace(STANDARD, offers=NOTHING_ELSE), EDGES)
