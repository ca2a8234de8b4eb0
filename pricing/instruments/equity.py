"""The equity stake of a venture or guidance fund, priced off the curve that prices the loans."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pricing import valuation
from pricing.credit import HORIZONS, published
from pricing.errors import Fault, InputError, ModelError
from pricing.instrument import Line, Price
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.survival import DEFAULT, EXIT, Curves, as_ages, as_margins, curves
from pricing.valuation import Stage

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LOSS_IN_FAILURE = 1.0  # a share ranks last: nothing is left for it
LONGEST_HORIZON = 600  # months
YEAR = 12  # months
MOST_TIMES = 10_000  # the investment, of what the stake may bring or a stage cost

ABOVE_ZERO = ("a number above 0", math.ulp(0.0), math.inf)
NOT_NEGATIVE = ("a number of at least 0", 0.0, math.inf)
PART = ("a share in (0, 1]", math.ulp(0.0), 1.0)
SHARE = ("a share in [0, 1]", 0.0, 1.0)
RETURN = ("an annual rate in [0, 10]", 0.0, 10.0)
NUMBERS = {
    "amount": ABOVE_ZERO,
    "ownership": PART,
    "exit_value": ABOVE_ZERO,
    "discount_rate": RETURN,
    "retention": PART,
    "concession_share": SHARE,
    "concession_hurdle": RETURN,
}
NUMBERS_OF_SCENARIOS = {
    "success": NOT_NEGATIVE,
    "survival": NOT_NEGATIVE,
    "failure": NOT_NEGATIVE,
    "success_share": SHARE,
}


@dataclass(frozen=True, slots=True)
class Scenarios:
    """Values of the whole firm at the exit, for the First Chicago method."""

    success: float
    survival: float  # sideways: the firm lives, and no more
    failure: float
    success_share: float  # of the probability that the firm survives


@dataclass(frozen=True, slots=True)
class Equity:
    """What is bought, and what is hoped for. Every fault is raised at once.

    The fund bears its share of the stages still to be paid for. What later rounds will pay for is
    no stage: it shows in `retention`, and listing it as well would count it twice.

    Of its gain over `amount (1 + concession_hurdle)^years` a guidance fund may cede a share to the
    other investors. A share of 1 is their right to buy the stake back at that price.

    >>> Equity(1e6, 0.1, 60, exit_value=5e7, discount_rate=0.12).kind
    'equity'
    """

    kind: ClassVar[str] = "equity"
    amount: float  # the investment, in currency
    ownership: float  # share of the firm that it buys
    horizon_months: int  # to the exit
    exit_value: float  # of the whole firm if every stage succeeds and it survives
    discount_rate: float  # annual
    stages: tuple[Stage, ...] = ()  # still to be paid for, by month
    retention: float = 1.0  # share of the stake left at the exit, after later rounds
    concession_share: float = 0.0
    concession_hurdle: float = 0.0  # annual
    scenarios: Scenarios | None = None
    vc_target_return: float | None = None  # annual

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if faults := [*_faults(self)]:
            raise InputError(faults)

    @property
    def terms(self) -> Terms:
        """Return the amount and the time that it is tied up."""
        return Terms(self.amount, self.horizon_months, "bullet")

    def priced(self, policy: Policy, edges: Sequence[int]) -> EquityStake:
        """Return the stake on these age buckets; a lender's policy has no say in its value."""
        return EquityStake(self, edges)

    def stake(self, firm_value: float) -> float:
        """Return what the stake brings at a firm_value, before any concession."""
        return self.ownership * self.retention * firm_value

    def ceded(self, firm_value: float) -> float:
        """Return what of it goes to others at firm_value: share · max(stake - hurdle, 0)."""
        due = self.amount * (1 + self.concession_hurdle) ** (self.horizon_months / 12)
        return self.concession_share * max(self.stake(firm_value) - float(due), 0.0)

    def kept(self, firm_value: float) -> float:
        """Return what the fund is left with at a firm_value, in currency."""
        return self.stake(firm_value) - self.ceded(firm_value)


