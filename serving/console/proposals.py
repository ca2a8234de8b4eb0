"""Promotions and rollbacks by two persons: one proposes, another decides; both are written down.

    proposed --> declined
             --> agreed                     a person runs the command
             --> running --> done, refused  the server runs it (SEEDRATE_CONSOLE_PROMOTES)
                         --> failed

A proposal that nobody decides on expires. It lies beside the keys (SEEDRATE_ACCESS), so that every
server knows it; of two who decide at once, one is first.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Engine
from sqlalchemy.schema import CreateTable

from serving.access.caller import Caller
from serving.access.store import KeyStore

PROMOTE, ROLLBACK = "promote", "rollback"
PROPOSED, DECLINED, AGREED, RUNNING = "proposed", "declined", "agreed", "running"
DONE, REFUSED, FAILED, EXPIRED, LOST = "done", "refused", "failed", "expired", "lost"
EXPIRES_SECONDS = 24 * 3600
RUN_SECONDS = 600  # of the command
REFUSES = 2  # what the command exits with when gates or settings refuse
MOST_LISTED = 50
MOST_OUTPUT = 20_000  # letters
GATE = re.compile(r"^\s+(\S.* must be .*, however: .*)$", re.MULTILINE)

PROPOSAL = Table(
    "console_promotion",
    MetaData(),
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("act", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("proposer", Text, nullable=False),  # tenant/client
    Column("proposed", BigInteger, nullable=False),  # this and the next in seconds since 1970
    Column("decided", BigInteger),
    Column("decider", Text),
    Column("state", Text, nullable=False),
    Column("output", Text, nullable=False),
)


@dataclass(frozen=True)
class Proposal:
    """What somebody proposed, and what became of it."""

    number: int
    act: str
    version: str
    reason: str
    proposer: str
    proposed: int
    decided: int | None
    decider: str | None
    state: str
    output: str

    @property
    def arguments(self) -> list[str]:
        """Return what `python -m training` is given."""
        by = f"{self.proposer}, agreed by {self.decider or '…'}"
        which = [self.version] if self.act == PROMOTE else []
        return [self.act, *which, f"--reason={self.reason}", f"--by={by}"]

    @property
    def command(self) -> str:
        """Return the command, as a shell reads it."""
        return shlex.join(["python", "-m", "training", *self.arguments])

    @property
    def gates(self) -> list[str]:
        """Return each failed gate of which the command told."""
        return GATE.findall(self.output)

    def at(self, now: float) -> Proposal:
        """Return it as it stands at a time: what nobody decided on, or what never ended, lapses.

        Args:
            now: in seconds since 1970.
        """
        if self.state == PROPOSED and now - self.proposed >= EXPIRES_SECONDS:
            return replace(self, state=EXPIRED)
        if self.state == RUNNING and now - (self.decided or 0) >= RUN_SECONDS + 60:
            return replace(self, state=LOST)
        return self


class Proposals:
    """The table of proposals."""

    def __init__(self, keys: KeyStore, now: Callable[[], float]) -> None:
        """Open nothing yet.

        Args:
            keys: beside which they are kept.
            now: in seconds since 1970.
        """
        self._keys, self._now = keys, now

    def propose(self, caller: Caller, act: str, version: str, reason: str) -> int:
        """Keep a proposal; return its number."""
        values = {
            "act": act,
            "version": version,
            "reason": reason,
            "proposer": person(caller),
            "proposed": int(self._now()),
            "state": PROPOSED,
            "output": "",
        }
        with self._engine.begin() as connection:
            asked = insert(PROPOSAL).values(values).returning(PROPOSAL.c.number)
            return int(connection.execute(asked).scalar_one())

    def decide(self, number: int, caller: Caller, state: str) -> bool:
        """Let another person decide; return whether that still could be, and by them."""
        now, here = int(self._now()), PROPOSAL.c.number == number
        is_open = (PROPOSAL.c.state == PROPOSED) & (PROPOSAL.c.proposed > now - EXPIRES_SECONDS)
        another = PROPOSAL.c.proposer != person(caller)
        values = {"state": state, "decider": person(caller), "decided": now}
        with self._engine.begin() as connection:
            asked = update(PROPOSAL).where(here, is_open, another).values(values)
            return connection.execute(asked).rowcount == 1

    def end(self, number: int, code: int, output: str) -> None:
        """Keep what came of the command.

        Args:
            number: of the proposal.
            code: with which the command ended.
            output: that it printed.
        """
        state = {0: DONE, REFUSES: REFUSED}.get(code, FAILED)
        here = (PROPOSAL.c.number == number) & (PROPOSAL.c.state == RUNNING)
        with self._engine.begin() as connection:
            asked = update(PROPOSAL).where(here)
            connection.execute(asked.values(state=state, output=output[-MOST_OUTPUT:]))

    def find(self, number: int) -> Proposal | None:
        """Return a proposal."""
        query = select(PROPOSAL).where(PROPOSAL.c.number == number)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else self._read(row)

    def newest(self) -> list[Proposal]:
        """Return the newest proposals."""
        query = select(PROPOSAL).order_by(PROPOSAL.c.number.desc()).limit(MOST_LISTED)
        with self._engine.connect() as connection:
            return [self._read(row) for row in connection.execute(query)]

    def _read(self, row: Row[Any]) -> Proposal:
        return Proposal(**row._mapping).at(self._now())

    @cached_property
    def _engine(self) -> Engine:
        with self._keys.engine.begin() as connection:
            connection.execute(CreateTable(PROPOSAL, if_not_exists=True))
        return self._keys.engine


def person(caller: Caller) -> str:
    """Return how a person is told from another: by the client that their key names."""
    return f"{caller.tenant}/{caller.client}"
