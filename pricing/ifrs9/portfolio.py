"""The provisions of a book of loans that have been granted: their stages, and what is booked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pricing.errors import InputError
from pricing.ifrs9 import ecl
from pricing.ifrs9.cycle import YEAR
from pricing.ifrs9.ecl import BASE, Ecl
from pricing.ifrs9.staging import Stage, Staging, stage
from pricing.policy import Policy
from pricing.schedule import Terms

MOST_PD = 1 - 1e-12  # of a hazard that is a number; such a loan is in default all the same


@dataclass(frozen=True, slots=True)
class Holding:
    """A loan at the reporting date, as a bank's books have it."""

    loan: str  # its name
    terms: Terms  # of what is outstanding and of the months that are left
    eir_annual: float  # the effective interest rate of its origination, as a fraction above -1
    pd: float  # within twelve months, today; 1 is a default
    pd_at_origination: float  # of twelve months, as it was expected for today
    lgd: float
    days_past_due: int

    def booked(self, policy: Policy, staging: Staging) -> Ecl:
        """Return the loan's expected credit losses under a policy's scenarios.

        The PD of twelve months says one hazard for the whole life, h = -ln(1 - PD) / 12 a month;
        PDs of twelve months decide the stage as well, which B5.5.13 allows where losses do not
        gather late in the life.
        """
        at = stage(
            pd=self.pd,
            pd_at_origination=self.pd_at_origination,
            days_past_due=self.days_past_due,
            staging=staging,
        )
        years = self.terms.period_years
        hazard = -math.log1p(-min(self.pd, MOST_PD)) / YEAR
        margins = np.array([[_log(hazard)], [-math.inf], [_log(self.lgd) - _log(1 - self.lgd)]])
        return ecl.of_loan(
            margins,
            (0, max(YEAR, self.terms.term_months)),
            self.terms,
            annual_rate=((1 + self.eir_annual) ** years - 1) / years,
            stage=at,
            scenarios=policy.scenarios or BASE,
            cycle=policy.cycle,
        )


@dataclass(frozen=True, slots=True)
class Total:
    """What is set aside for the loans of a stage, in currency."""

    stage: Stage | None  # None: all loans
    loans: int
    outstanding: float
    twelve_month: float
    lifetime: float
    booked: float

    @property
    def coverage(self) -> float:
        """Return what is booked as a share of what is outstanding."""
        return self.booked / self.outstanding if self.outstanding else 0.0


def provisions(holdings: Sequence[Holding], policy: Policy) -> list[Ecl]:
    """Return (rows,) the expected credit losses of a book, in its order.

    Raises:
        InputError: the policy has no `[staging]`.
    """
    if policy.staging is None:
        raise InputError.of(
            "policy.staging", "given, to stage loans that have been granted", "none"
        )
    staging = policy.staging
    return [holding.booked(policy, staging) for holding in holdings]


def totals(holdings: Sequence[Holding], losses: Sequence[Ecl]) -> list[Total]:
    """Return the totals of the three stages, and last of all loans."""
    pairs = list(zip(holdings, losses, strict=True))
    by_stage = [_total(at, [pair for pair in pairs if pair[1].stage is at]) for at in Stage]
    return [*by_stage, _total(None, pairs)]


def _total(at: Stage | None, pairs: Sequence[tuple[Holding, Ecl]]) -> Total:
    return Total(
        stage=at,
        loans=len(pairs),
        outstanding=math.fsum(holding.terms.amount for holding, _ in pairs),
        twelve_month=math.fsum(loss.twelve_month for _, loss in pairs),
        lifetime=math.fsum(loss.lifetime for _, loss in pairs),
        booked=math.fsum(loss.booked for _, loss in pairs),
    )


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf
