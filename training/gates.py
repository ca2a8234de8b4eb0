"""What a version must show before it may serve, each with its figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models import artifact, golden
from models.hazard import HazardModel
from pricing.errors import ModelError, SeedrateError
from training import monotone

HORIZON_MONTHS = 36
PROBED = 100  # projects of the background
NEEDED = ("auc", "log_loss", "brier", "observed_over_expected")


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


def ask(folder: Path, digest: str) -> list[Gate]:
    """Put every question to the model in a folder; after a failed final one, none.

    All figures are read from the sealed folder; those in the registry can be edited.
    """
    gates: list[Gate] = []
    try:
        model = artifact.read(folder, digest)
    except (SeedrateError, OSError, ValueError, KeyError) as error:
        return [Gate("manifest", False, _first_line(error), "that of the version", final=True)]
    gates.append(Gate("manifest", True, digest[:12], "that of the version", final=True))
    gates.append(_golden(model, folder))
    gates += _judgement(model.card)
    gates.append(_monotone(model, folder))
    return gates


def _golden(model: HazardModel, folder: Path) -> Gate:
    needed = f"reproduced within {golden.TOLERANCE_BPS:g} bp"
    try:
        vectors = golden.check(model, folder)
    except ModelError as error:
        return Gate("golden vectors", False, _first_line(error), needed, final=True)
    return Gate("golden vectors", True, f"{vectors} reproduced", needed, final=True)


def _judgement(card: Mapping[str, Any]) -> Iterator[Gate]:
    keys = [f"{name}_{HORIZON_MONTHS}m" for name in NEEDED]
    metrics, gains = card.get("metrics", {}), card.get("gains", {})
    absent = [key for key in keys if not _interval(metrics.get(key))]
    told = f"no {', '.join(absent)}" if absent else f"{len(keys)} with intervals"
    yield Gate("metrics out of time", not absent, told, f"there at {HORIZON_MONTHS} months")
    for name, key, sign in (("AUC", keys[0], 1.0), ("log loss", keys[1], -1.0)):
        gain = _interval(gains.get(key))
        title = f"{name} at {HORIZON_MONTHS} months, less the linear benchmark's"
        if gain is None:
            yield Gate(title, False, "not measured", "better")
            continue
        value, low, high = gain
        better = min(sign * low, sign * high) > 0
        figure = f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"
        side = "above" if sign > 0 else "below"
        yield Gate(title, better, figure, f"{side} 0 with its whole 90 % interval")


def _monotone(model: HazardModel, folder: Path) -> Gate:
    x = np.load(folder / "background.npy", allow_pickle=False)
    probed = x[np.linspace(0, len(x) - 1, min(PROBED, len(x))).astype(np.int64)]
    wrong = monotone.violations(model, probed)
    worst = max(wrong, key=lambda name: wrong[name]) if wrong else ""
    figure = f"{sum(wrong.values())}{f', most of {worst}' if worst else ''}"
    return Gate("steps against a column's direction", not wrong, figure, "0")


def _interval(measure: Mapping[str, Any] | None) -> tuple[float, float, float] | None:
    ends = [] if measure is None else [measure.get(end) for end in ("value", "low", "high")]
    if not ends or not all(isinstance(end, int | float) for end in ends):
        return None
    value, low, high = (float(str(end)) for end in ends)
    return value, low, high


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0][:200]
