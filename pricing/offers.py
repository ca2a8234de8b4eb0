"""What a policy offers beside the plain loan: the numbers of each instrument, read from its TOML.

An instrument whose section is missing is not offered. Every section may say `verified = false`:
its numbers could not be confirmed at their source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pricing.entry import Entry
from pricing.errors import Fault, PolicyError

MOST_MONTHS = 600
MOST_BPS = 10_000.0


@dataclass(frozen=True)
class LineOffer:
    """The revolving line."""

    conversion_factor: float  # share of the undrawn part that is drawn by the time of a default
    longest_months: int


@dataclass(frozen=True)
class RdOffer:
    """The research and development loan."""

    longest_months: int
    log_hazard_per_open_milestone: float  # added to the log hazard for each milestone still ahead
    pledge_recovery: float  # share of a pledge's appraised value that a default recovers


@dataclass(frozen=True)
class Acquisition:
    """How far an acquisition may be financed."""

    largest_share: float  # of the deal's value
    longest_months: int


@dataclass(frozen=True)
class MaOffer:
    """The loan for a merger or an acquisition."""

    controlling: Acquisition
    minority: Acquisition


@dataclass(frozen=True)
class GuaranteeOffer:
    """The financing guarantee."""

    largest_cover: float  # share of the loan
    opex_bps: float  # of the loan outstanding, a year
    margin_bps: float


@dataclass(frozen=True)
class Cover:
    """One cover of technology insurance."""

    claims_per_default: float  # insured events for one default, which the model's hazard foretells
    severity: float | None  # share of the sum insured; None: the model's loss given default
    safety_loading: float
    expense_ratio: float
    longest_months: int


@dataclass(frozen=True)
class Offers:
    """Everything beside the plain loan that a policy offers."""

    revolving_line: LineOffer | None = None
    rd_loan: RdOffer | None = None
    ma_loan: MaOffer | None = None
    guarantee: GuaranteeOffer | None = None
    insurance: Mapping[str, Cover] = field(default_factory=dict)

    def has(self, kind: str) -> bool:
        """Return whether an instrument is offered; what needs no section always is.

        >>> NOTHING_ELSE.has("term_loan"), NOTHING_ELSE.has("guarantee")
        (True, False)
        """
        return bool(getattr(self, kind, True))


NOTHING_ELSE = Offers()
T = TypeVar("T")


def offered(section: T | None, kind: str) -> T:
    """Return a section that is there.

    Raises:
        PolicyError: the policy does not offer the instrument.
    """
    if section is None:
        raise PolicyError(f"the policy offers no {kind}: its file has no section [{kind}]")
    return section


def read(given: Mapping[str, object]) -> tuple[Offers, list[Fault]]:
    """Return what the sections of a policy's TOML offer, and all their faults.

    >>> read({})[1]
    []
    """
    faults: list[Fault] = []

    def section(name: str, make: Callable[[Entry], T]) -> T | None:
        return _section(given.get(name), f"policy.{name}", make, faults)

    covers = given.get("insurance", {})
    if not isinstance(covers, Mapping):
        faults.append(Fault("policy.insurance", "a table of covers", repr(covers)))
        covers = {}
    insurance = {
        name: _section(cover, f"policy.insurance.{name}", _cover, faults)
        for name, cover in covers.items()
    }
    offers = Offers(
        revolving_line=section("revolving_line", _line),
        rd_loan=section("rd_loan", _rd),
        ma_loan=section("ma_loan", _ma),
        guarantee=section("guarantee", _guarantee),
        insurance={name: cover for name, cover in insurance.items() if cover is not None},
    )
    return offers, faults


def _section(given: object, at: str, make: Callable[[Entry], T], faults: list[Fault]) -> T | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        faults.append(Fault(at, "a table", repr(given)))
        return None
    entry = Entry(given, at, faults)
    before = len(faults)
    made = make(entry)
    if entry.raw("verified") is not None:
        entry.flag("verified")
    entry.text("source", default="-")
    entry.close()
    return made if len(faults) == before else None


def _number(entry: Entry, name: str, low: float, high: float) -> float:
    return entry.number(name, low, high) or 0.0


def _line(entry: Entry) -> LineOffer:
    factor = _number(entry, "conversion_factor", 0.0, 1.0)
    return LineOffer(factor, entry.months("longest_months", MOST_MONTHS))


def _rd(entry: Entry) -> RdOffer:
    return RdOffer(
        entry.months("longest_months", MOST_MONTHS),
        _number(entry, "log_hazard_per_open_milestone", 0.0, 2.0),
        _number(entry, "pledge_recovery", 0.0, 1.0),
    )


def _ma(entry: Entry) -> MaOffer:
    return MaOffer(_acquisition(entry, "controlling"), _acquisition(entry, "minority"))


def _acquisition(entry: Entry, name: str) -> Acquisition:
    table = entry.table(name)
    if table is None:
        return Acquisition(0.0, 0)
    made = Acquisition(
        _number(table, "largest_share", 0.0, 1.0), table.months("longest_months", MOST_MONTHS)
    )
    table.close()
    return made


def _guarantee(entry: Entry) -> GuaranteeOffer:
    return GuaranteeOffer(
        _number(entry, "largest_cover", 0.0, 1.0),
        _number(entry, "opex_bps", 0.0, MOST_BPS),
        _number(entry, "margin_bps", -MOST_BPS, MOST_BPS),
    )


def _cover(entry: Entry) -> Cover:
    return Cover(
        _number(entry, "claims_per_default", 0.0, 10.0),
        entry.number("severity", 0.0, 1.0, optional=True),
        _number(entry, "safety_loading", 0.0, 5.0),
        _number(entry, "expense_ratio", 0.0, 0.9),
        entry.months("longest_months", MOST_MONTHS),
    )
