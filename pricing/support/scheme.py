"""Schemes that share a loan's losses: who pays, how much, from when to when, within what bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date

from pricing.entry import LEAST, MOST_MONEY, Entry
from pricing.errors import Fault, InputError
from pricing.support import dated
from pricing.support.dated import Dated, heading

SECTION = "policy.schemes"
BANK = "bank"
GUARANTEE_SYSTEM = ("national", "provincial", "local_pool", "guarantor")
ROLES = (BANK, *GUARANTEE_SYSTEM, "insurer")
BOUNDED = (*ROLES, "guarantee_system")  # what a minimum or maximum may be set for
REST = "rest"
BASES = ("claims", "losses")
MOST_RISK_WEIGHT = 12.5
SLACK = 1e-12  # what shares such as 0.35 + 0.08 + 0.57 may miss of their sum


@dataclass(frozen=True)
class Share:
    """A share of every loss, one for all borrowers or one for each tier of them.

    >>> Share(by_tier=(("little_giant", 0.4), ("high_tech", 0.35))).at("high_tech")
    0.35
    """

    flat: float = 0.0
    by_tier: tuple[tuple[str, float], ...] = ()

    def at(self, tier: str | None) -> float:
        """Return the share of a tier that the scheme knows."""
        return dict(self.by_tier)[tier or ""] if self.by_tier else self.flat


@dataclass(frozen=True)
class Payer:
    """Who pays a share of every loss; None is the rest that the others leave."""

    name: str
    role: str  # one of ROLES
    share: Share | None


@dataclass(frozen=True)
class FirstLoss:
    """A payer who pays losses first, up to a share of the exposure; the shares hold beyond it."""

    payer: str
    share: float


@dataclass(frozen=True)
class Fee:
    """An annual fee on the covered amount, which may be dearer above a threshold.

    >>> fee = Fee(bps=30.0, above_bps=50.0, threshold=5e6)
    >>> fee.at(5e6), fee.at(5e6 + 1)
    (30.0, 50.0)
    """

    bps: float = 0.0
    above_bps: float = 0.0
    threshold: float = math.inf  # of the covered amount, in currency

    def at(self, covered_amount: float) -> float:
        """Return the annual fee in bp of the covered amount."""
        return self.above_bps if covered_amount > self.threshold else self.bps


@dataclass(frozen=True, kw_only=True)
class Scheme(Dated):
    """A named, dated agreement on who pays for a loan's losses. Exactly one payer is the bank."""

    payers: tuple[Payer, ...]
    cap: float = math.inf  # largest amount a firm may borrow under it, in currency
    minimum: tuple[tuple[str, Share], ...] = ()  # of BOUNDED, what the shares must reach
    maximum: tuple[tuple[str, Share], ...] = ()  # and must not exceed
    first_loss: FirstLoss | None = None
    compensation_cap: float | None = None  # of what is covered: beyond it the capped pay no more
    cap_basis: str = "claims"  # the cap counts the principal claimed, or the net "losses"
    capped: tuple[str, ...] = (*GUARANTEE_SYSTEM, "insurer")  # roles that the cap relieves
    correlation: float | None = None  # ρ of the covered firms' assets, needed with a cap
    fee: Fee = Fee()
    covered_risk_weight: float | None = None  # of the covered share; None: not recognised
    integral: bool = False  # part of the loan's own terms (IFRS 9, B5.5.55): it lowers provisions

    @property
    def tiers(self) -> tuple[str, ...]:
        """Return the tiers of borrowers that it tells apart, none if it treats all alike."""
        return next(iter(_tiers(self)), ())

    @property
    def bank(self) -> Payer:
        """Return the payer who is the lender."""
        return next(payer for payer in self.payers if payer.role == BANK)

    def shares(self, tier: str | None) -> tuple[float, ...]:
        """Return (payers,) the shares of every loss, the rest filled in."""
        given = [None if payer.share is None else payer.share.at(tier) for payer in self.payers]
        rest = max(1 - math.fsum(share for share in given if share is not None), 0.0)
        return tuple(rest if share is None else share for share in given)

    def covered(self, tier: str | None) -> float:
        """Return the share of every loss that others than the bank have promised to pay."""
        return 1 - self.share_of(BANK, tier)

    def share_of(self, role: str, tier: str | None) -> float:
        """Return what the payers of a role, or the guarantee system, pay of every loss."""
        roles = GUARANTEE_SYSTEM if role == "guarantee_system" else (role,)
        shares = zip(self.payers, self.shares(tier), strict=True)
        return math.fsum(share for payer, share in shares if payer.role in roles)


