"""What a version must show before it may serve, each with its figure."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from models import artifact, golden
from models.audit import RESIDUE_BPS
from models.explain import attribute
from models.hazard import HazardModel
from models.interval import LEVEL
from models.leaves import Floats
from models.pricer import Pricer
from pricing.errors import ModelError, PolicyError, SeedrateError
from pricing.instrument import Instrument
from pricing.instruments.term_loan import TermLoan
from pricing.schedule import Terms
from training import monotone
from training.rules import (
    Calibration,
    Coverage,
    Latency,
    Metrics,
    Monotone,
    Pack,
    Rules,
    Slack,
    Validation,
)

PROBED = 100  # projects of the background that are explained
VALIDATION = "validation.json"  # in the sealed folder
ROUNDS = 5  # of the golden vectors, timed
Interval = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True)
class Gate:
    """One question to a version.

    Attributes:
        name: what is asked.
        passed: whether the answer is good.
        figure: the answer.
        needed: the answer that is asked for.
        final: whether no override helps, since every server asks the same.
    """

    name: str
    passed: bool
    figure: str
    needed: str
    final: bool = False

    def __str__(self) -> str:
        """Return the sentence "gate must be ..., however: ..."."""
        return f"{self.name} must be {self.needed}, however: {self.figure}"


@dataclass(frozen=True)
class Around:
    """What a version is asked beside.

    Attributes:
        champion: digest of the version that serves now; None if there is none.
        run: paths of the files in the version's run.
        seconds: a clock.
    """

    champion: str | None
    run: frozenset[str]
    seconds: Callable[[], float] = time.perf_counter


def ask(folder: Path, digest: str, rules: Rules, around: Around) -> list[Gate]:
    """Put every question of the rules to the model in a folder; after a failed final one, none.

    All figures are read from the sealed folder, or measured; those in the registry can be edited.
    """
    gates, model = _final(folder, digest)
    if model is None or not all(gate.passed for gate in gates):
        return gates
    card = model.card
    months = rules.horizon_months
    if rules.metrics is not None:
        gates.append(_metrics(card, rules.metrics, months))
    if rules.benchmark is not None:
        gains = card.get("gains", {})
        gates += _compared(gains, rules.benchmark, months, "the linear benchmark's")
    if rules.scorecard is not None:
        gains = card.get("scorecard", {}).get("gains", {})
        gates += _compared(gains, rules.scorecard, months, "the scorecard's")
    if rules.champion is not None:
        gates += _rivalled(digest, card.get("champion"), rules.champion, months, around.champion)
    if rules.calibration is not None:
        gates += _calibration(card, rules.calibration, months)
    if rules.interval is not None:
        gates.append(_coverage(card.get("interval") or {}, rules.interval))
    if rules.validation is not None:
        gates += _validation(folder / VALIDATION, rules.validation)
    if rules.monotone is not None:
        gates.append(_monotone(model, folder, rules.monotone))
    if rules.latency is not None:
        gates.append(_latency(model, folder, rules.latency, around.seconds))
    if rules.pack is not None:
        gates += _pack(folder, rules.pack, around.run)
    return gates


def ask_final(folder: Path, digest: str) -> list[Gate]:
    """Put the questions that no rules can leave out and no override can answer."""
    return _final(folder, digest)[0]


def lost(error: Exception) -> Gate:
    """Return the gate of a model whose files cannot even be had."""
    return Gate("files", False, _first_line(error), "as sealed", final=True)


def _final(folder: Path, digest: str) -> tuple[list[Gate], HazardModel | None]:
    try:
        model = artifact.read(folder, digest)
    except (SeedrateError, OSError, ValueError, KeyError) as error:
        return [lost(error)], None
    gates = [Gate("files", True, digest[:12], "as sealed", final=True), _golden(model, folder)]
    if gates[-1].passed:
        gates.append(additive(model, folder))
    return gates, model


def _golden(model: HazardModel, folder: Path) -> Gate:
    needed = f"reproduced within {golden.TOLERANCE_BPS:g} bp"
    try:
        vectors = golden.check(model, folder)
    except ModelError as error:
        return Gate("golden vectors", False, _first_line(error), needed, final=True)
    return Gate("golden vectors", True, f"{vectors} reproduced", needed, final=True)


def additive(model: HazardModel, folder: Path) -> Gate:
    """Explain the golden vectors and some of the background, and look what the parts miss.

    Args:
        model: whose explanations are read.
        folder: of its golden vectors and its background.
    """
    name, needed = "parts less price", f"at most {RESIDUE_BPS:g} bp"
    policy, vectors = golden.kept(folder)
    loans = [TermLoan(Terms(**vector["terms"])) for vector in vectors]
    rows = [
        model.encoder.row(vector["project"], loan.terms)
        for vector, loan in zip(vectors, loans, strict=True)
    ]
    rows += list(_probe(folder, PROBED))
    priced = [loan.priced(policy, model.edges) for loan in loans]
    try:
        missed = [_missed(model, x, priced[at % len(priced)]) for at, x in enumerate(rows)]
    except ModelError as error:
        return Gate(name, False, _first_line(error), needed, final=True)
    told = [bps for bps in missed if bps is not None]
    worst = max(told)
    figure = f"{worst:.1e} bp among {len(told)} explanations"
    return Gate(name, worst <= RESIDUE_BPS, figure, needed, final=True)


def _missed(model: HazardModel, x: Floats, instrument: Instrument) -> float | None:
    """Return by how much the parts miss the figure, in bp; None where no price is viable."""
    reading = model.read(x)
    try:
        parts = attribute(model, reading, instrument)
        figure = float(instrument.figures((reading.margins + model.overlay)[None])[0])
    except PolicyError:
        return None
    missed = figure - math.fsum([parts.base_bps, parts.macro_bps, *parts.columns_bps.tolist()])
    return abs(missed) if math.isfinite(missed) else math.inf


def _metrics(card: Mapping[str, Any], rule: Metrics, months: int) -> Gate:
    keys = [f"{name}_{months}m" for name in rule.present]
    absent = [key for key in keys if _interval(card.get("metrics", {}).get(key)) is None]
    told = f"no {', '.join(absent)}" if absent else f"{len(keys)} with intervals"
    return Gate("figures out of time", not absent, told, f"there at {months} months")


def _compared(gains: Mapping[str, Any], rule: Slack, months: int, whose: str) -> Iterator[Gate]:
    """Ask whether AUC and log loss are better than another model's, or worse by little."""
    for label, metric, sign, slack in (
        ("AUC", "auc", 1.0, rule.auc_worse_by),
        ("log loss", "log_loss", -1.0, rule.log_loss_worse_by),
    ):
        gain, bound = _interval(gains.get(f"{metric}_{months}m")), -sign * slack + 0.0
        needed = f"{'above' if sign > 0 else 'below'} {bound:g} with its whole 90 % interval"
        name = f"{label} at {months} months, less {whose}"
        if gain is None:
            yield Gate(name, False, "not measured", needed)
            continue
        value, low, high = gain
        better = min(sign * low, sign * high) > -slack
        yield Gate(name, better, f"{value:+.4f} [{low:+.4f}, {high:+.4f}]", needed)


