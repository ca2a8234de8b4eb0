"""The expected credit loss of IFRS 9: what is set aside for a loan, by its stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # whose parts load when they are asked for
from numpy.typing import NDArray

from pricing.errors import Fault, InputError
from pricing.ifrs9.cycle import YEAR, Cycle, PdOf, default_within, moved
from pricing.ifrs9.staging import Stage, refuse
from pricing.schedule import Terms, profile
from pricing.survival import LGD, as_ages, as_margins, incidence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WEIGHT_SLACK = 1e-9  # how far the weights of the scenarios may be from one


@dataclass(frozen=True)
class Scenario:
    """A course of the economy, its probability, and what it does to the hazard of default."""

    name: str
    weight: float  # probability, in [0, 1]
    log_hazard_shift: float = 0.0  # added to the log hazard of default at every age
    z: float | None = None  # or the state of the economy, in standard deviations; see `Cycle`

    def of(self, margins: Floats, pd: PdOf, cycle: Cycle | None) -> Floats:
        """Return margins (3, K), whose PD of a year `pd` says, as they are in this scenario."""
        if self.z is None or cycle is None:
            return moved(margins, self.log_hazard_shift)
        return cycle.at(margins, pd, z=self.z)


BASE = (Scenario("base", 1.0),)


@dataclass(frozen=True)
class Ecl:
    """The expected credit loss of one loan, in the currency of its amount."""

    stage: Stage
    twelve_month: float
    lifetime: float
    booked: float  # the one that the stage asks for


def of_loan(
    margins: Floats,
    edges: Sequence[int] | Ints,
    terms: Terms,
    *,
    annual_rate: float,
    stage: Stage,
    scenarios: Sequence[Scenario] = BASE,
    cycle: Cycle | None = None,
) -> Ecl:
    """Return the expected credit loss of a loan from margins (3, K).

        ECL = Σ_{k<=H} (F_k - F_{k-1}) LGD_k EAD_k / (1 + EIR)^(k Δ),   H 12 months or the life

    F is the cumulative incidence of default: known monthly, gathered and discounted on the grid of
    the payments, from the end of the period of the default, at the effective rate of a loan without
    fees. Projects that leave early repay and lose nothing. In stage 3, both losses are LGD times
    what is outstanding, for the default has happened, and the LGD is by its nature a share of the
    exposure at that time.

    Args:
        margins: (3, K), by months from the reporting date.
        edges: (K + 1,) months.
        terms: of what is left of the loan at the reporting date.
        annual_rate: nominal, as it is paid.
        stage: decides which loss is booked.
        scenarios: whose weights sum to one.
        cycle: where the economy stands, for scenarios that name its states.

    Source: IFRS 9, 5.5.3 and 5.5.5 (horizons), 5.5.17 (expectation over scenarios), B5.5.44
    (discounting), appendix A (expected prepayments).
    """
    ages = as_ages(edges)
    (row,) = as_margins(np.asarray(margins)[None], ages)
    _check_loan(ages, terms, annual_rate)
    check(scenarios)
    exposure = terms.amount * profile(terms, annual_rate=annual_rate).share
    if stage is Stage.IMPAIRED:
        certain = float(exposure[0] * scipy.special.expit(row[LGD, 0]))
        return Ecl(stage, certain, certain, certain)
    lost, step = np.zeros(terms.periods), terms.payment_months
    for scenario in scenarios:
        at = scenario.of(row, default_within(ages), cycle)
        default = incidence(at[None], ages, terms.term_months)[0]
        lost += scenario.weight * lost_shares(default, at[LGD], ages, period_months=step)
    present = present_value(
        lost, exposure, eir_annual=eir(terms, annual_rate), period_years=terms.period_years
    )
    twelve_month, lifetime = float(present[: YEAR // step].sum()), float(present.sum())
    booked = twelve_month if stage is Stage.PERFORMING else lifetime
    return Ecl(stage, twelve_month, lifetime, booked)


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
    monthly = fell * scipy.special.expit(loss[..., bucket])
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


def _check_loan(ages: Ints, terms: Terms, annual_rate: float) -> None:
    """Raise every fault of what `of_loan` was given at once."""
    last, least = int(ages[-1]), -1 / terms.period_years
    term, rate = terms.term_months, annual_rate
    refuse(
        ("terms.term_months", f"at most the last age, {last}", term, term <= last),
        ("annual_rate", f"a number above {least:g}", rate, least < rate < math.inf),
    )