@dataclass(frozen=True, eq=False)
class EquityStake:
    """A stake as a function of a project's margins by age.

    A firm that repays its loan early has not failed, so survival follows from row DEFAULT alone:

        S(t) = exp(-Σ_k months of t in bucket k · exp(margin_k))
        worth = kept(exit) P_n S(T) D(T) - ownership Σ_i cost_i P_{i-1} S(t_i) D(t_i)
        value = 1e4 (worth - amount) / amount

    with P the technical success so far and D(t) = (1+r)^(-t/12). A value of 0 bp is a fair deal.
    What the fund keeps of a success does not depend on the margins, so there are no kinks.

    Source: `valuation.rnpv`, with the survival of the firm beside the success of each stage.
    """

    terms: Equity
    edges: Sequence[int] | Ints  # (K + 1,) months
    figure: ClassVar[str] = "value_bps"
    _ages: Ints = field(init=False, repr=False)
    _months: Floats = field(init=False, repr=False)  # (K, J) in bucket k until flow j
    _flows: Floats = field(init=False, repr=False)  # (J,) bp if the firm lives; exit is last

    def __post_init__(self) -> None:
        """Lay out the flows once for all margins."""
        ages = as_ages(self.edges)
        terms = self.terms
        if terms.horizon_months > ages[-1]:
            expected = f"at most {ages[-1]}, the last age the model knows"
            raise InputError.of("instrument.horizon_months", expected, terms.horizon_months)
        at = np.array([*(stage.month for stage in terms.stages), terms.horizon_months])  # (J,)
        months = np.clip(at - ages[:-1, None], 0, np.diff(ages)[:, None])
        object.__setattr__(self, "_ages", ages)
        object.__setattr__(self, "_months", months.astype(np.float64))
        object.__setattr__(self, "_flows", _flows(terms))

    def figures(self, margins: Floats) -> Floats:
        """Return (rows,) the value in bp of the investment, of margins (rows, 3, K)."""
        alive, _ = self._survive(as_margins(margins, self._ages))
        values: Floats = alive @ self._flows - 1e4
        return values

    def gradients(self, margins: Floats) -> tuple[Floats, Floats]:
        """Return (rows,) the values and (rows, 3, K) their derivatives by every margin.

        d value / d margin_k = -exp(margin_k) Σ_j flow_j S_j months_kj
        """
        rows = as_margins(margins, self._ages)
        alive, hazards = self._survive(rows)
        slopes = np.zeros(rows.shape)
        slopes[:, DEFAULT] = -hazards * ((alive * self._flows) @ self._months.T)
        return alive @ self._flows - 1e4, slopes

    def kinks(self, start: Floats, move: Floats) -> Sequence[float]:
        """Return nothing: the value is smooth in the margins."""
        return ()

    def pds(self, margins: Floats) -> Floats:
        """Return (rows,) the probability that the firm fails before the exit."""
        alive, _ = self._survive(as_margins(margins, self._ages))
        pds: Floats = 1 - alive[:, -1]
        return pds

    def price(self, margins: Floats) -> Price:
        """Return the price of margins (3, K); its details show the methods side by side."""
        alive, _ = self._survive(as_margins(margins[None], self._ages))
        survival = float(alive[0, -1])
        if not math.isfinite(survival):
            raise ModelError(f"margins must give a finite survival, however: {survival=}")
        flows = alive[0] * self._flows
        costs_bps, kept_bps = float(flows[:-1].sum()), float(flows[-1])
        value_bps = kept_bps + costs_bps - 1e4
        worth = self.terms.amount * (kept_bps + costs_bps) / 1e4
        costs = -self.terms.amount * costs_bps / 1e4
        paths = _curves(margins, self._ages, self.terms.horizon_months)
        year = min(YEAR, int(self._ages[-1]))
        return Price(
            figure=self.figure,
            figure_bps=value_bps,
            charged_bps=value_bps,
            waterfall=_waterfall(self.terms, kept_bps=kept_bps, costs_bps=costs_bps),
            pd=published(paths.default, HORIZONS),
            annual_pd=float(_curves(margins, self._ages, year).default[-1]),
            lgd=LOSS_IN_FAILURE,
            maturity_years=self.terms.horizon_months / 12,
            curves=paths,
            margins=margins,
            details=dict(_details(self.terms, worth=worth, costs=costs, survival=survival)),
        )

    def _survive(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return (rows, J) survival to every flow and (rows, K) the monthly hazards."""
        hazards = np.exp(rows[:, DEFAULT])
        alive: Floats = np.exp(-(hazards @ self._months))
        return alive, hazards


def _flows(terms: Equity) -> Floats:
    """Return (J,) what each stage and last the exit is worth if the firm lives, in bp."""
    *odds, success = valuation.reached(terms.stages)
    rate = terms.discount_rate
    costs = [
        -terms.ownership * stage.cost * p * valuation.discount(stage.month, annual_rate=rate)
        for stage, p in zip(terms.stages, odds, strict=True)
    ]
    at_exit = valuation.discount(terms.horizon_months, annual_rate=rate)
    flows = [*costs, terms.kept(terms.exit_value) * success * at_exit]
    return 1e4 * np.array(flows) / terms.amount


def _curves(margins: Floats, ages: Ints, months: int) -> Curves:
    """Return survival and default to the exit, as if no loan were ever repaid early."""
    alone = np.array(margins, np.float64)
    alone[EXIT] = -math.inf
    return curves(alone, ages, months)


def _waterfall(terms: Equity, *, kept_bps: float, costs_bps: float) -> tuple[Line, ...]:
    """Return the lines that add up to the value, in bp of the investment."""
    stake_bps = kept_bps * terms.stake(terms.exit_value) / terms.kept(terms.exit_value)
    return (
        Line("stake", stake_bps),
        Line("concession", kept_bps - stake_bps),
        Line("stage_costs", costs_bps),
        Line("investment", -1e4),
    )


def _details(
    terms: Equity, *, worth: float, costs: float, survival: float
) -> Iterator[tuple[str, float]]:
    """Yield what each method says the stake is worth, before the investment is paid for.

    A scenario says what the stake brings, whatever its stages cost on the way there; so their
    expected costs, which do not depend on how the exits are told apart, come off First Chicago as
    off rNPV. The venture capital method knows one exit and nothing before it: whoever uses it pays
    for risk and stages with the target return.
    """
    yield "survive_to_exit", survival
    yield "technical_success", valuation.reached(terms.stages)[-1]
    yield from _method("rnpv", worth, terms)
    if terms.scenarios is not None:
        stake = _first_chicago(terms, terms.scenarios, survival=survival)
        yield from _method("first_chicago", stake - costs, terms)
    if terms.vc_target_return is not None:
        yield from _venture_capital(terms, target_return=terms.vc_target_return)


def _method(name: str, stake: float, terms: Equity) -> Iterator[tuple[str, float]]:
    """Yield a method's value of the stake, in currency and as a multiple of the investment."""
    yield name, stake
    yield f"{name}_multiple", stake / terms.amount


def _first_chicago(terms: Equity, scenarios: Scenarios, *, survival: float) -> float:
    """Return the stake by First Chicago: the curve says who fails, the caller who succeeds."""
    success = survival * scenarios.success_share
    firms = (scenarios.success, scenarios.survival, scenarios.failure)
    return valuation.first_chicago(
        (success, survival - success, 1 - survival),
        [terms.kept(firm) for firm in firms],
        exit_month=terms.horizon_months,
        annual_rate=terms.discount_rate,
    )


def _venture_capital(terms: Equity, *, target_return: float) -> Iterator[tuple[str, float]]:
    """Yield the stake by the venture capital method, and the deal that the method would offer.

    The deal knows no concession; the value of the stake does.
    """
    months = terms.horizon_months
    stake = terms.kept(terms.exit_value) * valuation.discount(months, annual_rate=target_return)
    yield from _method("vc_method", stake, terms)
    deal = valuation.venture_capital(
        exit_value=terms.exit_value,
        exit_month=months,
        target_return=target_return,
        investment=terms.amount,
        retention=terms.retention,
    )
    yield "vc_method_post_money", deal.post_money
    yield "vc_method_pre_money", deal.pre_money
    yield "vc_method_required_ownership", deal.required_ownership


def _faults(terms: Equity) -> Iterator[Fault]:
    """Yield everything that is wrong with the terms."""
    for name, allowed in NUMBERS.items():
        yield from _fault(f"instrument.{name}", getattr(terms, name), *allowed)
    horizon = terms.horizon_months
    if not (_is_whole(horizon) and 1 <= horizon <= LONGEST_HORIZON):
        expected = f"a whole number of months, 1 to {LONGEST_HORIZON}"
        yield Fault("instrument.horizon_months", expected, repr(horizon))
    yield from _faults_of_stages(terms)
    yield from _faults_of_size(terms)
    if terms.scenarios is not None:
        for name, allowed in NUMBERS_OF_SCENARIOS.items():
            given = getattr(terms.scenarios, name)
            yield from _fault(f"instrument.scenarios.{name}", given, *allowed)
    if terms.vc_target_return is not None:
        yield from _fault("instrument.vc_target_return", terms.vc_target_return, *RETURN)


def _faults_of_stages(terms: Equity) -> Iterator[Fault]:
    """Yield what is wrong with the stages; their months rise, up to the exit."""
    last = -1
    for i, stage in enumerate(terms.stages):
        at = f"instrument.stages[{i}]"
        if not (_is_whole(stage.month) and last < stage.month):
            yield Fault(f"{at}.month", f"a whole month above {last}", repr(stage.month))
        else:
            last = stage.month
        yield from _fault(f"{at}.cost", stage.cost, *NOT_NEGATIVE)
        yield from _fault(f"{at}.success", stage.success, *PART)
    if _is_whole(terms.horizon_months) and last > terms.horizon_months:
        expected = f"at least {last}, the month of the last stage"
        yield Fault("instrument.horizon_months", expected, str(terms.horizon_months))


def _faults_of_size(terms: Equity) -> Iterator[Fault]:
    """Yield amounts so large that their value in bp of the investment would have no digits."""
    if not (terms.amount > 0 and 0 < terms.ownership <= 1):
        return
    most = MOST_TIMES * terms.amount / terms.ownership
    amounts = {f"stages[{i}].cost": stage.cost for i, stage in enumerate(terms.stages)}
    for name, given in {"exit_value": terms.exit_value, **amounts}.items():
        if given > most:
            expected = f"at most {most:.6g}, {MOST_TIMES:,} times what the investment buys"
            yield Fault(f"instrument.{name}", expected, repr(given))


def _fault(name: str, given: object, expected: str, low: float, high: float) -> Iterator[Fault]:
    """Yield the fault of a number outside [low, high]; true, NaN and infinity are no numbers."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        if math.isfinite(given) and low <= given <= high:
            return
    yield Fault(name, expected, repr(given))


def _is_whole(value: object) -> bool:
    """Return whether the value is a whole number; true and false are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)