def _rivalled(
    digest: str, met: Mapping[str, Any] | None, rule: Slack, months: int, champion: str | None
) -> Iterator[Gate]:
    """Ask likewise against the champion, if it is the present one that the fit was judged beside.

    Args:
        digest: of the version.
        met: what its card says of the champion of its day.
        rule: how much worse it may be.
        months: of the horizon.
        champion: digest of the present one.
    """
    if champion is None or champion == digest:
        told = "none serves yet" if champion is None else "it is the champion"
        yield Gate("the champion", True, told, "met out of time")
    elif met is None or met["digest"] != champion:
        beside = "none" if met is None else str(met["digest"])[:12]
        needed = f"the present one, {champion[:12]}: fit again, beside it"
        yield Gate("the champion it was judged beside", False, beside, needed)
    else:
        yield from _compared(met["gains"], rule, months, "the champion's")


def _calibration(card: Mapping[str, Any], rule: Calibration, months: int) -> Iterator[Gate]:
    metrics = card.get("metrics", {})
    for name, key, (low, high) in (
        ("observed over expected", "observed_over_expected", rule.observed_over_expected),
        ("slope of calibration", "calibration_slope", rule.slope),
    ):
        found = _interval(metrics.get(f"{key}_{months}m"))
        needed = f"in [{low:g}, {high:g}]"
        figure = "not measured" if found is None else f"{found[0]:.3f}"
        held = found is not None and low <= found[0] <= high
        yield Gate(f"{name} at {months} months", held, figure, needed)
    ici = card.get("calibration", {}).get(f"{months}m", {}).get("ici")
    yield Gate(
        f"distance of the calibration curve (ICI) at {months} months",
        ici is not None and ici <= rule.ici_at_most,
        "not measured" if ici is None else f"{ici:.4f}",
        f"at most {rule.ici_at_most:g}",
    )


