from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pricing.credit import Credit
from pricing.deal import Deal
from pricing.errors import ModelError, PolicyError
from pricing.feedback import FedBack, Feedback, read
from pricing.instrument import Instrument
from pricing.instruments.revolving_line import RevolvingLine
from pricing.instruments.term_loan import TermLoan
from pricing.instruments.venture_debt import MOST_WORTH, VentureDebt
from pricing.path import path_weights
from pricing.schedule import Terms
from pricing.survival import DEFAULT, EXIT, LGD
from pricing.warrant import Warrant
from tests.pricing.cases import BUCKETS, EDGES, KINDS, STANDARD, Floats, flat, margins, terms

CAP_BPS, FLOOR_BPS = 3000.0, 50.0
AFFORDABLE = Feedback(log_hazard_per_point=0.08, reference_spread_bps=300.0)
kinds = st.sampled_from(KINDS)
strengths = st.floats(0.001, 0.15)


def loan_on(kind: Terms) -> Instrument:
    return TermLoan(kind).priced(STANDARD, EDGES)


def fed(kind: Terms, feedback: Feedback = AFFORDABLE, *, cap_bps: float = CAP_BPS) -> FedBack:
    return FedBack(loan_on(kind), feedback, cap_bps, FLOOR_BPS)


def figure(instrument: Instrument, m: Floats) -> float:
    """Return the figure of margins (3, K); a property is not tried where there is no price."""
    try:
        return float(instrument.figures(m[None])[0])
    except PolicyError:
        assume(False)
        raise


def shifted(m: Floats, by: float) -> Floats:
    moved = m.copy()
    moved[DEFAULT] += by
    return moved


def assert_own_risk(instrument: FedBack, m: Floats, spread_bps: float) -> None:
    """The spread pays for the hazards at that spread, and no smaller one on a grid does."""
    feedback, plain = instrument.feedback, instrument.instrument
    asked = np.append(np.linspace(0.0, spread_bps - 0.011, 100), spread_bps)
    paid = np.maximum(asked, instrument.floor_bps)
    moves = feedback.log_hazard_per_point * (paid - feedback.reference_spread_bps) / 100
    figures = plain.figures(np.stack([shifted(m, float(by)) for by in moves]))
    assert figures[-1] == pytest.approx(spread_bps, rel=0, abs=1e-9)
    assert (figures[:-1] > asked[:-1]).all()


@settings(max_examples=40)
@given(terms(), margins(default=(-10.0, -4.2)), strengths, st.floats(0.0, 600.0))
def test_the_spread_is_the_smallest_that_pays_for_the_risk_that_it_makes(
    given_terms: Terms, m: Floats, strength: float, reference_bps: float
) -> None:
    instrument = fed(given_terms, Feedback(strength, reference_bps))
    assert_own_risk(instrument, m, figure(instrument, m))


def test_the_check_of_the_spread_can_fail() -> None:
    m = flat(annual_hazard=0.03, lgd=0.4)
    instrument = fed(KINDS[0])
    found = figure(instrument, m)
    for wrong_bps in (found + 1e-6, figure(instrument.instrument, m)):
        with pytest.raises(AssertionError):
            assert_own_risk(instrument, m, wrong_bps)


@given(kinds, margins(default=(-10.0, -4.2)), st.floats(0.0, 0.3))
def test_more_hazard_never_lowers_the_spread(kind: Terms, m: Floats, more: float) -> None:
    assert figure(fed(kind), shifted(m, more)) >= figure(fed(kind), m) - 1e-9


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_at_the_reference_spread_nothing_shifts(kind: Terms) -> None:
    m = flat(annual_hazard=0.03, lgd=0.4)
    spread_bps = figure(loan_on(kind), m)
    at_home = Feedback(log_hazard_per_point=0.08, reference_spread_bps=spread_bps)
    assert figure(fed(kind, at_home), m) == pytest.approx(spread_bps, rel=0, abs=1e-9)


@settings(max_examples=30)
@given(kinds, margins(), st.floats(0.0, 600.0))
def test_without_feedback_everything_is_the_instrument_s_own(
    kind: Terms, m: Floats, reference_bps: float
) -> None:
    plain, none = loan_on(kind), fed(kind, Feedback(0.0, reference_bps), cap_bps=0.0)
    riskier = shifted(m, 1.0)
    np.testing.assert_array_equal(none.figures(m[None]), plain.figures(m[None]))
    for mine, its in zip(none.gradients(m[None]), plain.gradients(m[None]), strict=True):
        np.testing.assert_array_equal(mine, its)
    move = _move(m, riskier)
    assert none.kinks(m, move) == plain.kinks(m, move)
    assert none.price(m).waterfall == plain.price(m).waterfall


