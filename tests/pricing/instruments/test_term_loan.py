from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pricing.capital.irb import AssetClass
from pricing.credit import Credit
from pricing.errors import InputError, ModelError
from pricing.instrument import Instrument
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms
from pricing.survival import DEFAULT, EXIT, LGD
from tests.pricing import oracle
from tests.pricing.cases import (
    BUCKETS,
    EDGES,
    KINDS,
    STANDARD,
    Floats,
    bare,
    flat,
    loan,
    margins,
    spread_of,
    terms,
)
from tests.pricing.instruments.laws import assert_gradient

kinds = st.sampled_from(KINDS)


# Credit default swap, r = 3 % continuous, 3 years, quarterly, LGD 40 %: hazard -> running spread
# with accrual, then QuantLib 1.44's MidPointCdsEngine. Source: design note on pricing, section 1.
SWAPS = {
    0.01: (40.1501, 40.1512),
    0.03: (120.4486, 120.4537),
    0.05: (200.7441, 200.7556),
    0.10: (401.4631, 401.5011),
}


@pytest.mark.parametrize("hazard", SWAPS)
@pytest.mark.parametrize("repayment", ["bullet", "linear"])
def test_without_capital_a_loan_costs_what_a_credit_default_swap_does(
    hazard: float, repayment: str
) -> None:
    """With a flat hazard, repaying evenly does not change the spread."""
    loan = Terms(1e6, 36, repayment, payment_months=3)
    spread_bps = spread_of(loan, flat(annual_hazard=hazard, lgd=0.4), under=bare(0.03))
    closed_form, quantlib = SWAPS[hazard]
    assert spread_bps == pytest.approx(closed_form, rel=0, abs=1e-4)
    assert spread_bps == pytest.approx(quantlib, rel=0, abs=0.1)


def test_the_swap_that_quantlib_keeps_as_its_own_reference() -> None:
    """Ten years, half-yearly, hazard 1.234 %, 6 %, recovery 40 %; days over 360 in all of it."""
    # QuantLib's test suite, creditdefaultswap, testCachedValue: fair rate 0.007517539081
    swap = Terms(1e4, 120, "bullet", payment_months=6)
    spread_bps = spread_of(swap, flat(annual_hazard=0.01234, lgd=0.6), under=bare(0.06))
    assert spread_bps == pytest.approx(75.17539081, rel=0, abs=0.1)


@given(terms(), margins())
def test_the_price_is_that_of_the_slow_way(given_terms: Terms, m: Floats) -> None:
    expected = oracle.spread(given_terms, STANDARD, m)
    assert spread_of(given_terms, m) == pytest.approx(expected, rel=1e-10, abs=1e-8)


@given(terms(), margins(default=(-15.0, 3.0)))
def test_even_an_absurd_price_is_that_of_the_slow_way(given_terms: Terms, m: Floats) -> None:
    expected = oracle.spread(given_terms, STANDARD, m)
    assert spread_of(given_terms, m) == pytest.approx(expected, rel=1e-10, abs=1e-7)


def test_the_slow_way_can_disagree() -> None:
    m = flat(annual_hazard=0.03, lgd=0.4)
    expected = oracle.spread(KINDS[6], STANDARD, m)
    assert spread_of(KINDS[7], m) != pytest.approx(expected, rel=1e-4)


def test_a_bullet_of_two_and_a_half_years_bears_the_published_capital() -> None:
    # PD within a year 2 % exactly and M 2.5: 115.70 bp, design note on pricing, section 1
    m = flat(annual_hazard=-math.log(0.98), lgd=0.4)
    price = TermLoan(Terms(1e6, 30, "bullet", payment_months=6)).priced(STANDARD, EDGES).price(m)
    lines = {line.name: line.bps for line in price.waterfall}
    assert lines["capital"] == pytest.approx(115.70, rel=0, abs=5e-3)
    assert price.pd["12"] == pytest.approx(0.02, rel=1e-12)
    assert price.maturity_years == 2.5


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("exits", ["some", "none"])
def test_the_adjoint_is_the_derivative(kind: Terms, exits: str) -> None:
    dice = np.random.default_rng(7)
    m = np.array([[-5.5], [-4.5 if exits == "some" else -math.inf], [-0.3]]) + 0.4 * (
        dice.standard_normal((3, BUCKETS))
    )
    assert_gradient(TermLoan(kind).priced(STANDARD, EDGES), m)


@given(terms(), margins(default=(-8.0, 0.0)))
def test_the_adjoint_is_the_derivative_of_any_loan(given_terms: Terms, m: Floats) -> None:
    loan = TermLoan(given_terms).priced(STANDARD, EDGES)
    assume(_far_from_kinks(loan, m))
    assert_gradient(loan, m)


def _far_from_kinks(loan: Credit, m: Floats) -> bool:
    price = loan.price(m)
    far_from_floor = abs(price.curves.default[min(12, loan.term_months)] - 5e-4) > 1e-5
    return far_from_floor and min(abs(price.maturity_years - x) for x in (1, 5)) > 1e-4


