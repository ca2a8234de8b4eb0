"""Our prices beside QuantLib's and Basel's published table, in one run, with the times of both.

python -m benchmarks.references      QuantLib comes with the extra `dev`

QuantLib's engine discounts a loss at the middle day of its period, we at the middle of its months:
nothing else sets us apart. Half a year's middle day is the middle of its months, and there we agree
to rounding. A repaying loan is a sum of credit default swaps that end, one for every repayment, so
QuantLib prices up to 120 swaps where we price one loan; the single swaps are the fair race. Curves
and engines are built before the clock starts, schedules and instruments after.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import QuantLib
from numpy.typing import NDArray

from pricing import book
from pricing.capital.irb import risk_weight
from pricing.credit import Credit
from pricing.funding import FundingCurve
from pricing.instruments.term_loan import TermLoan
from pricing.policy import Policy
from pricing.schedule import PAYMENT_MONTHS, REPAYMENTS, Terms, profile
from tests.pricing.capital.test_irb import COLUMNS, PUBLISHED
from tests.pricing.cases import BUCKETS, EDGES, STANDARD

ql: Any = QuantLib  # its stubs do not cover what is used here
Floats = NDArray[np.float64]
Line = tuple[str, str]  # what, figure

CASES = 200
BOOK, SHAPES, ONE_BY_ONE = 100_000, 500, 5_000
SINGLES = 10_000
AT_45 = (0, 1, 4)  # columns of the table that Basel has published: LGD 45 %
CURVE_MONTHS = (12, 36, 60, 120)
TODAY = ql.Date(1, 1, 2025)
THIRTY = ql.Thirty360(ql.Thirty360.BondBasis)  # every month is a twelfth


@dataclass(frozen=True, eq=False)
class Case:
    """A loan, its borrower's hazards and loss given default, and the lender's curve."""

    terms: Terms
    hazards: Floats  # (K,) annual
    lgd: float
    zero_rates: Floats  # (4,) at CURVE_MONTHS, continuously compounded

    @cached_property
    def margins(self) -> Floats:
        """Return (3, K) what our kernels take."""
        never, logit = -math.inf, math.log(self.lgd / (1 - self.lgd))
        return np.array([np.log(self.hazards / 12), [never] * BUCKETS, [logit] * BUCKETS])

    @cached_property
    def policy(self) -> Policy:
        """Return a policy on the curve without capital, opex or margin: the spread is the loss."""
        curve = FundingCurve(tuple(zip(CURVE_MONTHS, self.zero_rates.tolist(), strict=True)))
        return replace(
            STANDARD, funding_curve=curve, capital_ratio=0.0, opex_bps=0.0, margin_bps=0.0
        )

    @cached_property
    def engine(self) -> Any:
        """Return QuantLib's mid-point engine on the same hazards and curve."""
        ends = [TODAY + ql.Period(int(edge), ql.Months) for edge in EDGES]
        annual = [float(self.hazards[0]), *map(float, self.hazards)]
        hazards = ql.HazardRateCurve(ends, annual, THIRTY)
        dates = [TODAY, *(TODAY + ql.Period(months, ql.Months) for months in CURVE_MONTHS)]
        rates = [float(self.zero_rates[0]), *map(float, self.zero_rates)]
        zeros = ql.ZeroCurve(
            dates, rates, THIRTY, ql.NullCalendar(), ql.Linear(), ql.Continuous, ql.NoFrequency
        )
        default = ql.DefaultProbabilityTermStructureHandle(hazards)
        return ql.MidPointCdsEngine(default, 1 - self.lgd, ql.YieldTermStructureHandle(zeros))

    def ready(self) -> Case:
        """Build what is built before the clock starts."""
        assert self.policy.funding_curve.discount is not None
        assert self.margins is not None
        assert self.engine is not None
        return self

    def ours(self) -> Credit:
        """Return the loan as we price it."""
        return TermLoan(self.terms).priced(self.policy, EDGES)

    def swap(self, notional: float, months: int) -> Any:
        """Return QuantLib's swap of 100 bp that pays with the loan, over its first months."""
        dates = ql.Schedule(
            TODAY,
            TODAY + ql.Period(months, ql.Months),
            ql.Period(self.terms.payment_months, ql.Months),
            ql.NullCalendar(),
            ql.Unadjusted,
            ql.Unadjusted,
            ql.DateGeneration.Forward,
            False,
        )
        swap = ql.CreditDefaultSwap(
            ql.Protection.Buyer, notional, 0.01, dates, ql.Unadjusted, THIRTY, True, True
        )
        swap.setPricingEngine(self.engine)
        return swap

    def quantlib_spread(self, shares: Floats) -> float:
        """Return Σ protection / Σ coupons of 1, in bp, over a swap for every repayment."""
        protection, coupons = 0.0, 0.0
        for k, part in enumerate(shares - np.append(shares[1:], 0.0), start=1):
            if part:
                swap = self.swap(float(part), k * self.terms.payment_months)
                protection += swap.defaultLegNPV()
                coupons -= swap.couponLegNPV() / 0.01
        return 1e4 * protection / coupons


