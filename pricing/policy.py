"""The lender's policy: what money, capital and work cost, and between which bounds it quotes."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing import feedback, offers, override, thin_data
from pricing.capital import irb, standardised
from pricing.capital.irb import AssetClass
from pricing.capital.standardised import ExposureClass
from pricing.errors import Fault, InputError
from pricing.feedback import Feedback
from pricing.funding import FundingCurve
from pricing.ifrs9 import cycle, scenarios, staging
from pricing.ifrs9.cycle import Cycle
from pricing.ifrs9.ecl import Scenario
from pricing.ifrs9.staging import Staging
from pricing.offers import NOTHING_ELSE, Offers
from pricing.override import ANYONE, Overrides
from pricing.support import scheme, subsidy
from pricing.support.scheme import Scheme
from pricing.support.subsidy import Programme
from pricing.thin_data import ThinData

Floats = NDArray[np.float64]

POLICIES = Path(__file__).parent / "policies"  # examples, one a currency: eur.toml, ...

# name -> lowest and highest allowed number; bp where the name says so, fractions else
RANGES: dict[str, tuple[float, float]] = {
    "hurdle_rate": (0.0, 1.0),
    "tax_rate": (0.0, 0.9),
    "capital_ratio": (0.0, 1.0),
    "capital_return": (-0.05, 1.0),
    "opex_bps": (0.0, 10_000.0),
    "margin_bps": (-10_000.0, 10_000.0),
    "spread_floor_bps": (-10_000.0, 100_000.0),
    "regulatory_lgd": (0.0, 1.0),
    "spread_cap_bps": (-10_000.0, 100_000.0),
    "annual_sales_millions": (0.0, 1e9),
}
OPTIONAL = ("spread_cap_bps", "annual_sales_millions", "note")
NOBODY = Overrides()
OFFERED = ("revolving_line", "rd_loan", "ma_loan", "guarantee", "insurance")  # of `offers`
TEXTS = ("name", "version", "currency")
ZERO_RATES = (-0.1, 0.5)


@dataclass(frozen=True)
class Policy:
    """A policy as it stands in its file; `digest` is the SHA-256 of the file's bytes."""

    name: str
    version: str
    currency: str
    funding_curve: FundingCurve
    hurdle_rate: float  # h, return on capital after tax
    tax_rate: float  # τ
    capital_ratio: float  # κ, capital per risk-weighted assets
    capital_return: float  # r_C, what idle capital earns
    opex_bps: float
    margin_bps: float
    spread_floor_bps: float
    regulatory_lgd: float
    asset_class: AssetClass = AssetClass.CORPORATE
    spread_cap_bps: float | None = None
    annual_sales_millions: float | None = None
    note: str = ""
    offers: Offers = NOTHING_ELSE
    schemes: tuple[Scheme, ...] = ()
    subsidies: tuple[Programme, ...] = ()
    feedback: Feedback | None = None
    thin_data: ThinData | None = None
    scenarios: tuple[Scenario, ...] = ()  # for which losses are set aside
    cycle: Cycle | None = None  # where the economy stands, for scenarios that name its states
    staging: Staging | None = None  # of loans that have been granted
    overrides: Overrides = NOBODY
    exposure_class: ExposureClass | None = None  # standardised capital, in place of the formula
    digest: str = ""

    def __hash__(self) -> int:
        """Return a number that equal policies share: of what tells most of them apart."""
        return hash((self.digest, self.name, self.opex_bps, self.margin_bps, self.hurdle_rate))

    @cached_property
    def basel(self) -> Floats:
        """Return the constants of the regulatory capital formula, or of the standardised weight."""
        if self.exposure_class is not None:
            weight = standardised.risk_weight(
                self.exposure_class, sales_millions=self.annual_sales_millions
            )
            return irb.flat(weight.weight)
        return irb.constants(
            self.asset_class, lgd=self.regulatory_lgd, sales_millions=self.annual_sales_millions
        )

    @property
    def capital_cost(self) -> float:
        """Return h/(1 - τ) - r_C, what a unit of capital must earn before tax in a year."""
        return self.hurdle_rate / (1 - self.tax_rate) - self.capital_return

    @property
    def capital_scale_bps(self) -> float:
        """Return the basis points of spread that a capital requirement of K = 1 costs.

        charge = κ 12.5 K (h/(1-τ) - r_C)
        """
        return 1e4 * self.capital_ratio * 12.5 * self.capital_cost

    def overridden(self, asked: Mapping[str, float], *, caller: str = ANYONE) -> Policy:
        """Return the policy with numbers that a caller asks for; the digest stays the file's.

        Raises:
            InputError: the policy does not allow them, or the cap would lie below the floor.
        """
        self.overrides.check(asked, caller=caller)
        changes: dict[str, Any] = {name: float(number) for name, number in asked.items()}
        changed = replace(self, **changes)
        cap_bps, floor_bps = changed.spread_cap_bps, changed.spread_floor_bps
        if cap_bps is not None and cap_bps < floor_bps:
            expected = f"at least spread_floor_bps={floor_bps:g}"
            raise InputError.of("overrides.spread_cap_bps", expected, cap_bps)
        return changed

    def clip(self, spread_bps: float) -> float:
        """Return the spread within the policy's floor and cap."""
        floored = max(spread_bps, self.spread_floor_bps)
        return floored if self.spread_cap_bps is None else min(floored, self.spread_cap_bps)


