"""Seals: entries of the log that say what the file of access's notes was; none is altered unseen.

Commands make and revoke keys while a server alone may write the log. So all note in one file, and
the server seals what the file has become: its length and the digest of all of it. Names of clients
stay in the file, and out of what is kept for ever.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from serving.ledger.entry import of_ledger
from serving.ledger.ledger import Ledger
from serving.problem import RefusedError

log = logging.getLogger("seedrate.ledger")

AUDIT = "audit"  # the kind of such an entry
SEAL_SECONDS = 10.0


class Sealer:
    """Seals a file as it grows, in a thread of its own, until it is closed.

    What a server itself has to say, such as which model it serves, is told the same way.
    """

    def __init__(self, ledger: Ledger, path: Path, seconds: float = SEAL_SECONDS) -> None:
        """Begin; a server that starts seals the whole file once more."""
        self._ledger, self._path, self._seconds = ledger, path, seconds
        self._sealed, self._digest = 0, sha256()
        self._first = ""
        self._told: deque[dict[str, Any]] = deque()
        self._due, self._closing = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="seals", daemon=True)
        self._thread.start()

    def tell(self, event: str, says: Mapping[str, Any]) -> None:
        """Let the log say what happened: at once, or as soon as it takes entries again."""
        self._told.append({"event": event, **says})
        self._due.set()

    def close(self) -> None:
        """Record what was told, and seal what has come, last."""
        self._closing = True
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            self._due.wait(self._seconds)
            self._due.clear()
            self._record_all()

    def _record_all(self) -> None:
        try:
            while self._told and not self._ledger.trouble:
                self._record(self._told[0])
                self._told.popleft()
            if not self._ledger.trouble and (says := self._grown()):
                self._record(says)
        except (OSError, RefusedError) as error:
            log.warning("what was noted was not recorded or sealed: %s", error)

    def _record(self, says: Mapping[str, Any]) -> None:
        now = self._ledger.now()
        asyncio.run(self._ledger.record(of_ledger(AUDIT, self._ledger.new_id(now), now, says)))

    def _grown(self) -> dict[str, Any] | None:
        """Return what a seal says, if anything was noted since the last."""
        if not self._path.exists():
            return None
        with self._path.open("rb") as file:
            if not self._first:
                self._first = sha256(file.readline()).hexdigest()
            file.seek(self._sealed)
            added = file.read()
        if not added:
            return None
        self._digest.update(added)
        self._sealed += len(added)
        return {"first": self._first, "bytes": self._sealed, "sha256": self._digest.hexdigest()}


def broken(bodies: Sequence[bytes], path: Path, *, ours_alone: bool) -> Iterator[str]:
    """Give what is wrong with a file, by its seals.

    Args:
        bodies: of the log's entries of kind `audit`.
        path: the file.
        ours_alone: no other server writes this log, so that every seal is of this file; else those
            that begin with another line are of another server's.
    """
    content = path.read_bytes() if path.exists() else b""
    first = sha256(content.partition(b"\n")[0] + b"\n").hexdigest()
    for seal in map(orjson.loads, bodies):
        if "sha256" not in seal:
            continue  # an event that a server told
        if not ours_alone and seal["first"] != first:
            continue
        size = seal["bytes"]
        if size > len(content) or sha256(content[:size]).hexdigest() != seal["sha256"]:
            yield f"{path.name}: its first {size} bytes must be as {seal['id']} has sealed them"
