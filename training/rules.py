"""What a gates file rules: which gates are asked of a version, and their thresholds."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pricing.entry import Entry
from pricing.errors import InputError
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
    """Lowest and highest figures of calibration, and the farthest its curve may lie."""

    observed_over_expected: tuple[float, float]
    slope: tuple[float, float]
    ici_at_most: float


@dataclass(frozen=True)
class Coverage:
    """Lowest and highest share of out-of-time cohorts that lie in their interval."""

    coverage: tuple[float, float]


@dataclass(frozen=True)
class Validation:
    """Sections that the pack must have, and which of them may be red."""

    sections: tuple[str, ...]
    may_be_red: tuple[str, ...]


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
    scorecard: Slack | None = None
    champion: Slack | None = None
    calibration: Calibration | None = None
    interval: Coverage | None = None
    validation: Validation | None = None
    monotone: Monotone | None = None
    latency: Latency | None = None
    pack: Pack | None = None
    digest: str = ""


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
    entry = Entry(given, "gates")
    rules = Rules(
        name=entry.text("name"),
        version=entry.text("version"),
        horizon_months=_horizon(entry),
        **{name: _section(entry, name, make) for name, make in SECTIONS.items()},
        digest=hashlib.sha256(content).hexdigest(),
    )
    entry.close()
    if entry.faults:
        raise InputError(entry.faults)
    return rules


def _section(entry: Entry, name: str, make: Callable[[Entry], Any]) -> Any:
    section = entry.table(name, optional=True)
    if section is None:
        return None
    made = make(section)
    section.close()
    return made


def _metrics(entry: Entry) -> Metrics:
    return Metrics(_some(entry, "present", f"some of {', '.join(METRICS)}", METRICS.__contains__))


def _slack(entry: Entry) -> Slack:
    return Slack(_number(entry, "auc_worse_by", -1, 1), _number(entry, "log_loss_worse_by", -1, 1))


def _calibration(entry: Entry) -> Calibration:
    ends = _range(entry, "observed_over_expected"), _range(entry, "slope")
    return Calibration(*ends, _number(entry, "ici_at_most", 0, 1))


def _coverage(entry: Entry) -> Coverage:
    return Coverage(_range(entry, "coverage"))


def _validation(entry: Entry) -> Validation:
    said = "names of sections"
    sections = _some(entry, "sections", said, _inside)
    return Validation(sections, _some(entry, "may_be_red", said, _inside, least=0))


def _monotone(entry: Entry) -> Monotone:
    return Monotone(entry.whole("projects", 1, 10_000), entry.whole("violations", 0, 10**9))


def _latency(entry: Entry) -> Latency:
    return Latency(_number(entry, "median_ms", 0, 60_000))


def _pack(entry: Entry) -> Pack:
    said = "paths within the folder"
    return Pack(_some(entry, "folder", said, _inside), _some(entry, "run", said, _inside))


SECTIONS: Mapping[str, Callable[[Entry], Any]] = {
    "metrics": _metrics,
    "benchmark": _slack,
    "scorecard": _slack,
    "champion": _slack,
    "calibration": _calibration,
    "interval": _coverage,
    "validation": _validation,
    "monotone": _monotone,
    "latency": _latency,
    "pack": _pack,
}


def _horizon(entry: Entry) -> int:
    value = entry.raw("horizon_months")
    if isinstance(value, int) and value in HORIZONS_MONTHS:
        return value
    expected = f"one of {', '.join(map(str, HORIZONS_MONTHS))}"
    entry.fault("horizon_months", expected, entry.shown("horizon_months"))
    return 0


def _number(entry: Entry, name: str, low: float, high: float) -> float:
    return entry.number(name, low, high) or 0.0


def _range(entry: Entry, name: str) -> tuple[float, float]:
    match entry.raw(name):
        case [int() | float() as low, int() | float() as high] if (
            not isinstance(low, bool) and not isinstance(high, bool) and 0 <= low < high <= 100
        ):
            return float(low), float(high)
    entry.fault(name, "[lowest, highest], both from 0 to 100", entry.shown(name))
    return 0.0, 0.0


def _some(
    entry: Entry, name: str, what: str, holds: Callable[[str], bool], *, least: int = 1
) -> tuple[str, ...]:
    value = entry.raw(name)
    given: list[Any] = value if isinstance(value, list) and len(value) >= least else [None]
    if all(isinstance(x, str) and holds(x) for x in given):
        return tuple(given)
    entry.fault(name, f"a list of {what}", entry.shown(name))
    return ()


def _inside(path: str) -> bool:
    """Return whether a path leads nowhere but down."""
    return bool(path) and not {"", ".", ".."} & set(path.split("/"))
