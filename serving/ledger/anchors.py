"""Anchors: what outsiders have attested about checkpoints of the log, in a folder of its own.

An anchor outside this house makes a rewriting of the log show, also one by those who hold its key.
Evidence lies beside the database and not in it: what testifies must not fall with what it testifies
to. Publishing is a job of its own, so that no quote ever waits for an outsider.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from serving.ledger.note import Checkpoint
from serving.ledger.tree import ProofError

FILE = re.compile(r"([0-9]{20})\.([a-z0-9]+)\.json")


@dataclass(frozen=True)
class Evidence:
    """What an outsider has attested about a checkpoint."""

    kind: str  # of anchor
    note: str  # the signed checkpoint
    data: bytes  # as the anchor gave it
    published_us: int

    @property
    def checkpoint(self) -> Checkpoint:
        """Return what was attested."""
        return Checkpoint.parse(self.note)

    def document(self) -> dict[str, Any]:
        """Return the evidence as a receipt carries it."""
        return {
            "kind": self.kind,
            "note": self.note,
            "data": base64.b64encode(self.data).decode(),
            "published_us": self.published_us,
        }

    @classmethod
    def of(cls, document: Any) -> Evidence:
        """Return the evidence in a document.

        Raises:
            ProofError: it holds none.
        """
        try:
            data = base64.b64decode(document["data"], validate=True)
            found = cls(document["kind"], document["note"], data, int(document["published_us"]))
            found.checkpoint  # noqa: B018  # must parse
        except (KeyError, TypeError, ValueError) as error:
            raise ProofError(f"evidence must have kind, note and data: {error}") from None
        return found


class Anchor(Protocol):
    """An outsider who attests checkpoints."""

    @property
    def kind(self) -> str:
        """Return what kind of outsider it is, in lower case letters and digits."""

    def publish(self, origin: str, size: int, root: bytes) -> bytes:
        """Have a checkpoint attested; return the evidence.

        Raises:
            AnchorError: it was not.
        """

    def verify(self, origin: str, size: int, root: bytes, evidence: bytes) -> str:
        """Return what the evidence shows, in a sentence.

        Raises:
            ProofError: it does not attest this checkpoint.
        """


class AnchorError(Exception):
    """An anchor that did not attest a checkpoint."""


class Anchors:
    """The folder of evidence."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made with the first evidence."""
        self._folder = folder

    def keep(self, evidence: Evidence) -> Path:
        """Keep evidence in a file of its own, whole or not at all; return the file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{evidence.checkpoint.size:020}.{evidence.kind}.json"
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(evidence.document(), indent=1) + "\n", encoding="utf-8")
        beside.replace(path)
        return path

    def all(self) -> list[Evidence]:
        """Return all evidence, oldest first."""
        return [self._read(name) for name in self._names()]

    def newest(self, least: int) -> list[Evidence]:
        """Return the evidence of the newest attested checkpoint, if it has at least a size."""
        names = self._names()
        size = names[-1][:20] if names else "0"
        return [self._read(name) for name in names if name[:20] == size and int(size) >= least]

    def last(self) -> float:
        """Return when evidence was kept last, in seconds since 1970; 0 if there is none."""
        times = [(self._folder / name).stat().st_mtime for name in self._names()[-1:]]
        return max(times, default=0.0)

    def _names(self) -> list[str]:
        if not self._folder.is_dir():
            return []
        return sorted(name for name in os.listdir(self._folder) if FILE.fullmatch(name))

    def _read(self, name: str) -> Evidence:
        try:
            document = json.loads((self._folder / name).read_text(encoding="utf-8"))
        except ValueError:
            raise ProofError(f"{name} must hold evidence") from None
        return Evidence.of(document)