@pytest.mark.parametrize("asset_class", ["other_retail", "large_financial"])
def test_the_adjoint_holds_for_every_asset_class(asset_class: str) -> None:
    under = replace(STANDARD, asset_class=AssetClass(asset_class))
    assert_gradient(TermLoan(KINDS[6]).priced(under, EDGES), flat(annual_hazard=0.05, lgd=0.4))


class _Distorted(Credit):
    """A loan whose adjoint forgets one part in ten thousand of one row."""

    row = DEFAULT

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        figures, gradients = super().gradients(margins)
        gradients[:, self.row] *= 0.9999
        return figures, gradients


@pytest.mark.parametrize("row", [DEFAULT, EXIT, LGD])
@pytest.mark.parametrize("kind", [KINDS[0], KINDS[4], KINDS[7]], ids=str)
def test_a_wrong_adjoint_is_caught(kind: Terms, row: int) -> None:
    m = flat(annual_hazard=0.05, lgd=0.4, annual_exits=0.1)
    m[:, 3:] += 0.5  # otherwise exits hardly matter
    assert_gradient(TermLoan(kind).priced(STANDARD, EDGES), m, atol=1e-7)
    distorted = loan(kind, kind=_Distorted)
    object.__setattr__(distorted, "row", row)
    with pytest.raises(AssertionError):
        assert_gradient(distorted, m, atol=1e-7)


def test_forgetting_that_an_annuity_depends_on_its_rate_is_caught() -> None:
    class Naive(Credit):
        def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
            figures, gradients = super().gradients(margins)
            fixed_rate_share = 0.999  # the factor at the fixed point is about 1.001
            return figures, gradients * fixed_rate_share

    with pytest.raises(AssertionError):
        assert_gradient(loan(KINDS[6], kind=Naive), flat(annual_hazard=0.05, lgd=0.4))


@given(terms(), margins(default=(-9.0, -4.2)), st.floats(0.0, 0.3))
def test_more_hazard_at_every_age_never_lowers_the_spread(
    given_terms: Terms, m: Floats, more: float
) -> None:
    """Up to 20 % a year; far above, Basel's charge for the unexpected falls again."""
    riskier = m.copy()
    riskier[DEFAULT] += more
    assert spread_of(given_terms, riskier) >= spread_of(given_terms, m) - 1e-9


@given(terms(), margins(), st.integers(0, BUCKETS - 1), st.floats(0.0, 3.0))
def test_a_bigger_loss_given_default_never_lowers_the_spread(
    given_terms: Terms, m: Floats, bucket: int, more: float
) -> None:
    worse = m.copy()
    worse[LGD, bucket] += more
    assert spread_of(given_terms, worse) >= spread_of(given_terms, m) - 1e-9


@given(kinds, margins())
def test_without_hazard_there_is_no_expected_loss(kind: Terms, m: Floats) -> None:
    m[DEFAULT] = -math.inf
    price = TermLoan(kind).priced(STANDARD, EDGES).price(m)
    assert {line.name: line.bps for line in price.waterfall}["expected_loss"] == 0
    assert set(price.pd.values()) == {0.0}
    assert spread_of(kind, m, under=bare(0.03)) == 0


@given(terms(), margins(default=(-11.0, 1.0)))
def test_the_waterfall_adds_up_to_the_rate(given_terms: Terms, m: Floats) -> None:
    price = TermLoan(given_terms).priced(STANDARD, EDGES).price(m)
    assert math.fsum(line.bps for line in price.waterfall) == pytest.approx(
        1e4 * price.rate, rel=1e-13
    )
    assert [line.name for line in price.waterfall] == [
        "ftp",
        "expected_loss",
        "capital",
        "opex",
        "margin",
        "floor_cap",
    ]
    assert price.figure_bps == spread_of(given_terms, m)
    assert STANDARD.spread_floor_bps <= price.charged_bps <= 3000


@pytest.mark.parametrize(("annual_hazard", "bound_bps"), [(3.0, 3000.0), (1e-9, 50.0)])
def test_the_clip_is_a_line_of_its_own(annual_hazard: float, bound_bps: float) -> None:
    under = replace(STANDARD, opex_bps=0.0, margin_bps=0.0)
    price = loan(KINDS[3], under=under).price(flat(annual_hazard=annual_hazard, lgd=0.4))
    clip = price.waterfall[-1]
    assert price.charged_bps == bound_bps
    assert clip.name == "floor_cap"
    assert clip.bps == pytest.approx(bound_bps - price.figure_bps)
    assert clip.bps != 0


def test_without_a_cap_nothing_is_cut_off() -> None:
    under = replace(STANDARD, spread_cap_bps=None)
    price = TermLoan(KINDS[3]).priced(under, EDGES).price(flat(annual_hazard=3.0, lgd=0.4))
    assert price.charged_bps == price.figure_bps > 3000