def main() -> None:
    """Print all figures as one table."""
    ql.Settings.instance().evaluationDate = TODAY
    print("| what | figure |\n|---|---|")
    for what, figure in (*loans(), *swaps(), *capital(), *books(), *singles()):
        print(f"| {what} | {figure} |", flush=True)


def cases(seed: int, repayments: Sequence[str]) -> list[Case]:
    """Return loans of 1 to 10 years, hazards of 0.2 to 15 % by age, curves of 0 to 6 %."""
    dice = np.random.default_rng(seed)
    return [
        Case(
            some_terms(dice, str(dice.choice(repayments))),
            dice.uniform(0.002, 0.15, BUCKETS),
            float(dice.uniform(0.2, 0.8)),
            dice.uniform(0.0, 0.06, len(CURVE_MONTHS)),
        ).ready()
        for _ in range(CASES)
    ]


def some_terms(dice: np.random.Generator, repayment: str) -> Terms:
    """Return terms of 1 to 10 years, some with a grace of up to half of them."""
    step = int(dice.choice(PAYMENT_MONTHS))
    periods = int(dice.integers(12 // step, 120 // step + 1))
    grace = 0 if repayment == "bullet" else int(dice.integers(0, periods // 2 + 1))
    return Terms(1e6, periods * step, repayment, grace * step, step)


def loans() -> Iterator[Line]:
    """Yield how far loans are from sums of QuantLib's swaps, and how much sooner they are there."""
    some = cases(1, REPAYMENTS)
    ours, our_seconds = timed(lambda case: spread_bps(case.ours(), case), some)
    shares = [case_shares(case, spread) for case, spread in zip(some, ours, strict=True)]
    theirs, their_seconds = timed(
        lambda pair: pair[0].quantlib_spread(pair[1]), list(zip(some, shares, strict=True))
    )
    yield from apart(f"{CASES} loans, spread", ours, theirs)
    yield "loans: QuantLib's time over ours", f"{their_seconds / our_seconds:,.0f} x"


def case_shares(case: Case, spread_bps: float) -> Floats:
    """Return (n,) the balances of a loan at the rate that it costs."""
    funding_bps = case.ours().price(case.margins).waterfall[0].bps
    return profile(case.terms, annual_rate=1e-4 * (funding_bps + spread_bps)).share


def swaps() -> Iterator[Line]:
    """Yield how far single swaps are from QuantLib's, and the times from terms and once more."""
    some = cases(2, ("bullet",))
    ours, our_seconds = timed(lambda case: spread_bps(case.ours(), case), some)
    kept = [case.swap(1.0, case.terms.term_months) for case in some]
    theirs, their_seconds = timed(
        lambda case: 1e4 * case.swap(1.0, case.terms.term_months).fairSpread(), some
    )
    yield from apart(f"{CASES} swaps, fair spread", ours, theirs)
    legs = [protection_bps(case) for case in some]
    half_years = [i for i, case in enumerate(some) if case.terms.payment_months == 6]
    exact = max(abs(ours[i] - theirs[i]) for i in half_years)
    yield f"{len(half_years)} of them paid half-yearly: worst difference", f"{exact:.0e} bp"
    yield from apart(f"{CASES} swaps, default leg", legs, [1e4 * s.defaultLegNPV() for s in kept])
    yield "swaps: QuantLib's time over ours, from the terms", f"{their_seconds / our_seconds:.1f} x"
    _, our_again = timed(lambda pair: spread_bps(*pair), [(case.ours(), case) for case in some])
    _, their_again = timed(again, kept)
    yield "swaps: QuantLib's time over ours, priced again", f"{their_again / our_again:.1f} x"


def spread_bps(credit: Credit, case: Case) -> float:
    """Return our spread."""
    return float(credit.figures(case.margins[None])[0])


def protection_bps(case: Case) -> float:
    """Return the present value of our losses, in bp of the loan."""
    credit = case.ours()
    paths, discount = credit.curves(case.margins), case.policy.funding_curve.discount
    step, months = case.terms.payment_months, case.terms.term_months
    dead = np.diff(paths.default[: months + 1 : step])  # (n,)
    return 1e4 * case.lgd * float(dead @ discount[step : 2 * months : 2 * step])


def again(swap: Any) -> float:
    """Return the fair spread of a swap that is made, computed anew."""
    swap.recalculate()
    spread: float = swap.fairSpread()
    return spread


def capital() -> Iterator[Line]:
    """Yield how far our risk weights are from those that Basel printed."""
    gaps = [
        abs(100 * risk_weight(pd=pd, maturity_years=2.5, basel=COLUMNS[column]) - row[column])
        for pd, row in PUBLISHED.items()
        for column in AT_45
    ]
    yield f"{len(gaps)} risk weights of Basel, worst", f"{max(gaps):.4f} points"


def books() -> Iterator[Line]:
    """Yield how many loans a book prices in a second, and against one by one."""
    dice = np.random.default_rng(3)
    distinct: dict[Terms, None] = {}
    while len(distinct) < SHAPES:
        distinct[some_terms(dice, str(dice.choice(REPAYMENTS)))] = None
    shapes = list(distinct)
    asked = [shapes[i] for i in dice.integers(0, SHAPES, BOOK)]
    margins, columns = some_margins(dice, BOOK), book.Loans.of(asked)
    whole = min(seconds(lambda: book.price(columns, margins, STANDARD, EDGES)) for _ in range(3))
    pairs = list(zip(asked, margins, strict=True))[:ONE_BY_ONE]
    _, single = timed(one, pairs)
    yield f"book of {BOOK:,} loans in {SHAPES} shapes, loans a second", f"{BOOK / whole:,.0f}"
    yield "book over one by one", f"{single / ONE_BY_ONE / (whole / BOOK):.1f} x"


def singles() -> Iterator[Line]:
    """Yield the median time of one price without explanation, its legs at hand and not."""
    dice = np.random.default_rng(4)
    shapes = [Terms(1e6, 60, repayment) for repayment in REPAYMENTS]
    margins = some_margins(dice, SINGLES)
    asked = [(shapes[i % len(shapes)], m) for i, m in enumerate(margins)]
    yield "one price, median", f"{median_us(one, asked):.1f} us"
    cold = [(case, case.margins) for case in cases(5, REPAYMENTS)]
    first = median_us(lambda pair: pair[0].ours().price(pair[1]), cold)
    yield "one price of a shape never seen, median", f"{first:.1f} us"


def one(pair: tuple[Terms, Floats]) -> object:
    """Return one loan's price under the example policy."""
    return TermLoan(pair[0]).priced(STANDARD, EDGES).price(pair[1])


def some_margins(dice: np.random.Generator, rows: int) -> Floats:
    """Return (rows, 3, K) margins around a hazard of 5 % and exits of 13 % a year."""
    middle = np.array([-5.5, -4.5, -0.4])
    margins: Floats = middle[None, :, None] + 0.5 * dice.standard_normal((rows, 3, BUCKETS))
    return margins


def apart(what: str, ours: Sequence[float], theirs: Sequence[float]) -> Iterator[Line]:
    """Yield the worst and the median difference in bp."""
    gaps = np.abs(np.subtract(ours, theirs))
    relative = float((gaps / np.abs(theirs)).max())
    yield f"{what}: worst difference", f"{gaps.max():.4f} bp, {1e4 * relative:.1f} in 10,000 of it"
    yield f"{what}: median difference", f"{np.median(gaps):.4f} bp"


def timed(call: Callable[[Any], Any], given: Sequence[Any]) -> tuple[list[Any], float]:
    """Return what the call makes of each, and the seconds that all took; a kernel is warm."""
    one((Terms(1e6, 12, "annuity"), some_margins(np.random.default_rng(0), 1)[0]))
    began = time.perf_counter()
    made = [call(each) for each in given]
    return made, time.perf_counter() - began


def seconds(call: Callable[[], object]) -> float:
    """Return how long one call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def median_us(call: Callable[[Any], object], given: Sequence[Any]) -> float:
    """Return the median time of one call in microseconds, after a warm-up."""
    one((Terms(1e6, 12, "annuity"), some_margins(np.random.default_rng(0), 1)[0]))
    taken = []
    for each in given:
        began = time.perf_counter()
        call(each)
        taken.append(time.perf_counter() - began)
    return 1e6 * float(np.median(taken))


if __name__ == "__main__":
    main()