def _coverage(told: Mapping[str, Any], rule: Coverage) -> Gate:
    low, high = rule.coverage
    found, level = told.get("coverage"), told.get("level", LEVEL)
    figure = "not measured" if found is None else f"{found:.3f} of {told['cohorts']} cohorts"
    held = found is not None and low <= found <= high
    return Gate(f"coverage of the {level:.0%} interval", held, figure, f"in [{low:g}, {high:g}]")


def _validation(file: Path, rule: Validation) -> Iterator[Gate]:
    """Ask the sealed pack for its sections, and for those that a validator must answer."""
    try:
        sections = json.loads(file.read_bytes())
        lights = {name: section["light"] for name, section in sections.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        lights = {}
    absent = [name for name in rule.sections if name not in lights]
    told = f"no {', '.join(absent)}" if absent else f"{len(rule.sections)} there"
    yield Gate("sections of the validation pack", not absent, told, f"all {len(rule.sections)}")
    red = [name for name, light in lights.items() if light == "red" and name not in rule.may_be_red]
    but = f", but for {', '.join(rule.may_be_red)}" if rule.may_be_red else ""
    yield Gate(
        "red sections of the validation pack", not red, ", ".join(red) or "none", f"none{but}"
    )


def _monotone(model: HazardModel, folder: Path, rule: Monotone) -> Gate:
    wrong = monotone.violations(model, _probe(folder, rule.projects))
    worst = max(wrong, key=lambda name: wrong[name]) if wrong else ""
    steps = sum(wrong.values())
    figure = f"{steps}{f', most of {worst}' if worst else ''}"
    needed = f"at most {rule.violations}"
    return Gate("steps against a column's direction", steps <= rule.violations, figure, needed)


def _latency(model: HazardModel, folder: Path, rule: Latency, seconds: Callable[[], float]) -> Gate:
    policy, vectors = golden.kept(folder)
    pricer, taken = Pricer(model, policy), []
    asked = [(vector["project"], TermLoan(Terms(**vector["terms"]))) for vector in vectors]
    for project, loan in asked * (ROUNDS + 1):
        began = seconds()
        pricer.quote_checked(project, loan).document()
        taken.append(1000 * (seconds() - began))
    middle = median(taken[len(asked) :])  # the first round compiles
    figure = f"{middle:.2f} ms, median of {ROUNDS * len(asked)}"
    needed = f"at most {rule.median_ms:g} ms"
    return Gate("an explained price", middle <= rule.median_ms, figure, needed)


def _pack(folder: Path, rule: Pack, run: frozenset[str]) -> Iterator[Gate]:
    for where, needed, there in (
        ("sealed folder", rule.folder, {path.name for path in folder.iterdir()}),
        ("run", rule.run, run),
    ):
        absent = sorted({*needed} - there)
        figure = f"no {', '.join(absent)}" if absent else f"{len(needed)} there"
        yield Gate(f"files of the {where}", not absent, figure, f"all {len(needed)} there")


def _probe(folder: Path, projects: int) -> Floats:
    """Return some of the background, evenly chosen: (n, columns)."""
    x = np.load(folder / "background.npy", allow_pickle=False)
    at = np.linspace(0, len(x) - 1, min(projects, len(x))).astype(np.int64)
    return np.asarray(x[at], np.float64)


def _interval(measure: Mapping[str, Any] | None) -> Interval | None:
    ends = [] if measure is None else [measure.get(end) for end in ("value", "low", "high")]
    if not ends or not all(isinstance(end, int | float) for end in ends):
        return None
    value, low, high = (float(str(end)) for end in ends)
    return value, low, high


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0][:200]
