from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricing.arrange import arranged
from pricing.deal import Deal
from pricing.errors import InputError, PolicyError
from pricing.feedback import Feedback
from pricing.instruments.guarantee import Guarantee
from pricing.instruments.rd_loan import Milestone, RdLoan
from pricing.instruments.revolving_line import RevolvingLine
from pricing.instruments.term_loan import TermLoan
from pricing.policy import POLICIES, Policy, parse
from pricing.schedule import Terms
from pricing.thin_data import ThinData, read
from tests.pricing.cases import EDGES, STANDARD, Floats, flat, margins
from tests.pricing.instruments.laws import LIKELY, lines, riskier

BULLET = Terms(1e6, 36, "bullet", payment_months=3)
THIN = ThinData(firms=500, defaults=10, confidence=0.75)
FLOOR = THIN.floor_pd
UNCAPPED = replace(STANDARD, thin_data=THIN, spread_cap_bps=None)
SHORT = Terms(1e6, 6, "bullet")
AHEAD = RdLoan(BULLET, (Milestone(0, 0.5), Milestone(12, 0.5)))
DEALS: tuple[Deal, ...] = (
    TermLoan(BULLET),
    TermLoan(SHORT),
    AHEAD,
    RevolvingLine(BULLET, utilisation=0.4),
    Guarantee(BULLET, 0.8),
)
deals = st.sampled_from(DEALS)


def loading(deal: Deal, m: Floats, under: Policy = UNCAPPED) -> float:
    return lines(arranged(deal, None, under, EDGES).price(m))["thin_data"]


def hazard(pd: float) -> float:
    """Return the annual hazard at which a year's PD is that."""
    return -math.log1p(-pd)


def test_the_floor_is_held_against_the_hazard_that_milestones_ahead_have_raised() -> None:
    """exp(0.15) a year while the milestone lies ahead: the policy's number for one of them."""
    beyond = flat(annual_hazard=hazard(FLOOR) / math.exp(0.15), lgd=0.4)
    assert loading(AHEAD, beyond) == pytest.approx(0.0, abs=1e-6)
    assert loading(TermLoan(BULLET), beyond) > 10


@given(deals, margins(default=LIKELY))
def test_a_loan_is_charged_for_as_at_the_floor_where_it_is_below_it(deal: Deal, m: Floats) -> None:
    price = arranged(deal, None, UNCAPPED, EDGES).price(m)
    plain = deal.priced(STANDARD, EDGES)
    assert price.annual_pd == plain.price(m).annual_pd
    if price.annual_pd >= FLOOR:
        assert lines(price)["thin_data"] == 0
        return
    low, high = 0.0, 12.0
    for _ in range(80):
        by = (low + high) / 2
        low, high = (by, high) if plain.price(riskier(m, by)).annual_pd < FLOOR else (low, by)
    expected = plain.price(riskier(m, by)).figure_bps - price.figure_bps
    assert lines(price)["thin_data"] == pytest.approx(expected, rel=1e-9, abs=1e-7)


def test_the_floor_is_held_against_the_hazard_at_the_loan_s_own_rate() -> None:
    """Every rate is above the reference, and raises the hazard above the floor by itself."""
    under = replace(UNCAPPED, feedback=Feedback(0.08, 50.0))
    m = flat(annual_hazard=0.95 * hazard(FLOOR), lgd=0.4)
    fed = arranged(TermLoan(BULLET), None, under, EDGES).price(m)
    assert fed.annual_pd > FLOOR
    assert lines(fed)["thin_data"] == 0
    assert loading(TermLoan(BULLET), m) > 1


def test_a_loading_whose_rate_brings_more_risk_than_it_pays_for_has_no_viable_price() -> None:
    """The loan's own rate keeps it well below the floor; the rate at the floor starts a spiral."""
    under = replace(STANDARD, feedback=Feedback(0.9, 340.0), spread_cap_bps=None)
    m = flat(annual_hazard=0.8 * hazard(FLOOR), lgd=0.4)
    own = arranged(TermLoan(BULLET), None, under, EDGES).price(m)
    assert own.annual_pd < FLOOR
    at_floor = TermLoan(BULLET).priced(STANDARD, EDGES)
    floor_bps = at_floor.price(flat(annual_hazard=hazard(FLOOR), lgd=0.4)).figure_bps
    brought = riskier(m, 0.9 * (floor_bps - 340.0) / 100)
    assert at_floor.price(brought).figure_bps > floor_bps
    with pytest.raises(PolicyError, match=r"no viable price .* every smaller one asks for more"):
        loading(TermLoan(BULLET), m, replace(under, thin_data=THIN))


@settings(max_examples=50)
@given(margins(default=(-10.0, -5.0)), st.floats(0.0, 0.3), st.floats(0.0, 1000.0))
def test_under_feedback_too_the_loading_is_never_below_nil(
    m: Floats, strength: float, reference_bps: float
) -> None:
    under = replace(UNCAPPED, feedback=Feedback(strength, reference_bps))
    with suppress(PolicyError):  # no viable price is an answer as well
        assert loading(TermLoan(BULLET), m, under) >= -1e-9


@pytest.mark.parametrize(
    ("firms", "defaults", "fields"),
    [
        (3, 3, ["policy.thin_data.defaults"]),
        (3, 4, ["policy.thin_data.defaults"]),
        (500, 500, ["policy.thin_data.defaults"]),
        (3, 0, ["policy.thin_data.firms"]),
        (500, 400, ["policy.thin_data.firms"]),
        (0, 0, ["policy.thin_data.firms"]),
        (500, 2.5, ["policy.thin_data.defaults"]),
        (500, 20, []),
    ],
)
def test_a_floor_that_says_nothing_is_a_fault_of_the_policy(
    firms: int, defaults: float, fields: list[str]
) -> None:
    """Of three firms without a default one may fail in three, by 1 - 0.25^(1/3) = 37 %."""
    thin, faults = read({"firms": firms, "defaults": defaults, "confidence": 0.75})
    assert [fault.field for fault in faults] == fields
    assert (thin is None) == bool(fields)


def test_a_policy_s_file_with_such_a_floor_does_not_load() -> None:
    content = (POLICIES / "eur.toml").read_text("utf-8")
    absurd = "[thin_data]\nfirms = 500\ndefaults = 500\nconfidence = 0.75\n"
    with pytest.raises(InputError, match=r"policy\.thin_data\.defaults must be below firms=500"):
        parse(f"{content}\n{absurd}".encode())


def test_the_floor_stands_on_the_borrower_s_year_where_the_loan_is_shorter() -> None:
    """Half a year of a hazard above the floor is below it, and no reason to charge more."""
    m = flat(annual_hazard=1.5 * hazard(FLOOR), lgd=0.4)
    price = arranged(TermLoan(SHORT), None, UNCAPPED, EDGES).price(m)
    assert price.pd["12"] < FLOOR < price.annual_pd
    assert lines(price)["thin_data"] == 0