def load(path: Path | str | None = None, *, currency: str) -> Policy:
    """Return the policy in a TOML file, or the embedded example policy of a currency.

    Raises:
        InputError: there is none, it has faults, or it is in another currency than the loans.
    """
    policy = parse(text(path, currency=currency))
    if policy.currency != currency:
        raise InputError.of(
            "policy.currency", f"{currency}, as the loans are in it", policy.currency
        )
    return policy


def text(path: Path | str | None = None, *, currency: str) -> bytes:
    """Return the bytes of a policy's file, or of the embedded example of a currency."""
    file = POLICIES / f"{currency.lower()}.toml" if path is None else Path(path)
    try:
        return file.read_bytes()
    except OSError as error:
        expected = f"a readable TOML file for loans in {currency}"
        raise InputError.of("policy", expected, f"{file.name}: {error.strerror}") from None


def parse(content: bytes) -> Policy:
    """Return the policy that a file's bytes describe; every fault is raised at once."""
    try:
        given = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError.of("policy", "TOML in UTF-8", error) from None
    sections = _sections(given)
    faults = [*_faults(given), *(fault for _, wrong in sections.values() for fault in wrong)]
    if faults:
        raise InputError(faults)
    numbers: dict[str, Any] = {name: float(given[name]) for name in RANGES if name in given}
    read: dict[str, Any] = {name: section for name, (section, _) in sections.items()}
    curve = FundingCurve(tuple((months, float(rate)) for months, rate in given["funding_curve"]))
    return Policy(
        **{name: given[name] for name in TEXTS},
        **numbers,
        **read,
        funding_curve=curve,
        asset_class=AssetClass(given["asset_class"]),
        note=given.get("note", ""),
        exposure_class=_exposure_class(given),
        digest=hashlib.sha256(content).hexdigest(),
    )


def _sections(given: Mapping[str, Any]) -> dict[str, tuple[object, list[Fault]]]:
    """Return what each section says, by its field of `Policy`, and what is wrong with it."""
    return {
        "offers": offers.read(given),
        "schemes": scheme.read(given.get("schemes")),
        "subsidies": subsidy.read(given.get("subsidies")),
        "feedback": feedback.read(given.get("feedback")),
        "thin_data": thin_data.read(given.get("thin_data")),
        "overrides": override.read(given.get("overrides")),
        "scenarios": scenarios.read(given.get("ifrs9")),
        "cycle": cycle.read(given.get("cycle")),
        "staging": staging.read(given.get("staging")),
    }