def assert_gradient(instrument: Instrument, m: Floats, *, atol: float = 1e-5) -> None:
    """Compare every derivative with a central difference."""
    figures, gradients = instrument.gradients(m[None])
    np.testing.assert_array_equal(figures, instrument.figures(m[None]))
    h, scale = 1e-5, 1 + np.abs(gradients).max()
    cells = list(np.ndindex(*m.shape))
    moved = np.repeat(m[None], 2 * len(cells), axis=0)
    for i, cell in enumerate(cells):
        moved[(2 * i, *cell)] += h
        moved[(2 * i + 1, *cell)] -= h
    up, down = instrument.figures(moved).reshape(-1, 2).T
    off = (up - down) / (2 * h) - gradients[0].ravel()
    assert np.abs(off).max() <= atol * scale


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("exits", ["some", "none"])
def test_the_gradient_is_the_derivative(kind: Terms, exits: str) -> None:
    dice = np.random.default_rng(7)
    m = np.array([[-5.5], [-4.5 if exits == "some" else -math.inf], [-0.3]]) + 0.4 * (
        dice.standard_normal((3, BUCKETS))
    )
    assert_gradient(fed(kind), m)


def test_a_feedback_of_three_fifths_makes_every_reason_two_and_a_half_times_as_heavy() -> None:
    """At the reference spread nothing shifts, and 1 / (1 - 0.6) is left of the formula."""
    m, plain = flat(annual_hazard=0.04, lgd=0.4), loan_on(KINDS[0])
    spread_bps, slopes = plain.gradients(m[None])
    strength = 0.6 * 100 / slopes[0, DEFAULT].sum()
    strong = fed(KINDS[0], Feedback(strength, float(spread_bps[0])))
    np.testing.assert_allclose(strong.gradients(m[None])[1], 2.5 * slopes, rtol=1e-9)
    assert_gradient(strong, m)


def test_a_gradient_that_forgets_the_feedback_is_caught() -> None:
    class Forgetful(FedBack):
        def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
            spread_bps = self.figures(margins)
            return spread_bps, self.instrument.gradients(self._shifted(margins, spread_bps))[1]

    m = flat(annual_hazard=0.03, lgd=0.4)
    with pytest.raises(AssertionError):
        assert_gradient(Forgetful(loan_on(KINDS[0]), AFFORDABLE, CAP_BPS, FLOOR_BPS), m)


def _move(start: Floats, end: Floats) -> Floats:
    """Return end - start, nil where both are the same, also infinite."""
    return np.subtract(end, start, out=np.zeros(start.shape), where=start != end)


def assert_explained(instrument: Instrument, start: Floats, end: Floats) -> None:
    weights = path_weights(instrument, start, end)[0]
    before, after = instrument.figures(np.stack([start, end]))
    explained_bps = math.fsum((weights * _move(start, end)).ravel())
    assert abs(after - before - explained_bps) <= 1e-6


@settings(max_examples=50)
@given(terms(), margins(default=(-10.0, -4.2)), margins(default=(-10.0, -4.2)), strengths)
def test_the_weights_explain_any_move_of_any_loan(
    given_terms: Terms, start: Floats, end: Floats, strength: float
) -> None:
    end[EXIT] = np.where(np.isinf(start[EXIT]), -math.inf, np.maximum(end[EXIT], -9.0))
    try:
        assert_explained(fed(given_terms, Feedback(strength, 300.0)), start, end)
    except PolicyError:
        assume(False)


@pytest.mark.parametrize("kind", KINDS[:8], ids=str)
def test_the_weights_explain_a_move_across_the_floor_of_pd(kind: Terms) -> None:
    good, bad = flat(annual_hazard=1e-4, lgd=0.4), flat(annual_hazard=0.03, lgd=0.5)
    assert len(loan_on(kind).kinks(good, _move(good, bad))) > 0
    assert_explained(fed(kind), good, bad)
    assert_explained(fed(kind), bad, good)


