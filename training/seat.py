"""Who sits on an alias of a registered model: its log, and the one way in which it changes.

The log is a tag of the registered model to which words are only ever added: the number of a version
that was seated, or "<" where the last one was sent back. A registry compares and sets nothing, so a
change goes by turns, numbered by the length of the log:

    1. read the log and the alias (before any gate is asked)
    2. claim the next turn: make a registered model of its name, which only one can make
    3. read again; if anything has changed since 1, give way
    4. write, read back, give the claim up

Who stops in between leaves a claim that lapses; the next one then claims the turn's second attempt,
which again only one can make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from models import registry
from pricing.errors import ModelError

if TYPE_CHECKING:
    from models.registry import MlflowClient

BACK = "<"
LAPSES = timedelta(minutes=2)  # a change is half a dozen requests, of at most 10 seconds each
ATTEMPTS = 100


@dataclass(frozen=True)
class State:
    """An alias as it was read.

    Attributes:
        log: what was done, in order.
        number: of the version that the alias names; None if it names none.
    """

    log: tuple[str, ...]
    number: str | None

    @property
    def turn(self) -> int:
        """Return the number of the next act."""
        return len(self.log) + 1

    @property
    def seated(self) -> list[str]:
        """Return the numbers of those that were not sent back, the present one last.

        >>> State(("1", "2", "<", "3", "3"), "3").seated
        ['1', '3']
        """
        stack: list[str] = []
        for word in self.log:
            if word == BACK:
                del stack[-1:]
            elif stack[-1:] != [word]:
                stack.append(word)
        return stack


@dataclass(frozen=True)
class Turn:
    """The right to change a seat once.

    Attributes:
        seat: what is changed.
        before: its state.
        until: when the right lapses.
    """

    seat: Seat
    before: State
    until: datetime

    def take(self, word: str, number: str) -> None:
        """Write who sits now, and read it back.

        Args:
            word: what the log says of the act.
            number: of the version that the alias is to name.

        Raises:
            ModelError: the turn has lapsed, or what is read back is not what was written.
        """
        if self.seat.now() >= self.until:
            raise ModelError(f"a turn must be used by {self.until}, however: {self.seat.now()}")
        after = State((*self.before.log, word), number)
        self.seat.write(after.log, number)
        found = self.seat.state()
        if found != after:
            raise ModelError(f"{self.seat.alias} must be {after}, as written, however: {found}")


@dataclass(frozen=True)
class Seat:
    """An alias of a registered model.

    Attributes:
        client: from `registry.client`.
        name: of the registered model.
        alias: what is sat on.
        now: the clock, with its zone.
    """

    client: MlflowClient
    name: str
    alias: str
    now: Callable[[], datetime]

    def state(self) -> State:
        """Read the log and the alias."""
        tags = registry.tags(self.client, self.name) or {}
        holder = registry.version(self.client, self.name, self.alias)
        log = str(tags.get(self._log, "")).split()
        return State(tuple(log), holder.number if holder else None)

    @contextmanager
    def turn(self, before: State, who: str) -> Iterator[Turn]:
        """Hold the next turn, alone.

        Args:
            before: the state on which the act was decided.
            who: told to others meanwhile.

        Raises:
            ModelError: another holds it, or the state is no longer the same.
        """
        until = self.now() + LAPSES
        claims = self._claim(before, {"who": who, "until": until.isoformat()})
        try:
            if self.state() != before:
                raise ModelError(self._moved())
            yield Turn(self, before, until)
        finally:
            # a claim that has lapsed stands, so that the next one cannot be claimed twice
            done = self.state().turn > before.turn
            for claim in claims if done else claims[-1:] if self.now() < until else []:
                registry.drop(self.client, claim)

    def write(self, log: Sequence[str], number: str) -> None:
        """Write the log, then the alias."""
        self.client.set_registered_model_tag(self.name, self._log, " ".join(log))
        self.client.set_registered_model_alias(self.name, self.alias, number)

    def _claim(self, before: State, tags: Mapping[str, str]) -> list[str]:
        """Claim a turn; return the names of its claims, those that have lapsed before ours."""
        claims: list[str] = []
        for attempt in range(1, ATTEMPTS + 1):
            claims.append(f"{self.name}.{self.alias}.turn-{before.turn}.{attempt}")
            if registry.claim(self.client, claims[-1], tags):
                return claims
            held = self._held(claims[-1])
            if held is None:  # given up by now
                raise ModelError(self._moved())
            who, until = held
            if self.now() <= until:
                said = f"{self.name}: nobody else may be changing its {self.alias}"
                told = f"{who} is, until {until.isoformat()[:19]} at most"
                raise ModelError(f"{said}, however: {told}")
        raise ModelError(f"fewer than {ATTEMPTS} claims must have lapsed, however: {claims[-1]}")

    def _held(self, claim: str) -> tuple[str, datetime] | None:
        """Return who holds a claim, and until when; None if it has been given up.

        One that does not say until when was given up while it was read, as a second look tells, or
        is half made: then it counts from when it was made, as its maker may have died over it.
        """
        tags = registry.tags(self.client, claim)
        if tags is None:
            return None
        who = tags.get("who", "somebody")
        if "until" in tags:
            return who, datetime.fromisoformat(tags["until"])
        made = registry.made(self.client, claim)
        return (who, made + LAPSES) if made else None

    def _moved(self) -> str:
        state = self.state()
        holder = f"version {state.number}" if state.number else "none"
        said = f"{self.name}: its {self.alias} must be the one that this was decided on"
        return f"{said}, however: it has changed, and is now {holder}; look at it, then try again"

    @property
    def _log(self) -> str:
        return f"{self.alias}.history"