ASSUMABLE = tuple(
    field.name for field in fields(Scheme) if field.name not in {x.name for x in fields(Dated)}
)


def read(given: object) -> tuple[tuple[Scheme, ...], list[Fault]]:
    """Return the schemes of the section `[[schemes]]` of a policy's TOML, and all its faults.

    >>> read(None)
    ((), [])
    """
    return dated.read(given, SECTION, _scheme)


def find(schemes: Sequence[Scheme], name: str, *, on: date) -> Scheme:
    """Return the scheme of that name that is in force on a day.

    Raises:
        InputError: there is none; it names those that the day knows.
    """
    return dated.find(schemes, name, on=on, field="instrument.scheme")


def check(scheme: Scheme, *, tier: str | None, amount: float) -> None:
    """Raise an InputError, with every fault, unless the scheme covers such a borrower and loan.

    Args:
        scheme: the scheme; one that treats all borrowers alike asks for no tier.
        tier: of the borrower.
        amount: of the loan, in currency.
    """
    faults: list[Fault] = []
    if tier not in (scheme.tiers or (None,)):
        known = f"one of {', '.join(scheme.tiers)}" if scheme.tiers else "left out"
        expected = f"{known} under {scheme.name}"
        faults.append(Fault("instrument.tier", expected, "missing" if tier is None else tier))
    if not 0 < amount <= scheme.cap:
        expected = f"above 0 and at most {scheme.cap:.15g}, the cap a firm of {scheme.name}"
        faults.append(Fault("terms.amount", expected, repr(amount)))
    if faults:
        raise InputError(faults)


def _scheme(entry: Entry) -> Scheme | None:
    """Return the scheme that a table describes, or note what is wrong with it."""
    before = len(entry.faults)
    head = heading(entry, assumable=ASSUMABLE)
    payers = tuple(_payer(payer) for payer in entry.tables("payers"))
    cap = entry.number("cap", LEAST, MOST_MONEY, optional=True)
    minimum, maximum = _bounds(entry, "minimum"), _bounds(entry, "maximum")
    first_loss, fee = _first_loss(entry), _fee(entry)
    limit = entry.number("compensation_cap", 0.0, 1.0, optional=True)
    basis = entry.choice("cap_basis", BASES, default=Scheme.cap_basis)
    capped = entry.texts("capped", ROLES[1:]) or Scheme.capped
    correlation = entry.number("correlation", 1e-6, 0.999, optional=True)
    weight = entry.number("covered_risk_weight", 0.0, MOST_RISK_WEIGHT, optional=True)
    integral = entry.raw("integral") is not None and entry.flag("integral")
    entry.close()
    if len(entry.faults) > before:
        return None
    scheme = Scheme(
        **vars(head),
        payers=payers,
        cap=math.inf if cap is None else cap,
        minimum=minimum,
        maximum=maximum,
        first_loss=first_loss,
        compensation_cap=limit,
        cap_basis=basis,
        capped=capped,
        correlation=correlation,
        fee=fee,
        covered_risk_weight=weight,
        integral=integral,
    )
    wrong = [*_faults(scheme)] or [*_faults_of_shares(scheme)]
    for name, expected, given in wrong:
        entry.fault(name, expected, given)
    return None if wrong else scheme


def _payer(entry: Entry) -> Payer:
    """Return a payer; its share is a number, a table by tier, or the text "rest"."""
    role = entry.choice("role", ROLES)
    name = entry.text("name", default=role)
    share = None if entry.raw("share") == REST else _share(entry, "share")
    entry.close()
    return Payer(name, role, share)


def _share(entry: Entry, name: str) -> Share:
    """Return a share of one number for all, or a number a tier."""
    if not isinstance(entry.raw(name), dict):
        return Share(entry.number(name, 0.0, 1.0) or 0.0)
    table = entry.table(name)
    if table is None or not table.given:
        entry.fault(name, "a share a tier", "none")
        return Share()
    return Share(by_tier=tuple((tier, table.number(tier, 0.0, 1.0) or 0.0) for tier in table.given))


def _bounds(entry: Entry, name: str) -> tuple[tuple[str, Share], ...]:
    """Return what a table of bounds demands of the roles."""
    table = entry.table(name, optional=True)
    if table is None:
        return ()
    bounds = tuple((role, _share(table, role)) for role in BOUNDED if role in table.given)
    for role in table.given.keys() - set(BOUNDED):
        table.fault(role, f"one of {', '.join(BOUNDED)}", repr(role))
    return bounds


