from __future__ import annotations

import math
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing import policy
from pricing.errors import InputError
from pricing.instrument import Leg
from pricing.policy import POLICIES
from pricing.support.scheme import FirstLoss, Payer, Scheme, Share, read
from pricing.support.sharing import (
    Relief,
    pool_relief,
    relief,
    share_expected_loss,
    share_loss,
)

TABLES = tomllib.loads((POLICIES / "cny.toml").read_text("utf-8"))["schemes"]
NATIONAL, LOCAL_POOL, GUARANTEE, FIRST_LOSS = read(TABLES)[0]
SCALE_BPS = policy.load(currency="CNY").capital_scale_bps  # 1837.5

amounts = st.floats(0.0, 1e12)
fractions = st.floats(0.0, 1.0)
bps = st.floats(0.0, 5_000.0)
lgds = st.floats(0.01, 1.0)


@st.composite
def schemes(draw: st.DrawFn) -> Scheme:
    """Return a scheme of three payers in any order, at most one of them open-ended."""
    cuts = sorted(draw(st.tuples(fractions, fractions)))
    shares = [cuts[0], cuts[1] - cuts[0], 1 - cuts[1]]
    roles = draw(st.permutations(["bank", "local_pool", "insurer"]))
    open_ended = draw(st.sampled_from([None, 0, 1, 2]))
    first = draw(st.none() | st.builds(FirstLoss, st.sampled_from(roles), fractions))
    payers = tuple(
        Payer(role, role, None if i == open_ended else Share(share))
        for i, (role, share) in enumerate(zip(roles, shares, strict=True))
    )
    return replace(LOCAL_POOL, payers=payers, first_loss=first)


def guarantee(share: float, *, risk_weight: float | None = 0.2) -> Scheme:
    """Return the example guarantee with another covered share and risk weight."""
    bank, guarantor = GUARANTEE.payers
    payers = (replace(bank, share=Share(1 - share)), guarantor)
    return replace(GUARANTEE, payers=payers, covered_risk_weight=risk_weight)


def amounts_of(legs: tuple[Leg, ...]) -> list[float]:
    return [leg.amount for leg in legs]


@pytest.mark.parametrize(
    ("tier", "thousands"),
    [
        ("little_giant", [80, 160, 80, 80]),
        ("high_tech", [80, 140, 80, 100]),
        ("other_tech", [80, 120, 80, 120]),
    ],
)
def test_a_loss_under_the_national_plan_is_split_as_published(
    tier: str, thousands: list[int]
) -> None:
    # design note on pricing, section 4: 400,000 under bank 20 / national 40-35-30 / provincial 20
    legs = share_loss(NATIONAL, loss=400_000, exposure=1e6, tier=tier)
    assert amounts_of(legs) == [1000 * x for x in thousands]
    assert [leg.role for leg in legs] == ["bank", "national", "provincial", "local_pool"]


def test_a_first_loss_is_paid_first_up_to_its_share_of_the_exposure() -> None:
    # bank and insurer by halves, the fund the first 10 % of 1,000,000
    small = share_loss(FIRST_LOSS, loss=60_000, exposure=1e6, tier=None)
    large = share_loss(FIRST_LOSS, loss=400_000, exposure=1e6, tier=None)
    assert amounts_of(small) == [0, 60_000, 0]
    assert amounts_of(large) == [150_000, 100_000, 150_000]


@given(scheme=schemes(), loss=amounts, more=amounts)
def test_legs_add_up_to_the_loss_exactly_and_none_is_negative(
    scheme: Scheme, loss: float, more: float
) -> None:
    legs = amounts_of(share_loss(scheme, loss=loss, exposure=loss + more, tier=None))
    assert math.fsum(legs) == loss
    assert legs[0] + legs[1] + legs[2] == loss, "in any order, without compensation"
    assert min(legs) >= 0


@given(scheme=schemes(), loss=st.floats(1.0, 1e12))
def test_everybody_pays_their_share_but_for_rounding(scheme: Scheme, loss: float) -> None:
    plain = replace(scheme, first_loss=None)
    legs = share_loss(plain, loss=loss, exposure=loss, tier=None)
    expected = [share * loss for share in plain.shares(None)]
    assert amounts_of(legs) == pytest.approx(expected, rel=0, abs=1e-12 * loss)


@pytest.mark.parametrize(("loss", "exposure"), [(-1.0, 10.0), (11.0, 10.0), (math.nan, 1.0)])
def test_a_loss_lies_between_nil_and_the_exposure(loss: float, exposure: float) -> None:
    with pytest.raises(InputError, match="loss must be from 0 to the exposure"):
        share_loss(NATIONAL, loss=loss, exposure=exposure, tier="high_tech")


@given(scheme=schemes(), el=bps, lgd=lgds, paid=fractions)
def test_expected_legs_add_up_exactly_and_none_is_negative(
    scheme: Scheme, el: float, lgd: float, paid: float
) -> None:
    legs = share_expected_loss(scheme, expected_loss_bps=el, lgd=lgd, tier=None, pool_relief=paid)
    assert math.fsum(amounts_of(legs)) == el
    assert min(amounts_of(legs)) >= 0


def test_the_bank_keeps_what_a_capped_pool_does_not_pay() -> None:
    # PD 3 %, LGD 40 %: EL 120 bp, of which the pool has promised 40 %, 48 bp
    paid = pool_relief(LOCAL_POOL, pd=0.03, lgd=0.4)
    legs = share_expected_loss(
        LOCAL_POOL, expected_loss_bps=120, lgd=0.4, tier=None, pool_relief=paid
    )
    assert 0 < paid < 1
    assert amounts_of(legs) == pytest.approx([120 - 48 * paid, 48 * paid], rel=1e-14)


