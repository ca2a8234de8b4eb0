"""Which of several versions to promote: of those that pass every gate, the one that fits best.

Figures of two versions say which is better only where both were judged on the same projects. So the
candidates are the versions whose data, test window and labels are those of the latest one, and of
each digest the latest. They are ordered by log loss out of time, which asks for rank and level
together: a proper score, which no other order than the truth makes better in the mean (Gneiting &
Raftery 2007, Journal of the American Statistical Association 102, 359-378).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models import registry
from models.registry import Version
from pricing.errors import ModelError
from training.gates import Gate
from training.promote import Office
from training.rules import Rules

METRIC = "log_loss"


@dataclass(frozen=True)
class Candidate:
    """A version beside the others.

    Attributes:
        version: as registered.
        family: who speaks of default.
        loss: log loss out of time.
        gates: what it answered.
    """

    version: Version
    family: str
    loss: float
    gates: Sequence[Gate]

    @property
    def failed(self) -> list[Gate]:
        """Return the gates that it did not pass."""
        return [gate for gate in self.gates if not gate.passed]

    def __str__(self) -> str:
        """Return it in words: "version 2 (boosted) 0.3556"."""
        return f"version {self.version.number} ({self.family}) {self.loss:.4f}"


def best(office: Office, rules: Rules) -> tuple[Candidate, str]:
    """Return the best version that passes, and why it is that one.

    Raises:
        InputError: nothing is registered.
        ModelError: no candidate passes; each failed gate of each.
    """
    found = candidates(office, rules)
    passed = sorted((one for one in found if not one.failed), key=lambda one: one.loss)
    lines = [f"  version {one.version.number}: {gate}" for one in found for gate in one.failed]
    if not passed:
        raise ModelError("\n".join(["a version must pass every gate, however:", *lines]))
    others = [str(one) for one in passed[1:]] or ["none other passed"]
    said = f"lowest {METRIC} at {rules.horizon_months} months of {len(found)} on the same projects"
    out = [f"version {one.version.number}" for one in found if one.failed]
    failed = f"; failed gates: {', '.join(out)}" if out else ""
    return passed[0], f"{said}: {passed[0]}; {', '.join(others)}{failed}"


def candidates(office: Office, rules: Rules) -> list[Candidate]:
    """Ask every version that was judged on the projects of the latest one, the latest first."""
    champion = office.seat(office.alias).state().number
    latest, found = None, dict[str, Candidate]()
    for version in [office.find("latest"), *(one for one, _ in office.versions())]:
        card = _card(office, version)
        latest = latest or card
        loss = (card or {}).get("metrics", {}).get(f"{METRIC}_{rules.horizon_months}m", {})
        if card is None or latest is None or version.digest in found or not loss.get("value"):
            continue
        if _judged_on(card) == _judged_on(latest):
            answers = office.ask(version, rules, champion)
            found[version.digest] = Candidate(version, card["family"], loss["value"], answers)
    return list(found.values())


def _card(office: Office, version: Version) -> dict[str, Any] | None:
    """Return the card of a version's verified copy; None where its files cannot be had."""
    try:
        folder = registry.fetch(office.client, version, office.copies)
    except ModelError:
        return None
    card: dict[str, Any] = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    return card


def _judged_on(card: dict[str, Any]) -> tuple[Any, ...]:
    split = card["split"]
    return card["data"]["digest"], split["test_from"], split["test_to"], split["labels"]