@given(kinds, margins(default=(-10.0, -4.2)))
def test_the_price_is_that_of_the_hazards_at_its_own_spread(kind: Terms, m: Floats) -> None:
    instrument = fed(kind)
    spread_bps = figure(instrument, m)
    price = instrument.price(m)
    assert price.figure_bps == pytest.approx(spread_bps, rel=0, abs=1e-9)
    by = 0.08 * (spread_bps - 300) / 100
    assert price.pd == pytest.approx(loan_on(kind).price(shifted(m, by)).pd, rel=1e-12)
    total_bps = math.fsum(line.bps for line in price.waterfall)
    assert total_bps == pytest.approx(1e4 * price.rate, rel=1e-13)


def test_a_spiral_without_end_has_no_viable_price() -> None:
    m = flat(annual_hazard=0.15, lgd=0.6)
    with pytest.raises(PolicyError, match=r"no viable price up to the cap of 3000 bp: .* slope"):
        fed(KINDS[0]).price(m)
    assert 900 < figure(loan_on(KINDS[0]), m) < CAP_BPS


@st.composite
def paid_beside_the_spread(draw: st.DrawFn) -> Deal:
    """Draw a line with a large commitment fee, or a loan with a warrant worth up to half of it."""
    if draw(st.booleans()):
        months = draw(st.sampled_from((3, 12, 36)))
        drawn = draw(st.floats(1e-4, 1.0))
        return RevolvingLine(Terms(1e6, months, "bullet"), drawn, draw(st.floats(0.0, 1e4)))
    strike, dilution = draw(st.floats(0.01, 3.0)), draw(st.floats(0.0, 0.9))
    most = min(MOST_WORTH * strike / (1 - dilution), 1.0)  # a call is worth a share at most
    coverage = most * draw(st.floats(1e-3, 1.0))
    warrant = Warrant(coverage, 7.0, draw(st.floats(0.1, 3.0)), strike, dilution)
    return VentureDebt(draw(terms()), warrant)


def assert_pays_for_itself(instrument: FedBack, m: Floats, spread_bps: float) -> None:
    """The spread is the figure at the hazards of what the client pays for it."""
    by = instrument.feedback.shift(np.array([max(spread_bps, instrument.floor_bps)]))[0]
    again = figure(instrument.instrument, shifted(m, float(by)))
    assert again == pytest.approx(spread_bps, rel=1e-12, abs=1e-9)


@given(
    paid_beside_the_spread(),
    margins(),
    st.floats(0.001, 1.0),
    st.floats(-1e4, 1e5),
    st.sampled_from((-1e4, 0.0, 50.0)),
)
def test_whatever_else_is_paid_there_is_a_price_for_its_own_risk_or_none_that_is_viable(
    deal: Deal, m: Floats, strength: float, reference_bps: float, floor_bps: float
) -> None:
    credit = deal.priced(STANDARD, EDGES)
    instrument = FedBack(credit, Feedback(strength, reference_bps), CAP_BPS, floor_bps)
    refusal = ""
    try:
        spread_bps = float(instrument.figures(m[None])[0])
    except PolicyError as error:
        refusal = str(error)
    if refusal:
        assert refusal.startswith("no viable price up to the cap")
    else:
        assert spread_bps <= CAP_BPS
        assert_pays_for_itself(instrument, m, spread_bps)


def test_the_check_of_its_own_risk_can_fail() -> None:
    m = flat(annual_hazard=0.03, lgd=0.4)
    with pytest.raises(AssertionError):
        assert_pays_for_itself(fed(KINDS[0]), m, figure(loan_on(KINDS[0]), m))


@pytest.mark.parametrize("fee_bps", [1_000.0, 10_000.0])
def test_below_the_floor_the_client_pays_the_floor_and_has_its_risk(fee_bps: float) -> None:
    """A line of which 1 % is drawn pays a hundredfold fee: far below any loading's lowest."""
    m = flat(annual_hazard=0.03, lgd=0.4)
    line = RevolvingLine(Terms(1e6, 12, "bullet"), 0.01, fee_bps).priced(STANDARD, EDGES)
    instrument = FedBack(line, AFFORDABLE, CAP_BPS, FLOOR_BPS)
    price = instrument.price(m)
    assert price.figure_bps < -10_000
    assert price.charged_bps == FLOOR_BPS
    assert price.annual_pd == pytest.approx(-math.expm1(-0.03 * math.exp(0.08 * -2.5)), rel=1e-12)
    assert_gradient(instrument, m, atol=1e-4)