def test_the_bank_keeps_it_wherever_it_stands() -> None:
    turned = replace(LOCAL_POOL, payers=LOCAL_POOL.payers[::-1])
    legs = share_expected_loss(turned, expected_loss_bps=120, lgd=0.4, tier=None, pool_relief=0.5)
    assert [(leg.role, leg.amount) for leg in legs] == [("local_pool", 24), ("bank", 96)]


def test_the_cap_of_the_national_plan_counts_claims() -> None:
    # design note on pricing, section 4, claims basis, a = 5 %: 0.02562478 of 0.03
    assert pool_relief(NATIONAL, pd=0.03, lgd=0.4) == pytest.approx(0.02562478 / 0.03, abs=1e-6)
    net = replace(NATIONAL, cap_basis="losses")  # the same source, LGD 40 %: 0.01187887 of 0.012
    assert pool_relief(net, pd=0.03, lgd=0.4) == pytest.approx(0.01187887 / 0.012, abs=1e-6)
    assert pool_relief(GUARANTEE, pd=0.03, lgd=0.4) == 1


def test_a_cap_relieves_only_whom_it_names() -> None:
    split = replace(FIRST_LOSS, first_loss=None, capped=("provincial",))
    legs = share_expected_loss(split, expected_loss_bps=120, lgd=0.4, tier=None, pool_relief=0.5)
    assert amounts_of(legs) == pytest.approx([60, 0, 60], rel=1e-14)


def test_a_first_loss_takes_its_part_of_what_a_default_loses() -> None:
    # 10 % of the exposure out of a loss of 40 % of it: a quarter, and the rest by halves
    legs = share_expected_loss(
        FIRST_LOSS, expected_loss_bps=120, lgd=0.4, tier=None, pool_relief=1.0
    )
    assert amounts_of(legs) == pytest.approx([45, 30, 45], rel=1e-14)
    realised = share_loss(FIRST_LOSS, loss=0.4, exposure=1.0, tier=None)
    assert amounts_of(legs) == pytest.approx([300 * leg.amount for leg in realised], rel=1e-14)


def test_the_guaranteed_loan_has_the_published_price() -> None:
    # design note on pricing, sections 1 and 4: PD 3 %, LGD 40 %, EL 120, capital 127.50, opex 80;
    # with an 80 % guarantee weighted 20 %: EL 24.0 + opex 80 + capital 49.02 = 153.02 bp
    saved = relief(
        GUARANTEE,
        expected_loss_bps=120.0,
        capital_bps=127.50,
        capital_scale_bps=SCALE_BPS,
        lgd=0.4,
        tier=None,
        amount=1e6,
        pool_relief=1.0,
    )
    assert 120 - saved.expected_loss_bps == pytest.approx(24.0, abs=1e-9)
    assert 127.50 - saved.capital_bps == pytest.approx(49.02, abs=1e-9)
    assert 0.025 + 1e-4 * 327.50 == pytest.approx(0.05775, abs=1e-12)
    assert 0.025 + 1e-4 * (327.50 - saved.total_bps) == pytest.approx(0.040302, abs=1e-12)


def relieved(scheme: Scheme, *, el: float, capital: float, paid: float = 1.0) -> Relief:
    return relief(
        scheme,
        expected_loss_bps=el,
        capital_bps=capital,
        capital_scale_bps=SCALE_BPS,
        lgd=0.4,
        tier="high_tech",
        amount=6e6,
        pool_relief=paid,
    )


@given(
    pair=st.tuples(fractions, fractions),
    el=bps,
    capital=bps,
    paid=fractions,
    weight=st.none() | st.floats(0.0, 12.5),
)
def test_more_coverage_never_raises_the_bank_s_price(
    pair: tuple[float, float], el: float, capital: float, paid: float, weight: float | None
) -> None:
    less, more = (
        relieved(guarantee(share, risk_weight=weight), el=el, capital=capital, paid=paid)
        for share in sorted(pair)
    )
    assert more.total_bps >= less.total_bps - 1e-9
    assert min(less.expected_loss_bps, less.capital_bps) >= 0


@pytest.mark.parametrize("weight", [None, 0.868, 1.0, 12.5])
def test_a_cover_weighted_like_the_firm_or_more_saves_no_capital(weight: float | None) -> None:
    # a firm with a cost of capital of 127.50 bp weighs 12.5 x 127.50 / 1837.5 = 86.73 %
    saved = relieved(guarantee(0.8, risk_weight=weight), el=120.0, capital=127.5)
    assert saved.capital_bps == 0
    assert relieved(guarantee(0.8, risk_weight=0.86), el=120.0, capital=127.5).capital_bps > 0


def test_the_fee_is_charged_on_what_is_covered() -> None:
    # 6 m covered at 80 % are 4.8 m, below the threshold of 5 m: 30 bp on 80 % of the loan
    saved = relieved(NATIONAL, el=120.0, capital=127.5)
    assert saved.fee_bps == pytest.approx(24.0, rel=1e-14)
    assert saved.total_bps == pytest.approx(96 - 24, rel=1e-14)
    dear = relief(
        NATIONAL,
        expected_loss_bps=120,
        capital_bps=127.5,
        capital_scale_bps=SCALE_BPS,
        lgd=0.4,
        tier="high_tech",
        amount=7e6,
        pool_relief=1.0,
    )
    assert dear.fee_bps == pytest.approx(40.0, rel=1e-14)


def test_every_fault_of_the_numbers_is_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        share_expected_loss(
            NATIONAL, expected_loss_bps=math.nan, lgd=0.0, tier="high_tech", pool_relief=1.1
        )
    fields = [fault.field for fault in raised.value.faults]
    assert fields == ["expected_loss_bps", "lgd", "pool_relief"]
