"""The expected credit loss of IFRS 9: what is set aside for a loan, by its stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from pricing.errors import Fault, InputError
from pricing.ifrs9.cycle import YEAR, moved
from pricing.schedule import Terms, profile
from pricing.survival import LGD, as_ages, as_margins, incidence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEIGHT_SLACK = 1e-9  # how far the weights of the scenarios may be from one


class Stage(IntEnum):
    """What a loan has come to since it was granted (IFRS 9, 5.5.3 to 5.5.5 and B5.5.37)."""

    PERFORMING = 1  # twelve months of losses are booked
    WEAKENED = 2  # credit risk has risen significantly: losses of the whole life
    IMPAIRED = 3  # in default: losses of the whole life, of which default is no longer in doubt


@dataclass(frozen=True)
class Staging:
    """A lender's thresholds; each alone is enough. IFRS 9 sets the days, and no number for the PD.

    A lender that holds to the rise alone sets the multiple to infinity, and the other way round.
    """

    pd_multiple: float  # PD by the PD expected at origination, at least 1
    pd_rise: float  # PD less the PD expected at origination, above 0
    weakened_after_days: int = 30  # more days past due than these: 5.5.11, rebuttable
    impaired_from_days: int = 90  # as many or more: B5.5.37, rebuttable

    def __post_init__(self) -> None:
        """Refuse thresholds that make no sense, all at once."""
        days = self.weakened_after_days
        _refuse(
            ("staging.pd_multiple", "at least 1", self.pd_multiple, self.pd_multiple >= 1),
            ("staging.pd_rise", "above 0", self.pd_rise, self.pd_rise > 0),
            ("staging.weakened_after_days", "at least 0", days, days >= 0),
            (
                "staging.impaired_from_days",
                f"above weakened_after_days={days}",
                self.impaired_from_days,
                self.impaired_from_days > days,
            ),
        )


def stage(*, pd: float, pd_at_origination: float, days_past_due: int, staging: Staging) -> Stage:
    """Return the stage of a loan.

    Args:
        pd: probability of default over the remaining life, today, in [0, 1].
        pd_at_origination: what was expected, when the loan was granted, for that same remaining
            life. Both may be of twelve months where that changes no answer (B5.5.13).
        days_past_due: of the oldest payment that is due.
        staging: the lender's thresholds.

    Source: IFRS 9, 5.5.9 to 5.5.11 and B5.5.37.

    >>> staging = Staging(pd_multiple=3.0, pd_rise=0.05)
    >>> stage(pd=0.02, pd_at_origination=0.01, days_past_due=31, staging=staging)
    <Stage.WEAKENED: 2>
    """
    _refuse(
        ("pd", "in [0, 1]", pd, 0 <= pd <= 1),
        ("pd_at_origination", "in [0, 1]", pd_at_origination, 0 <= pd_at_origination <= 1),
        ("days_past_due", "at least 0", days_past_due, days_past_due >= 0),
    )
    if days_past_due >= staging.impaired_from_days:
        return Stage.IMPAIRED
    risen = pd - pd_at_origination
    multiplied = risen > 0 and pd >= staging.pd_multiple * pd_at_origination
    late = days_past_due > staging.weakened_after_days
    return Stage.WEAKENED if late or multiplied or risen >= staging.pd_rise else Stage.PERFORMING


@dataclass(frozen=True)
class Scenario:
    """A course of the economy, its probability, and what it does to the hazard of default."""

    name: str
    weight: float  # probability, in [0, 1]
    log_hazard_shift: float = 0.0  # added to the log hazard of default at every age


BASE = (Scenario("base", 1.0),)


@dataclass(frozen=True)
class Ecl:
    """The expected credit loss of one loan, in the currency of its amount."""

    stage: Stage
    twelve_month: float
    lifetime: float
    booked: float  # the one that the stage asks for


@dataclass(frozen=True, eq=False)
class Ecls:
    """The expected credit losses of many loans on the same terms, in the currency of the amount."""

    stages: Ints  # (rows,)
    twelve_month: Floats  # (rows,)
    lifetime: Floats  # (rows,)
    booked: Floats  # (rows,)


def expected_credit_loss(
    *,
    default: Floats,
    lgd: Floats,
    exposure: Floats,
    eir_annual: float,
    period_years: float,
    horizon_periods: int | None = None,
) -> Floats:
    """Return (...,) the present value of the losses of all defaults before the horizon.

        ECL = Σ_{k<=H} (F_k - F_{k-1}) LGD_k EAD_k / (1 + EIR)^(k Δ)

    F is the cumulative incidence of default, 1 - S where nobody leaves early. A loss is discounted
    from the end of the period in which the loan defaults.

    Args:
        default: (..., n + 1) F_0, ..., F_n, which never falls, in [0, 1].
        lgd: (..., n) or (n,) loss given default as a share of the exposure, in [0, 1].
        exposure: (n,) what is outstanding in each period, in currency.
        eir_annual: the effective interest rate, as a fraction above -1.
        period_years: Δ.
        horizon_periods: H, 12 months for instance; None for the whole life. Beyond it is n.

    Source: IFRS 9, 5.5.3 and 5.5.5 (horizons), 5.5.17 (expectation), B5.5.44 (discounting).

    >>> default = 1 - np.exp(-0.03 * np.arange(4))
    >>> three = np.ones(3)
    >>> of = dict(default=default, lgd=0.4 * three, exposure=1e6 * three)
    >>> round(float(expected_credit_loss(**of, eir_annual=0.05, period_years=1.0)), 3)
    31282.046
    """
    n = np.size(exposure)
    horizon = n if horizon_periods is None else horizon_periods
    _refuse(
        (
            "exposure",
            "(n,) of at least 0",
            exposure,
            np.ndim(exposure) == 1 and bool((np.asarray(exposure) >= 0).all()),
        ),
        ("default", f"(..., {n + 1}) rising within [0, 1]", default, _rises(default, n + 1)),
        ("lgd", f"(..., {n}) in [0, 1]", lgd, np.shape(lgd)[-1:] == (n,) and _in_unit(lgd)),
        ("eir_annual", "a number above -1", eir_annual, -1 < eir_annual < math.inf),
        ("period_years", "a number above 0", period_years, 0 < period_years < math.inf),
        ("horizon_periods", "at least 0", horizon, horizon >= 0),
    )
    lost = np.diff(default) * lgd
    present = present_value(lost, exposure, eir_annual=eir_annual, period_years=period_years)
    return np.asarray(present[..., :horizon].sum(axis=-1))


def of_loan(
    margins: Floats,
    edges: Sequence[int] | Ints,
    terms: Terms,
    *,
    annual_rate: float,
    stage: Stage,
    scenarios: Sequence[Scenario] = BASE,
    elapsed_months: int = 0,
) -> Ecl:
    """Return the expected credit loss of a loan from its project's margins (3, K); see `of_loans`.

    Args:
        margins: (3, K).
        edges: (K + 1,) months.
        terms: the loan.
        annual_rate: nominal, as it is paid.
        stage: decides which loss is booked.
        scenarios: whose weights sum to one.
        elapsed_months: the age of the loan at the reporting date, a multiple of the payment months.
    """
    of = of_loans(
        np.asarray(margins)[None],
        edges,
        terms,
        annual_rate=annual_rate,
        stages=np.array([stage]),
        scenarios=scenarios,
        elapsed_months=elapsed_months,
    )
    losses = (float(of.twelve_month[0]), float(of.lifetime[0]), float(of.booked[0]))
    return Ecl(Stage(stage), *losses)


def of_loans(
    margins: Floats,
    edges: Sequence[int] | Ints,
    terms: Terms,
    *,
    annual_rate: float,
    stages: Ints,
    scenarios: Sequence[Scenario] = BASE,
    elapsed_months: int = 0,
) -> Ecls:
    """Return the expected credit losses of loans on the same terms.

    The incidence of default is known monthly; losses are gathered and discounted on the grid of the
    payments, at the effective rate of a loan without fees, (1 + r Δ)^(1/Δ) - 1. Projects that leave
    early repay and lose nothing. A loan of some age is known to have neither defaulted nor left.
    In stage 3, both losses are LGD times what is outstanding, for the default has happened, and the
    LGD is by its nature a share of the exposure at that time.

    Args:
        margins: (rows, 3, K) on the age of the loan, from when it was granted.
        edges: (K + 1,) months.
        terms: the loan that all rows have.
        annual_rate: nominal, as it is paid.
        stages: (rows,) 1, 2 or 3; decide which loss is booked.
        scenarios: whose weights sum to one.
        elapsed_months: the age of the loans, a multiple of the payment months below the term.

    Source: IFRS 9, 5.5.17 (scenarios), B5.5.44 (discounting), appendix A (expected prepayments).
    """
    ages = as_ages(edges)
    rows = as_margins(margins, ages)
    _check_loans(len(rows), ages, terms, annual_rate, stages, elapsed_months)
    check(scenarios)
    left = terms.periods - elapsed_months // terms.payment_months
    exposure = terms.amount * profile(terms, annual_rate=annual_rate).share[-left:]
    ahead, ages = _ahead(rows, ages, elapsed_months)
    lost, step = np.zeros((len(rows), left)), terms.payment_months
    for scenario in scenarios:
        at = moved(ahead, scenario.log_hazard_shift)
        default = incidence(at, ages, left * step)
        lost += scenario.weight * lost_shares(default, at[:, LGD], ages, period_months=step)
    present = present_value(
        lost, exposure, eir_annual=eir(terms, annual_rate), period_years=terms.period_years
    )
    year = YEAR // step
    impaired, certain = stages == Stage.IMPAIRED, exposure[0] * expit(ahead[:, LGD, 0])
    twelve_month = np.where(impaired, certain, present[:, :year].sum(axis=1))
    lifetime = np.where(impaired, certain, present.sum(axis=1))
    booked = np.where(stages == Stage.PERFORMING, twelve_month, lifetime)
    return Ecls(np.asarray(stages), twelve_month, lifetime, booked)


def eir(terms: Terms, annual_rate: float) -> float:
    """Return (1 + r Δ)^(1/Δ) - 1, the effective rate of a loan without fees.

    >>> round(eir(Terms(1, 12, "bullet"), 0.06), 6)
    0.061678
    """
    return float((1 + annual_rate * terms.period_years) ** (1 / terms.period_years) - 1)


def check(scenarios: Sequence[Scenario]) -> None:
    """Refuse scenarios that are none, double, or whose weights are no probabilities.

    >>> check((Scenario("good", 0.5, -0.3), Scenario("bad", 0.4, 0.6)))
    Traceback (most recent call last):
        ...
    pricing.errors.InputError: scenarios must be weights that sum to 1, however: 0.9
    """
    faults = []
    for i, s in enumerate(scenarios):
        if not 0 <= s.weight <= 1:
            faults.append(Fault(f"scenarios[{i}].weight", "in [0, 1]", repr(s.weight)))
        if not math.isfinite(s.log_hazard_shift):
            given = repr(s.log_hazard_shift)
            faults.append(Fault(f"scenarios[{i}].log_hazard_shift", "a finite number", given))
        if s.name in {other.name for other in scenarios[:i]}:
            faults.append(Fault(f"scenarios[{i}].name", "unlike the others", repr(s.name)))
    total = math.fsum(s.weight for s in scenarios)
    if not faults and not abs(total - 1) <= WEIGHT_SLACK:
        faults.append(Fault("scenarios", "weights that sum to 1", repr(total)))
    if faults:
        raise InputError(faults)


def lost_shares(default: Floats, loss: Floats, ages: Ints, *, period_months: int) -> Floats:
    """Return (..., periods) the expected share of the exposure that is lost in each period.

    Args:
        default: (..., months + 1) cumulative incidence by month, from 0; whole periods.
        loss: (..., K) logits of the loss given default, by age bucket.
        ages: (K + 1,) months.
        period_months: of a period.
    """
    fell = np.diff(default)  # (..., months)
    bucket = np.searchsorted(ages, np.arange(fell.shape[-1]), side="right") - 1
    monthly = fell * expit(loss[..., bucket])
    lost: Floats = monthly.reshape(*fell.shape[:-1], -1, period_months).sum(axis=-1)
    return lost


def present_value(
    lost: Floats, exposure: Floats, *, eir_annual: float, period_years: float
) -> Floats:
    """Return (..., n) the shares lost in each period, in currency and discounted from its end.

    Args:
        lost: (..., n) shares of the exposure.
        exposure: (n,) in currency.
        eir_annual: the effective interest rate, as a fraction above -1.
        period_years: of a period.
    """
    ends_years = period_years * np.arange(1, len(exposure) + 1)
    present: Floats = lost * exposure * (1 + eir_annual) ** -ends_years
    return present


def _ahead(rows: Floats, ages: Ints, elapsed_months: int) -> tuple[Floats, Ints]:
    """Return margins and ages counted from a later month, for those who are still there by then."""
    still = ages[1:] > elapsed_months
    return rows[:, :, still], np.append(0, ages[1:][still] - elapsed_months)


def _check_loans(
    rows: int, ages: Ints, terms: Terms, annual_rate: float, stages: Ints, elapsed_months: int
) -> None:
    """Raise every fault of what `of_loans` was given at once."""
    months, last = terms.payment_months, int(ages[-1])
    least = -1 / terms.period_years
    _refuse(
        (
            "terms.term_months",
            f"at most the last age, {last}",
            terms.term_months,
            terms.term_months <= last,
        ),
        ("annual_rate", f"a number above {least:g}", annual_rate, least < annual_rate < math.inf),
        (
            "stages",
            f"({rows},) of 1, 2 or 3",
            stages,
            np.shape(stages) == (rows,) and bool(np.isin(stages, list(Stage)).all()),
        ),
        (
            "elapsed_months",
            f"a multiple of payment_months={months}, from 0 and below {terms.term_months}",
            elapsed_months,
            0 <= elapsed_months < terms.term_months and elapsed_months % months == 0,
        ),
    )


def _rises(default: Floats, length: int) -> bool:
    """Return whether it is a cumulative incidence of that length."""
    sound = np.shape(default)[-1:] == (length,) and _in_unit(default)
    return sound and bool((np.diff(default) >= 0).all())


def _in_unit(given: Floats) -> bool:
    """Return whether all are in [0, 1], but for what is lost in rounding."""
    return bool((np.abs(np.asarray(given) - 0.5) <= 0.5 + 1e-12).all())


def _refuse(*checks: tuple[str, str, object, bool]) -> None:
    """Raise every fault of (field, what is expected, what came, whether it is sound) at once."""
    faults = [
        Fault(name, expected, str(given)) for name, expected, given, sound in checks if not sound
    ]
    if faults:
        raise InputError(faults)