@pytest.mark.parametrize("coverage", [0.2, 0.8])
def test_a_valuable_warrant_has_a_price_as_well(coverage: float) -> None:
    m = flat(annual_hazard=0.03, lgd=0.4)
    loan = VentureDebt(Terms(1e6, 36, "linear"), Warrant(coverage, 7.0, 0.6))
    instrument = FedBack(loan.priced(STANDARD, EDGES), AFFORDABLE, CAP_BPS, FLOOR_BPS)
    price = instrument.price(m)
    assert price.charged_bps == FLOOR_BPS
    assert_explained(instrument, m, shifted(m, 0.7))


def test_a_move_across_the_floor_of_the_spread_is_explained() -> None:
    """There the rate begins to feed back: a kink that the path has to find by itself."""
    line = RevolvingLine(Terms(1e6, 12, "bullet"), 0.4, 250.0).priced(STANDARD, EDGES)
    instrument = FedBack(line, AFFORDABLE, CAP_BPS, FLOOR_BPS)
    good, bad = flat(annual_hazard=0.005, lgd=0.4), flat(annual_hazard=0.05, lgd=0.5)
    assert figure(instrument, good) < FLOOR_BPS < figure(instrument, bad)
    assert_explained(instrument, good, bad)


def test_a_warrant_that_is_worth_more_to_a_riskier_loan_is_refused_in_words() -> None:
    """Beside a margin of 5000 bp the warrant's running worth rises faster than the loss does."""
    dear = replace(STANDARD, margin_bps=5_000.0)
    loan = VentureDebt(Terms(1e6, 36, "bullet"), Warrant(0.5, 7.0, 1.6)).priced(dear, EDGES)
    m = flat(annual_hazard=0.1, lgd=0.05)
    with pytest.raises(PolicyError, match=r"no viable price .*: more risk would lower it; at"):
        FedBack(loan, AFFORDABLE, 10_000.0, FLOOR_BPS).price(m)


def test_a_price_that_is_no_number_is_the_model_s_fault() -> None:
    m = flat(annual_hazard=0.03, lgd=0.4)
    m[LGD] = math.nan
    with pytest.raises(ModelError, match="a price that is a number"):
        fed(KINDS[0]).figures(m[None])


def test_a_batch_takes_few_calls_and_prices_every_row_as_if_it_were_alone() -> None:
    asked: list[int] = []

    class Counting(Credit):
        def figures(self, margins: Floats) -> Floats:
            asked.append(len(margins))
            return super().figures(margins)

    loan = TermLoan(KINDS[6]).priced(STANDARD, EDGES)
    counting = Counting(loan.legs, STANDARD, EDGES, loan.term_months, loan.loadings)
    instrument = FedBack(counting, AFFORDABLE, CAP_BPS, FLOOR_BPS)
    hazards = np.linspace(0.005, 0.06, 50)
    rows = np.stack([flat(annual_hazard=float(h), lgd=0.4) for h in hazards])
    together = instrument.figures(rows)
    assert len(asked) <= 25
    assert sum(asked) <= 50 * 15
    assert [instrument.figures(row[None])[0] for row in rows] == together.tolist()
    assert instrument.figures(rows[:0]).shape == (0,)


def test_a_section_is_read() -> None:
    section = {"log_hazard_per_point": 0.08, "reference_spread_bps": 300}
    assert read(section) == (AFFORDABLE, [])
    assert read(None) == (None, [])


@pytest.mark.parametrize(
    ("section", "fields"),
    [
        (3, ["policy.feedback"]),
        ({}, ["policy.feedback.log_hazard_per_point", "policy.feedback.reference_spread_bps"]),
        (
            {"log_hazard_per_point": -0.1, "reference_spread_bps": True, "strength": 1},
            [
                "policy.feedback.strength",
                "policy.feedback.log_hazard_per_point",
                "policy.feedback.reference_spread_bps",
            ],
        ),
        (
            {"log_hazard_per_point": math.nan, "reference_spread_bps": 300},
            ["policy.feedback.log_hazard_per_point"],
        ),
    ],
)
def test_every_fault_of_a_section_is_named_at_once(section: object, fields: list[str]) -> None:
    feedback, faults = read(section)
    assert feedback is None
    assert [fault.field for fault in faults] == fields
