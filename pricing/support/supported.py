"""What others do for a loan: schemes that share its losses, subsidies that lower its rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing import kernels
from pricing.basis_points import text
from pricing.credit import Credit
from pricing.errors import Fault, InputError, gathered
from pricing.instrument import Around, Instrument, Line, Part, Price
from pricing.policy import Policy
from pricing.schedule import Terms
from pricing.support import scheme as schemes
from pricing.support import sharing
from pricing.support import subsidy as subsidies
from pricing.support.scheme import Scheme
from pricing.support.subsidy import Course, Programme, Subsidy

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Support:
    """What a request asks for by name, on a day."""

    on: date
    scheme: str | None = None
    tier: str | None = None  # of the borrower, where the scheme tells tiers apart
    subsidy: str | None = None

    def __post_init__(self) -> None:
        """Refuse a tier without a scheme."""
        if self.tier is not None and self.scheme is None:
            raise InputError.of("instrument.tier", "left out without a scheme", self.tier)


@dataclass(frozen=True, eq=False)
class Supported(Around):
    """A loan under a scheme, a subsidy or both.

    The figure that columns explain stays the lender's own, before any support:

        charged = clip(figure - relief of the scheme) - subsidy - relending

    and each of these is a line of its own. Every basis point of the expected loss has a payer, and
    their parts add up to it exactly; they are rounded with the lines. A cap on a pool's
    compensation counts within a year, so the pool's own probability of default is the borrower's of
    12 months, however short the loan: where it is repaid the pool covers another one.
    """

    credit: Credit  # the loan inside
    terms: Terms
    policy: Policy
    scheme: Scheme | None
    tier: str | None
    programme: Programme | None

    @classmethod
    def of(
        cls, instrument: Instrument, credit: Credit, terms: Terms, policy: Policy, asked: Support
    ) -> Supported:
        """Look up what is asked for.

        Raises:
            InputError: there is no such scheme or subsidy on that day, or it does not cover the
                borrower or the amount.
        """
        scheme, programme = None, None
        faults: list[Fault] = []
        with gathered(faults):
            if asked.scheme is not None:
                scheme = schemes.find(policy.schemes, asked.scheme, on=asked.on)
                schemes.check(scheme, tier=asked.tier, amount=terms.amount)
        with gathered(faults):
            if asked.subsidy is not None:
                programme = subsidies.find(policy.subsidies, asked.subsidy, on=asked.on)
        if faults:
            raise InputError(faults)
        return cls(instrument, credit, terms, policy, scheme, asked.tier, programme)

    def told(self, price: Price, margins: Floats) -> Price:
        """Return the price of margins (3, K), with what the support does to it."""
        lent, told = self._shared(price, self.scheme) if self.scheme else (price, {})
        helped = [*self._programme(lent)]
        charged_bps = lent.charged_bps + sum(line.bps for line in helped)
        if helped and self.programme:
            told["programme"] = {"name": self.programme.name, "payer": self.programme.payer}
        support = {
            "before_bps": text(round(100 * price.charged_bps)),
            "after_bps": text(round(100 * charged_bps)),
            **told,
        }
        return lent._replace(
            charged_bps=charged_bps,
            waterfall=(*lent.waterfall, *helped),
            details={**price.details, "support": support},
        )

    def _shared(self, alone: Price, scheme: Scheme) -> tuple[Price, dict[str, Any]]:
        """Return the price under the scheme, with who pays what of the expected loss."""
        bps: Mapping[str, float] = {line.name: line.bps for line in alone.waterfall}
        lgd = alone.lgd or 1.0  # nil where nothing can be lost: there it decides nothing
        pool_relief = sharing.pool_relief(scheme, pd=alone.annual_pd, lgd=lgd)
        relief = sharing.relief(
            scheme,
            expected_loss_bps=bps["expected_loss"],
            capital_bps=bps.get("capital", 0.0),  # no line where capital costs nothing
            capital_scale_bps=float(self.credit.legs.numbers[kernels.SCALE]),
            lgd=lgd,
            tier=self.tier,
            amount=self.terms.amount,
            pool_relief=pool_relief,
        )
        legs = sharing.share_expected_loss(
            scheme,
            expected_loss_bps=bps["expected_loss"],
            lgd=lgd,
            tier=self.tier,
            pool_relief=pool_relief,
        )
        lines = (
            Line("scheme_loss", -relief.expected_loss_bps, Part.APART),
            Line("scheme_capital", -relief.capital_bps, Part.APART),
            Line("scheme_fee", relief.fee_bps, Part.APART),
        )
        told = {"scheme": scheme.name, "tier": self.tier, "verified": scheme.verified}
        return alone.with_lines(lines)._replace(payers=legs), told

    def _programme(self, lent: Price) -> Iterator[Line]:
        """Yield what a programme takes off the rate, on top of what the lender quotes."""
        programme = self.programme
        if programme is None:
            return
        if isinstance(programme, Subsidy):
            yield Line("subsidy", -self._mean(programme.bps, lent, rate=lent.rate), Part.APART)
        else:
            funding = sum(line.bps for line in lent.waterfall if line.part is Part.BESIDE) / 1e4
            bps = self._mean(programme.bps, lent, funding_rate=funding)
            yield Line("relending", -bps, Part.APART)

    def _mean(self, of: Callable[..., float], lent: Price, **rates: float) -> float:
        """Return the mean of bp over the ways that drawing may go, weighted by what they are of."""
        courses = [*self._courses(lent)]
        whole = math.fsum(odds * course.annuity for odds, course in courses)
        return math.fsum(
            odds * course.annuity / whole * of(course=course, **rates) for odds, course in courses
        )

    def _courses(self, lent: Price) -> Iterator[tuple[float, Course]]:
        """Yield what may be outstanding, and what a payment then is worth if it is made."""
        terms = self.terms
        months = np.arange(1, terms.periods + 1) * terms.payment_months
        discount = self.policy.funding_curve.discount[2 * months] * lent.curves.survival[months]
        for odds, exposure in self.credit.ways(terms, lent.rate):
            yield odds, Course(terms.amount, terms.payment_months, exposure, discount)
