"""Which version serves: a champion is made after its gates, or with a reason; or sent back.

Each act is a signed statement, kept as a tag of the version that it lets serve. Other tags say the
same in the words of MLflow's pages; they are for reading, and no server believes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from models import registry, statement
from models.keys import SigningKey, Trusted
from models.registry import CHALLENGER, Version
from models.statement import Statement
from pricing.errors import InputError, ModelError
from training import gates
from training.gates import Around, Gate
from training.rules import Rules
from training.seat import BACK, Seat, State

if TYPE_CHECKING:
    from models.registry import MlflowClient


@dataclass(frozen=True)
class Act:
    """Who does something, when, and why."""

    who: str
    when: datetime
    why: str

    def tags(self, verb: str) -> dict[str, str]:
        """Return the tags that tell it, as "promoted_by"."""
        return {f"{verb}_by": self.who, f"{verb}_at": self.at, f"{verb}_why": self.why}

    @property
    def at(self) -> str:
        """Return when, to the second, with the zone."""
        return self.when.isoformat(timespec="seconds")


@dataclass(frozen=True)
class Desk:
    """With what a promotion is decided and signed.

    Attributes:
        rules: what a version must show.
        key: signs.
        trusted: the keys that servers trust; `key` is one of them.
    """

    rules: Rules
    key: SigningKey
    trusted: Trusted

    def __post_init__(self) -> None:
        """Check that what is signed here will serve.

        Raises:
            InputError: no server would trust the key.
        """
        if self.key.fingerprint not in self.trusted:
            expected = f'a key in SEEDRATE_TRUSTED_KEYS (add the line "{self.key.line}")'
            raise InputError.of("SEEDRATE_SIGNING_KEY", expected, self.key.fingerprint)


@dataclass(frozen=True)
class Office:
    """A registered model, its alias, and the folder of local copies.

    Attributes:
        client: from `registry.client`.
        name: of the registered model.
        alias: of the version that serves.
        copies: folder of verified local copies.
        now: the clock, with its zone.
    """

    client: MlflowClient
    name: str
    alias: str
    copies: Path
    now: Callable[[], datetime]

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

    def seat(self, alias: str) -> Seat:
        """Return who sits on an alias."""
        return Seat(self.client, self.name, alias, self.now)

    def ask(self, version: Version, rules: Rules, champion: str | None) -> list[Gate]:
        """Fetch a version and put every question of the rules to it.

        Args:
            version: the candidate.
            rules: of the gates file.
            champion: number of the version that serves now; None if there is none.
        """

        def put(folder: Path) -> list[Gate]:
            run = registry.papers(self.client, version.run_id)
            serving = None if champion is None else self.find(champion).digest
            return gates.ask(folder, version.digest, rules, Around(serving, run))

        return self._asked(version, put)

    def ask_final(self, version: Version) -> list[Gate]:
        """Fetch a version and put the final questions to it."""
        return self._asked(version, lambda folder: gates.ask_final(folder, version.digest))

    def promote(
        self,
        which: str,
        act: Act,
        desk: Desk,
        *,
        override: str | None = None,
        asked: Callable[[Sequence[Gate]], None] = lambda gates: None,
    ) -> Version:
        """Make a version the champion, if it passes its gates.

        Args:
            which: a number, an alias or "latest".
            act: who, when and why.
            desk: the rules and the key.
            override: the reason to promote it in spite of failed gates; signed with them.
            asked: told the answers.

        Raises:
            InputError: there is no such version, or no reason.
            ModelError: gates failed and were not or cannot be overridden, or another act was first.
        """
        _say_why(act.why, "reason")
        if override is not None:
            _say_why(override, "override")
        before = self.seat(self.alias).state()
        version = self.find(which)
        answers = self.ask(version, desk.rules, before.number)
        asked(answers)
        failed = [gate for gate in answers if not gate.passed]
        if failed and (override is None or any(gate.final for gate in failed)):
            raise ModelError(_refusal(version, answers))
        told = self._statement("promoted", version, self.alias, before, act, desk)
        tags = act.tags("promoted") | {"gates": json.dumps([asdict(gate) for gate in answers])}
        if failed:
            told = replace(told, override=override, failed=tuple(str(gate) for gate in failed))
        self._take(version, before, version.number, told, desk, tags)
        return version

    def challenge(
        self,
        which: str,
        act: Act,
        desk: Desk,
        *,
        asked: Callable[[Sequence[Gate]], None] = lambda gates: None,
    ) -> Version:
        """Make a version the challenger, if it passes the final gates: it serves beside, not us.

        Args:
            which: a number, an alias or "latest".
            act: who, when and why.
            desk: the rules and the key.
            asked: told the answers.

        Raises:
            InputError: there is no such version, or no reason.
            ModelError: gates failed, or another act was first.
        """
        _say_why(act.why, "reason")
        before = self.seat(CHALLENGER).state()
        version = self.find(which)
        answers = self.ask_final(version)
        asked(answers)
        if not all(gate.passed for gate in answers):
            raise ModelError(_refusal(version, answers))
        told = self._statement("challenged", version, CHALLENGER, before, act, desk)
        self._take(version, before, version.number, told, desk, act.tags("challenged"))
        return version

    def rollback(self, act: Act, desk: Desk) -> tuple[Version, Version]:
        """Make the champion before this one the champion again.

        Args:
            act: who, when and why.
            desk: the rules and the key.

        Returns:
            The champion, and the one that it was put in place of.

        Raises:
            InputError: there was none before, or no reason.
            ModelError: it cannot be served any more, or another act was first.
        """
        _say_why(act.why, "reason")
        before = self.seat(self.alias).state()
        *past, last = before.seated or [""]
        if not past:
            expected = "a model that had a champion before this one"
            raise InputError.of("rollback", expected, f"{self.name} had none")
        gone, back = self.find(last), self.find(past[-1])
        answers = self.ask_final(back)
        if not all(gate.passed for gate in answers):
            raise ModelError(_refusal(back, answers))
        told = self._statement("restored", back, self.alias, before, act, desk)
        told = self._with_override(told, back, desk)
        self._take(back, before, BACK, told, desk, {"restored_at": act.at})
        self._tag(gone, act.tags("rolled_back"))
        return back, gone

    def versions(self) -> list[tuple[Version, float | None]]:
        """Return all versions, newest first, with the AUC at 36 months."""
        order = ["version_number DESC"]
        found = self.client.search_model_versions(f"name='{self.name}'", order_by=order)
        out = []
        for one in found:
            version = self.find(str(one.version))
            figures = self.client.get_run(version.run_id).data.metrics if version.run_id else {}
            out.append((version, figures.get("auc_36m")))
        return out

    def _asked(self, version: Version, put: Callable[[Path], list[Gate]]) -> list[Gate]:
        try:
            folder = registry.fetch(self.client, version, self.copies)
        except ModelError as error:
            return [gates.lost(error)]
        return put(folder)

    def _statement(
        self, verb: str, version: Version, alias: str, before: State, act: Act, desk: Desk
    ) -> Statement:
        return Statement(
            act=verb,
            model=self.name,
            version=version.number,
            digest=version.digest,
            alias=alias,
            turn=before.turn,
            gates=desk.rules.digest,
            who=act.who,
            when=act.at,
            why=act.why,
        )

    def _with_override(self, told: Statement, back: Version, desk: Desk) -> Statement:
        """Return the statement with the override under which the version was promoted, if any."""
        try:
            earlier = statement.verify(back.signed(self.alias), desk.trusted)
        except ModelError:  # by a key of former days
            return told
        return replace(told, override=earlier.override, failed=earlier.failed)

    def _take(
        self,
        version: Version,
        before: State,
        word: str,
        told: Statement,
        desk: Desk,
        tags: dict[str, str],
    ) -> None:
        """Sign first, then write: who serves without a statement must not be seen."""
        signed = {registry.signed_tag(told.alias): statement.sign(told, desk.key)}
        with self.seat(told.alias).turn(before, told.who) as turn:
            self._tag(version, tags | signed)
            turn.take(word, version.number)

    def _tag(self, version: Version, tags: dict[str, str]) -> None:
        for key, value in tags.items():
            self.client.set_model_version_tag(self.name, version.number, key, value)


def _say_why(text: str, field: str) -> None:
    if not text.strip():
        raise InputError.of(field, "a reason in words", repr(text))


def _refusal(version: Version, answers: Sequence[Gate]) -> str:
    """Return each failed gate with its figure, and what helps."""
    failed = [gate for gate in answers if not gate.passed]
    lines = [f"{version.name} version {version.number} may not serve:"]
    lines += [f"  {gate}" for gate in failed]
    if any(gate.final for gate in failed):
        lines.append("  every server would refuse it too: no override helps")
    else:
        lines.append('  to promote it all the same: --override "REASON", which is signed too')
    return "\n".join(lines)
