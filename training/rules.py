"""What a gates file rules: which gates are asked of a version, and their thresholds."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricing.errors import Fault, InputError
from training.evaluate import HORIZONS_MONTHS
from training.metrics import METRICS

EMBEDDED = Path(__file__).parent / "gates.toml"


@dataclass(frozen=True)
class Metrics:
    """Figures that must have been measured out of time, with their intervals."""

    present: tuple[str, ...]


@dataclass(frozen=True)
class Slack:
    """How much worse than another model a version may be, with the whole paired interval."""

    auc_worse_by: float
    log_loss_worse_by: float


@dataclass(frozen=True)
class Calibration:
    """Lowest and highest figures of calibration."""

    observed_over_expected: tuple[float, float]
    slope: tuple[float, float]


@dataclass(frozen=True)
class Monotone:
    """How many steps against a column's direction are let pass, among so many projects."""

    projects: int
    violations: int


@dataclass(frozen=True)
class Latency:
    """The longest median of one explained price."""

    median_ms: float


@dataclass(frozen=True)
class Pack:
    """Files that must be in the model's folder and in its run."""

    folder: tuple[str, ...]
    run: tuple[str, ...]


@dataclass(frozen=True)
class Rules:
    """A gates file; a gate whose section is None is not asked. `digest` is its bytes' SHA-256."""

    name: str
    version: str
    horizon_months: int
    metrics: Metrics | None = None
    benchmark: Slack | None = None
    champion: Slack | None = None
    calibration: Calibration | None = None
    monotone: Monotone | None = None
    latency: Latency | None = None
    pack: Pack | None = None
    digest: str = ""


@dataclass(frozen=True)
class _Form:
    """What a value may be, and in words."""

    expected: str
    holds: Callable[[Any], bool]


def _number(low: float, high: float) -> _Form:
    return _Form(f"a number from {low:g} to {high:g}", lambda value: _within(value, low, high))


def _whole(low: int, high: int) -> _Form:
    return _Form(
        f"a whole number from {low} to {high}",
        lambda value: isinstance(value, int) and _within(value, low, high),
    )


def _list_of(what: str, holds: Callable[[Any], bool]) -> _Form:
    return _Form(
        f"a list of {what}",
        lambda value: isinstance(value, list) and bool(value) and all(holds(one) for one in value),
    )


def _inside(value: Any) -> bool:
    """Return whether the value is a path that leads nowhere but down."""
    return isinstance(value, str) and bool(value) and not {"", ".", ".."} & set(value.split("/"))


def _within(value: Any, low: float, high: float) -> bool:
    """Return whether the value is a number in [low, high]; true and NaN are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


TEXT = _Form("a text", lambda value: isinstance(value, str) and bool(value))
RANGE = _Form(
    "[lowest, highest], both from 0 to 100",
    lambda value: (
        isinstance(value, list)
        and len(value) == 2
        and all(_within(end, 0, 100) for end in value)
        and value[0] < value[1]
    ),
)
FILES = _list_of("paths within the folder", _inside)
FIGURES = _list_of(
    f"some of {', '.join(METRICS)}", lambda one: isinstance(one, str) and one in METRICS
)
OWN: Mapping[str, _Form] = {
    "name": TEXT,
    "version": TEXT,
    "horizon_months": _Form(
        f"one of {', '.join(map(str, HORIZONS_MONTHS))}",
        lambda value: isinstance(value, int) and value in HORIZONS_MONTHS,
    ),
}
SLACK = {"auc_worse_by": _number(-1, 1), "log_loss_worse_by": _number(-1, 1)}
SECTIONS: Mapping[str, tuple[type, Mapping[str, _Form]]] = {
    "metrics": (Metrics, {"present": FIGURES}),
    "benchmark": (Slack, SLACK),
    "champion": (Slack, SLACK),
    "calibration": (Calibration, {"observed_over_expected": RANGE, "slope": RANGE}),
    "monotone": (Monotone, {"projects": _whole(1, 10_000), "violations": _whole(0, 10**9)}),
    "latency": (Latency, {"median_ms": _number(0, 60_000)}),
    "pack": (Pack, {"folder": FILES, "run": FILES}),
}


def load(path: Path | None = None) -> Rules:
    """Return the rules in a gates file, or the embedded ones.

    Raises:
        InputError: there is no such file, or it has faults; all of them.
    """
    try:
        content = (path or EMBEDDED).read_bytes()
    except OSError as error:
        raise InputError.of("SEEDRATE_GATES", "a TOML file", f"{path}: {error.strerror}") from None
    return parse(content)


def parse(content: bytes) -> Rules:
    """Return the rules that a file's bytes describe; every fault is raised at once."""
    try:
        given = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError.of("gates", "TOML in UTF-8", error) from None
    faults = [*_faults(given)]
    if faults:
        raise InputError(faults)
    sections = {
        name: kind(**{key: _frozen(value) for key, value in given[name].items()})
        for name, (kind, _) in SECTIONS.items()
        if name in given
    }
    own = {name: given[name] for name in OWN}
    return Rules(**own, **sections, digest=hashlib.sha256(content).hexdigest())


def _faults(given: Mapping[str, Any]) -> Iterator[Fault]:
    own = {name: value for name, value in given.items() if name not in SECTIONS}
    yield from _faults_of("gates", own, OWN)
    for name, (_, forms) in SECTIONS.items():
        section = given.get(name)
        if isinstance(section, dict):
            yield from _faults_of(f"gates.{name}", section, forms)
        elif section is not None:
            yield Fault(f"gates.{name}", "a section", repr(section))


def _faults_of(where: str, given: Mapping[str, Any], forms: Mapping[str, _Form]) -> Iterator[Fault]:
    known = [*forms, *(SECTIONS if forms is OWN else ())]
    for name in given.keys() - forms.keys():
        yield Fault(f"{where}.{name}", f"one of {', '.join(known)}", name)
    for name, form in forms.items():
        if name not in given:
            yield Fault(f"{where}.{name}", form.expected, "missing")
        elif not form.holds(given[name]):
            yield Fault(f"{where}.{name}", form.expected, repr(given[name]))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
