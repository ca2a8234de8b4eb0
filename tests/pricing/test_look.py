"""One look at an instrument says what it says when it is asked one thing after another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.arrange import arranged
from pricing.capital.raroc import Rewarded
from pricing.credit import Credit
from pricing.errors import ModelError, PolicyError
from pricing.feedback import Feedback
from pricing.instrument import Instrument
from pricing.instruments.term_loan import TermLoan
from pricing.look import Look, ends_of, look
from pricing.path import path_weights
from pricing.schedule import Terms
from tests.pricing.cases import EDGES, STANDARD, Floats, flat, loan, margins, terms

FED_BACK = replace(STANDARD, feedback=Feedback(0.05, reference_spread_bps=300.0))
LINE = Terms(1e6, 60, "annuity", 6)


def around(middle: Floats) -> Floats:
    """Return (2, 3, K) margins a little safer, and a little riskier."""
    ends = np.stack([middle, middle])
    ends[:, 0] += np.array([[-0.3], [0.3]])
    return ends


def assert_same(seen: Look, instrument: Instrument, start: Floats, at: Floats) -> None:
    price, path = instrument.price(at), path_weights(instrument, start, at)
    for name, number in price._asdict().items():
        if name not in ("curves", "margins", "clip"):
            assert getattr(seen.price, name) == number
    assert seen.price.curves.default.tolist() == price.curves.default.tolist()
    assert seen.path.weights.tolist() == path.weights.tolist()
    assert seen.path[1:] == path[1:]
    assert seen.ends == ends_of(instrument, around(at))


@given(terms(), margins(), margins())
def test_a_walk_over_the_legs_sees_all_to_the_last_bit(
    shape: Terms, start: Floats, at: Floats
) -> None:
    at[1] = np.where(np.isinf(start[1]), start[1], np.where(np.isinf(at[1]), -5.0, at[1]))
    credit = loan(shape)
    assert_same(look(credit, start, at, around(at)), credit, start, at)


@pytest.mark.parametrize("under", [STANDARD, FED_BACK])
@given(hazard=st.floats(0.002, 0.1))
def test_what_stands_around_a_loan_says_what_its_price_says(under: object, hazard: float) -> None:
    start, at = flat(annual_hazard=0.05, lgd=0.45), flat(annual_hazard=hazard, lgd=0.5)
    instrument = arranged(TermLoan(LINE), None, under, EDGES)  # type: ignore[arg-type]  # a policy
    assert isinstance(instrument, Rewarded)
    assert isinstance(instrument.instrument, Credit) == (under is STANDARD)
    seen = look(instrument, start, at, around(at))
    assert "raroc" in seen.price.details
    assert_same(seen, instrument, start, at)


def test_an_end_without_a_viable_price_has_none() -> None:
    steep = replace(
        STANDARD, feedback=Feedback(0.3, reference_spread_bps=300.0), spread_cap_bps=900.0
    )
    instrument = arranged(TermLoan(LINE), None, steep, EDGES)
    at = flat(annual_hazard=0.01, lgd=0.5)
    ends = around(at)
    ends[1, 0] += 3.0
    with pytest.raises(PolicyError):
        instrument.figures(ends[1:])
    seen = look(instrument, at, at, ends)
    assert seen.ends.bps[0] is not None
    assert (seen.ends.bps[1], seen.ends.pd[1]) == (None, None)


def test_margins_that_give_no_figure_are_refused() -> None:
    at = flat(annual_hazard=0.05, lgd=0.45)
    with pytest.raises(ModelError, match="finite"):
        look(loan(LINE), at, np.full_like(at, np.inf), around(at))