def _exposure_class(given: Mapping[str, Any]) -> ExposureClass | None:
    name = given.get("exposure_class")
    return None if name is None else ExposureClass(name)


def _faults(given: Mapping[str, object]) -> Iterator[Fault]:
    """Yield everything that is wrong with a policy's TOML."""
    own = {field.name for field in fields(Policy)} - {"digest", "offers", "scenarios"}
    known = {*own, *OFFERED, "ifrs9"}
    for name in given.keys() - known:
        yield Fault(f"policy.{name}", f"one of {', '.join(sorted(known))}", name)
    for name in (*TEXTS, "note"):
        if not isinstance(given.get(name, "" if name in OPTIONAL else None), str):
            yield Fault(f"policy.{name}", "a text", _shown(given, name))
    for name, (low, high) in RANGES.items():
        if not (_within(given.get(name), low, high) or (name in OPTIONAL and name not in given)):
            yield Fault(f"policy.{name}", f"a number from {low:g} to {high:g}", _shown(given, name))
    if given.get("exposure_class", "other_retail") not in list(ExposureClass):
        expected = f"one of {', '.join(ExposureClass)}, or left out"
        yield Fault("policy.exposure_class", expected, _shown(given, "exposure_class"))
    if given.get("asset_class") not in list(AssetClass):
        yield Fault(
            "policy.asset_class", f"one of {', '.join(AssetClass)}", _shown(given, "asset_class")
        )
    yield from _faults_of_curve(given.get("funding_curve"))
    yield from _faults_of_capital(given)
    yield from _faults_of_cycle(given)
    floor, cap = given.get("spread_floor_bps"), given.get("spread_cap_bps")
    if isinstance(floor, int | float) and isinstance(cap, int | float) and cap < floor:
        yield Fault("policy.spread_cap_bps", f"at least spread_floor_bps={floor}", str(cap))


def _faults_of_capital(given: Mapping[str, object]) -> Iterator[Fault]:
    """Yield a hurdle that capital beats where it lies idle: a risk would then lower the price."""
    names = ("hurdle_rate", "tax_rate", "capital_return")
    if not all(_within(given.get(name), *RANGES[name]) for name in names):
        return
    match [given[name] for name in names]:
        case [int() | float() as hurdle, int() | float() as tax, int() | float() as idle] if (
            hurdle < idle * (1 - tax)
        ):
            expected = f"at least capital_return (1 - tax_rate)={idle * (1 - tax):g}"
            yield Fault("policy.hurdle_rate", expected, str(hurdle))


def _faults_of_cycle(given: Mapping[str, object]) -> Iterator[Fault]:
    """Yield states of the economy without a cycle that they are states of, and the other way."""
    courses = given.get("ifrs9")
    named = isinstance(courses, list) and any(isinstance(x, dict) and "z" in x for x in courses)
    if named and "cycle" not in given:
        yield Fault("policy.cycle", "given, as scenarios of [[ifrs9]] name a z", "missing")
    if "cycle" in given and not courses:
        yield Fault("policy.cycle", "left out, as there is no [[ifrs9]] to use it", "given")


def _faults_of_curve(curve: object) -> Iterator[Fault]:
    """Yield what is wrong with the funding curve, point by point."""
    field = "policy.funding_curve"
    if not (isinstance(curve, list) and curve):
        yield Fault(field, "a list of [months, zero rate]", repr(curve))
        return
    last, (low, high) = 0, ZERO_RATES
    for i, point in enumerate(curve):
        match point:
            case [int(months), rate] if (
                months is not True and months > last and _within(rate, low, high)
            ):
                last = months
            case _:
                expected = f"[whole months above {last}, rate from {low:g} to {high:g}]"
                yield Fault(f"{field}[{i}]", expected, repr(point))


def _within(value: object, low: float, high: float) -> bool:
    """Return whether the value is a number in [low, high]; true and NaN are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _shown(given: Mapping[str, object], name: str) -> str:
    return repr(given[name]) if name in given else "missing"