def test_on_a_flat_curve_funding_costs_its_par_coupon() -> None:
    """Quarterly coupons c with 1 + c/4 = exp(r/4), whatever the profile."""
    for repayment in ("bullet", "linear", "annuity"):
        loan = TermLoan(Terms(1e6, 36, repayment, payment_months=3)).priced(bare(0.03), EDGES)
        funding_bps = loan.price(flat(annual_hazard=0.03, lgd=0.4)).waterfall[0].bps
        assert funding_bps == pytest.approx(1e4 * 4 * math.expm1(0.03 / 4), rel=1e-12)


def test_an_annuity_lies_between_linear_and_bullet() -> None:
    m = flat(annual_hazard=0.05, lgd=0.4)
    years = [
        TermLoan(Terms(1e6, 60, kind)).priced(STANDARD, EDGES).price(m).maturity_years
        for kind in ("linear", "annuity", "bullet")
    ]
    assert years[0] < years[1] < years[2] == pytest.approx(5, rel=1e-12)


def test_a_short_loan_bears_the_capital_of_a_whole_year() -> None:
    short, year = (
        {
            line.name: line.bps
            for line in TermLoan(loan)
            .priced(STANDARD, EDGES)
            .price(flat(annual_hazard=0.03, lgd=0.4))
            .waterfall
        }["capital"]
        for loan in (Terms(1e6, 3, "bullet"), Terms(1e6, 12, "bullet"))
    )
    assert short == pytest.approx(year, rel=1e-12)


def test_probabilities_stop_at_the_end_of_the_loan() -> None:
    price = (
        TermLoan(Terms(1e6, 24, "linear"))
        .priced(STANDARD, EDGES)
        .price(flat(annual_hazard=0.03, lgd=0.4))
    )
    assert price.pd["36"] == price.pd["60"] == price.pd["lifetime"]
    assert price.pd["lifetime"] == pytest.approx(-math.expm1(-0.06), rel=1e-12)
    assert price.lgd == pytest.approx(0.4, rel=1e-12)
    assert len(price.curves.survival) == 25


@given(terms(), st.lists(margins(), min_size=1, max_size=5))
def test_a_batch_prices_every_row_as_if_it_were_alone(
    given_terms: Terms, rows: list[Floats]
) -> None:
    loan = TermLoan(given_terms).priced(STANDARD, EDGES)
    batch = np.stack(rows)
    figures, gradients = loan.gradients(batch)
    for i, row in enumerate(rows):
        alone, slopes = loan.gradients(row[None])
        assert figures[i] == alone[0] == loan.figures(batch)[i]
        np.testing.assert_array_equal(gradients[i], slopes[0])


def test_an_empty_batch_has_no_figures() -> None:
    loan = TermLoan(KINDS[6]).priced(STANDARD, EDGES)
    assert loan.figures(np.empty((0, 3, BUCKETS))).shape == (0,)


@given(terms(), margins(default=(-40.0, 6.0)))
def test_even_absurd_hazards_have_a_finite_price_and_gradient(
    given_terms: Terms, m: Floats
) -> None:
    loan = TermLoan(given_terms).priced(STANDARD, EDGES)
    figures, gradients = loan.gradients(m[None])
    assert np.isfinite(figures).all()
    assert np.isfinite(gradients).all()


def test_a_price_that_is_no_number_is_the_model_s_fault() -> None:
    m = flat(annual_hazard=0.03, lgd=0.4)
    m[LGD] = math.nan
    with pytest.raises(ModelError, match="finite spread_bps"):
        TermLoan(KINDS[0]).priced(STANDARD, EDGES).price(m)


def test_a_term_beyond_the_model_s_last_age_names_the_field() -> None:
    with pytest.raises(InputError, match=r"terms\.term_months must be at most 120") as raised:
        TermLoan(Terms(1e6, 132, "bullet")).priced(STANDARD, EDGES)
    assert raised.value.faults[0].field == "terms.term_months"


def test_ages_that_end_before_a_year_are_refused() -> None:
    with pytest.raises(InputError, match="edges must be a last age of at least 12 months"):
        TermLoan(Terms(1e6, 6, "bullet")).priced(STANDARD, (0, 6, 9))


def test_margins_with_a_bucket_too_many_are_refused() -> None:
    with pytest.raises(InputError, match="margins must be of shape"):
        TermLoan(KINDS[0]).priced(STANDARD, EDGES).figures(np.zeros((1, 3, BUCKETS + 1)))


def test_a_loan_is_an_instrument() -> None:
    instrument: Instrument = loan(KINDS[0])
    assert instrument.price(flat(annual_hazard=0.03, lgd=0.4)).figure == "spread_bps"


@pytest.mark.parametrize("months", [1, 6, 12, 36])
def test_the_borrower_s_year_is_a_year_and_the_published_pd_ends_with_the_loan(months: int) -> None:
    # by hand: 1 - exp(-0.02 t); capital has always asked for the year (CRE32.4)
    price = loan(Terms(1e6, months, "bullet")).price(flat(annual_hazard=0.02, lgd=0.4))
    assert price.annual_pd == pytest.approx(-math.expm1(-0.02), rel=1e-12)
    for month in (12, 36, 60):
        lived = min(month, months) / 12
        assert price.pd[str(month)] == pytest.approx(-math.expm1(-0.02 * lived), rel=1e-12)
