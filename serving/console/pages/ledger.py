"""The ledger: its head, who has signed it, who attests it, and whether it is what it was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from starlette.responses import Response

from serving.console.proof import signer
from serving.console.recheck import recheck
from serving.console.seen import Seen, Since
from serving.console.visit import Page, Visit
from serving.doors import CONSOLE, READ
from serving.ledger import keyring, tree
from serving.ledger.anchors import Anchors, Evidence
from serving.ledger.entry import KEY
from serving.ledger.note import Checkpoint, Verifier
from serving.ledger.reading import Reader
from serving.ledger.tiles import Tiles
from serving.ledger.tree import ProofError

HERE = f"{CONSOLE}/ledger"
ROWS = 12  # checkpoints of a page
MOST_ANCHORS = 25


@dataclass(frozen=True)
class Attested:
    """What an outsider attested, and whether it is this log that they saw."""

    evidence: Evidence
    checkpoint: Checkpoint
    ours: bool

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the evidence."""
        return sha256(self.evidence.data).hexdigest()


@dataclass(frozen=True)
class _Looked:
    note: str
    head: Checkpoint
    key: Verifier | None  # that signed; None: no key of the log has
    since: Since
    checkpoints: Sequence[Checkpoint]
    older: int | None  # the size from which older checkpoints go on
    anchors: Sequence[Attested]


class LedgerPage:
    """Shows the log to whoever comes, and remembers what they saw."""

    def __init__(self, seen: Seen) -> None:
        """Stand before the log.

        Args:
            seen: what each client saw last.
        """
        self._seen = seen
        self._checking = asyncio.Lock()  # one at a time: a check is for people, and costs seconds

    def page(self) -> Page:
        """Return the page."""
        answers = {
            ("GET", HERE): self.show,
            ("POST", f"{HERE}/verify"): self.verify,
            ("GET", f"{HERE}/checkpoint"): self.give_checkpoint,
        }
        return Page(answers, name="ledger", leads=HERE, scope=READ)

    async def show(self, visit: Visit) -> Response:
        """Show the head, and hold it against what this client saw last."""
        note = await visit.rooms.ledger.checkpoint()
        looked = await visit.rooms.look_up(lambda: self._looked(visit, note))
        return visit.page("ledger.html", **vars(looked))

    async def verify(self, visit: Visit) -> Response:
        """Hash the end of the log again, and show what was found."""
        reader = visit.rooms.ledger.store.reader
        note = await visit.rooms.ledger.checkpoint()
        async with self._checking:
            found = await visit.rooms.look_up(lambda: recheck(reader, note, time.monotonic))
        return visit.page("verified.html", found=found)

    async def give_checkpoint(self, visit: Visit) -> Response:
        """Return the newest checkpoint as a file."""
        note = await visit.rooms.ledger.checkpoint()
        headers = {"content-disposition": 'attachment; filename="checkpoint.txt"'}
        return Response(note, headers=headers, media_type="text/plain; charset=utf-8")

    def _looked(self, visit: Visit, note: str) -> _Looked:
        rooms, asked = visit.rooms, visit.asked("before")
        reader, tiles = rooms.ledger.store.reader, Tiles(rooms.ledger.store.reader)
        before = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 18 else None
        notes = reader.signed(before, ROWS + 1)
        checkpoints = [Checkpoint.parse(one) for one in notes[:ROWS]]
        return _Looked(
            note=note,
            head=Checkpoint.parse(note),
            key=_key(reader, note),
            since=self._seen.look(visit.caller, note, tiles),
            checkpoints=checkpoints,
            older=checkpoints[-1].size if len(notes) > ROWS else None,
            anchors=attested(rooms.anchors, tiles, Checkpoint.parse(note).size),
        )


def _key(reader: Reader, note: str) -> Verifier | None:
    try:
        return signer(note, keyring.listed(reader.others(KEY)))
    except ProofError:
        return None


def attested(anchors: Anchors, tiles: Tiles, size: int) -> list[Attested]:
    """Return the newest evidence, each held against the log."""
    found = []
    for one in reversed(anchors.all()[-MOST_ANCHORS:]):
        checkpoint = one.checkpoint
        ours = checkpoint.size <= size and tree.root(tiles, checkpoint.size) == checkpoint.root
        found.append(Attested(one, checkpoint, ours))
    return found
