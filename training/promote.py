"""Which version serves: a champion is made after its gates, or with a reason; or sent back.

The registered model keeps the numbers of its champions in order, in a tag: so a rollback knows
where to. Who did what, when and why is kept in tags of the version it was done to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from models import registry
from models.registry import Version
from pricing.errors import InputError, ModelError
from training import gates
from training.gates import Gate

if TYPE_CHECKING:
    from models.registry import MlflowClient


@dataclass(frozen=True)
class Act:
    """Who does something, when, and why."""

    who: str
    when: datetime
    why: str

    def tags(self, verb: str) -> dict[str, str]:
        """Return the tags that keep it, as "promoted_by"."""
        when = self.when.isoformat(timespec="seconds")
        return {f"{verb}_by": self.who, f"{verb}_at": when, f"{verb}_why": self.why}


@dataclass(frozen=True)
class Office:
    """A registered model, its alias, and the folder of local copies.

    Attributes:
        client: from `registry.client`.
        name: of the registered model.
        alias: of the version that serves.
        copies: folder of verified local copies.
    """

    client: MlflowClient
    name: str
    alias: str
    copies: Path

    def find(self, which: str) -> Version:
        """Return the version of a number, an alias or the "latest".

        Raises:
            InputError: there is none such.
        """
        found = registry.version(self.client, self.name, which)
        if found is None:
            expected = f'a version of {self.name} (its number, an alias or "latest")'
            raise InputError.of("version", expected, which)
        return found

    def ask(self, version: Version) -> list[Gate]:
        """Fetch a version and put every question to it."""
        try:
            folder = registry.fetch(self.client, version, self.copies)
        except ModelError as error:
            return [Gate("manifest", False, str(error), "that of the version", final=True)]
        return gates.ask(folder, version.digest)

    def promote(
        self,
        which: str,
        act: Act,
        *,
        override: str | None = None,
        asked: Callable[[Sequence[Gate]], None] = lambda gates: None,
    ) -> Version:
        """Make a version the champion, if it passes its gates.

        Args:
            which: a number, an alias or "latest".
            act: who, when and why.
            override: the reason to promote it in spite of failed gates; kept with them.
            asked: told the answers.

        Raises:
            InputError: there is no such version, or no reason.
            ModelError: gates failed, and were not or cannot be overridden.
        """
        _say_why(act.why, "reason")
        if override is not None:
            _say_why(override, "override")
        version = self.find(which)
        answers = self.ask(version)
        asked(answers)
        failed = [gate for gate in answers if not gate.passed]
        if failed and (override is None or any(gate.final for gate in failed)):
            raise ModelError(_refusal(version, answers))
        tags = act.tags("promoted")
        if failed:
            told = json.dumps([str(gate) for gate in failed], ensure_ascii=False)
            tags |= {"override": str(override), "override_failed": told}
        past = self._champions()
        if past[-1:] != [version.number]:
            past.append(version.number)
        self._enthrone(version, tags, past)
        return version

    def rollback(self, act: Act) -> tuple[Version, Version]:
        """Make the champion before this one the champion again.

        Returns:
            The champion, and the one that it was put in place of.

        Raises:
            InputError: there was none before, or no reason.
            ModelError: it cannot be served any more.
        """
        _say_why(act.why, "reason")
        *past, last = self._champions() or [""]
        if not past:
            expected = "a model that had a champion before this one"
            raise InputError.of("rollback", expected, f"{self.name} had none")
        gone, back = self.find(last), self.find(past[-1])
        final = [gate for gate in self.ask(back) if gate.final]
        if not all(gate.passed for gate in final):
            raise ModelError(_refusal(back, final))
        self._tag(gone, act.tags("rolled_back"))
        self._enthrone(back, {"restored_at": act.tags("restored")["restored_at"]}, past)
        return back, gone

    def versions(self) -> list[tuple[Version, float | None, bool]]:
        """Return all versions, newest first: with the AUC at 36 months, and whether it serves."""
        champion = registry.version(self.client, self.name, self.alias)
        order = ["version_number DESC"]
        found = self.client.search_model_versions(f"name='{self.name}'", order_by=order)
        out = []
        for one in found:
            version = self.find(str(one.version))
            figures = self.client.get_run(version.run_id).data.metrics if version.run_id else {}
            serves = champion is not None and champion.number == version.number
            out.append((version, figures.get(f"auc_{gates.HORIZON_MONTHS}m"), serves))
        return out

    def _champions(self) -> list[str]:
        """Return the numbers of all champions in order, the present one last."""
        tags = self.client.get_registered_model(self.name).tags
        return [number for number in str(tags.get(self._history, "")).split() if number]

    def _enthrone(self, version: Version, tags: dict[str, str], past: Sequence[str]) -> None:
        """Say why first: a champion without a reason must not be seen."""
        self._tag(version, tags)
        self.client.set_registered_model_tag(self.name, self._history, " ".join(past))
        self.client.set_registered_model_alias(self.name, self.alias, version.number)

    def _tag(self, version: Version, tags: dict[str, str]) -> None:
        for key, value in tags.items():
            self.client.set_model_version_tag(self.name, version.number, key, value)

    @property
    def _history(self) -> str:
        return f"{self.alias}.history"


def _say_why(text: str, field: str) -> None:
    if not text.strip():
        raise InputError.of(field, "a reason in words", repr(text))


def _refusal(version: Version, answers: Sequence[Gate]) -> str:
    """Return each failed gate with its figure, and what helps."""
    failed = [gate for gate in answers if not gate.passed]
    lines = [f"{version.name} version {version.number} is not promoted:"]
    lines += [f"  {gate}" for gate in failed]
    if any(gate.final for gate in failed):
        lines.append("  every server would refuse it too: no override helps")
    else:
        lines.append('  to promote it all the same: --override "REASON", which is recorded')
    return "\n".join(lines)