def _first_loss(entry: Entry) -> FirstLoss | None:
    """Return who pays first, if anybody does."""
    table = entry.table("first_loss", optional=True)
    if table is None:
        return None
    first = FirstLoss(table.text("payer"), table.number("share", 0.0, 1.0) or 0.0)
    table.close()
    return first


def _fee(entry: Entry) -> Fee:
    """Return the fee, nil if it is left out; a threshold asks for the fee above it."""
    table = entry.table("fee", optional=True)
    if table is None:
        return Fee()
    bps = table.number("bps", 0.0, 10_000.0) or 0.0
    steps = "threshold" in table.given or "above_bps" in table.given
    above = table.number("above_bps", 0.0, 10_000.0, optional=not steps)
    threshold = table.number("threshold", LEAST, MOST_MONEY, optional=not steps)
    table.close()
    return Fee(bps) if above is None or threshold is None else Fee(bps, above, threshold)


Wrong = tuple[str, str, object]  # field, what was expected, what came


def _faults(scheme: Scheme) -> Iterator[Wrong]:
    """Yield what does not fit together, before any share is looked up."""
    names = [payer.name for payer in scheme.payers]
    banks = sum(payer.role == BANK for payer in scheme.payers)
    rests = sum(payer.share is None for payer in scheme.payers)
    if len(set(names)) < len(names):
        yield "payers", "payers of different names", ", ".join(names)
    if banks != 1:
        yield "payers", 'one payer with the role "bank"', f"{banks} of them"
    if rests > 1:
        yield "payers", f'at most one payer with the share "{REST}"', f"{rests} of them"
    tiers = _tiers(scheme)
    if any(set(other) != set(tiers[0]) for other in tiers):
        yield "payers", "shares for the same tiers everywhere", " | ".join(map(", ".join, tiers))
    if scheme.compensation_cap is not None and scheme.correlation is None:
        yield "correlation", "given, as there is a compensation_cap", "missing"
    if scheme.first_loss is not None:
        yield from _faults_of_first_loss(scheme, scheme.first_loss)


def _faults_of_first_loss(scheme: Scheme, first: FirstLoss) -> Iterator[Wrong]:
    """Yield what is wrong with the first loss: a bank that keeps it has no capital relief."""
    names = [payer.name for payer in scheme.payers]
    if first.payer not in names:
        yield "first_loss.payer", f"one of {', '.join(names)}", first.payer
    kept = any(payer.name == first.payer and payer.role == BANK for payer in scheme.payers)
    if kept and scheme.covered_risk_weight is not None:
        expected = "left out, as the bank keeps the first loss"
        yield "covered_risk_weight", expected, scheme.covered_risk_weight


def _faults_of_shares(scheme: Scheme) -> Iterator[Wrong]:
    """Yield what is wrong with the shares of each tier: their sum, and the scheme's bounds."""
    open_ended = any(payer.share is None for payer in scheme.payers)
    for tier in scheme.tiers or (None,):
        of_tier = "" if tier is None else f" for {tier}"
        fixed = math.fsum(payer.share.at(tier) for payer in scheme.payers if payer.share)
        if fixed > 1 + SLACK or not (open_ended or fixed >= 1 - SLACK):
            expected = f"shares that sum to {'at most ' if open_ended else ''}1{of_tier}"
            yield "payers", expected, f"{fixed:.12g}"
        for role, bound in scheme.minimum:
            if (share := scheme.share_of(role, tier)) < bound.at(tier) - SLACK:
                yield f"minimum.{role}", f"at most the share paid{of_tier}", f"{share:.12g}"
        for role, bound in scheme.maximum:
            if (share := scheme.share_of(role, tier)) > bound.at(tier) + SLACK:
                yield f"maximum.{role}", f"at least the share paid{of_tier}", f"{share:.12g}"


def _tiers(scheme: Scheme) -> list[tuple[str, ...]]:
    """Return the tiers of every share that tells them apart."""
    shares = [payer.share for payer in scheme.payers if payer.share is not None]
    bounds = [share for _, share in (*scheme.minimum, *scheme.maximum)]
    return [
        tuple(tier for tier, _ in share.by_tier) for share in (*shares, *bounds) if share.by_tier
    ]
