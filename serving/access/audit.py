"""What is noted of access: keys made and revoked, and who was refused, one JSON object a line."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import orjson

from serving.access.credential import Why

log = logging.getLogger("seedrate.audit")

REFUSALS_SECONDS = 10  # between two lines of one kind, so that nobody can fill the disk
MOST_KINDS = 1024


@dataclass(frozen=True)
class Event:
    """One thing that happened; it holds names and ids, and never a credential."""

    kind: str  # key_created, key_revoked, refused, exported, book_uploaded
    tenant: str = ""
    client: str = ""
    key_id: str = ""
    route: str = ""
    why: str = ""
    left_out: int = 0  # refusals of this kind since the last line that stand in no line


class Audit(Protocol):
    """Where events go: a file, or the ledger."""

    def note(self, event: Event) -> None:
        """Keep an event."""


@dataclass(frozen=True)
class FileAudit:
    """Appends to a file; several processes may share it."""

    path: Path
    now: Callable[[], float]  # in seconds since 1970

    def note(self, event: Event) -> None:
        """Append one line; a disk that takes none is logged, and stops nothing."""
        line = orjson.dumps({"time": round(self.now(), 3), **asdict(event)}) + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            handle = os.open(self.path, flags, 0o600)
            try:
                os.write(handle, line)
            finally:
                os.close(handle)
        except OSError as error:
            log.error("an event of kind %s was not kept: %s", event.kind, error)


class Refusals:
    """Notes the first refusal of a kind at once, and then counts: a line in ten seconds at most."""

    def __init__(self, audit: Audit, now: Callable[[], float]) -> None:
        """Start with nothing counted.

        Args:
            audit: takes the lines.
            now: in seconds, by a clock that nobody sets.
        """
        self._audit = audit
        self._now = now
        self._seen: dict[tuple[str, Why], _Counted] = {}

    def note(
        self, why: Why, *, route: str, tenant: str = "", client: str = "", key_id: str = ""
    ) -> None:
        """Note a refusal, or count it."""
        if len(self._seen) > MOST_KINDS:
            self._seen.clear()
        counted = self._seen.setdefault((tenant, why), _Counted())
        now = self._now()
        if now - counted.told < REFUSALS_SECONDS:
            counted.left_out += 1
            return
        event = Event("refused", tenant, client, key_id, route, why.value, counted.left_out)
        counted.told, counted.left_out = now, 0
        self._audit.note(event)


@dataclass
class _Counted:
    told: float = float("-inf")
    left_out: int = 0
