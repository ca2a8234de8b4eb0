"""The newest checkpoint that this server has signed, in a file beside the database.

A database that is put back to an older copy proves itself by its own rows. Only somebody who holds
a later checkpoint notices: here it is the server itself, before it records anything more.
"""

from __future__ import annotations

import os
from pathlib import Path

from serving.ledger import tree
from serving.ledger.note import Checkpoint
from serving.ledger.tree import ProofError, Subtrees


class Held:
    """The file of the newest checkpoint; absent where none was signed yet."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        self.path = path

    def read(self) -> Checkpoint | None:
        """Return the checkpoint, or None.

        Raises:
            ProofError: the file holds none.
        """
        note = self.note()
        return None if note is None else Checkpoint.parse(note)

    def note(self) -> str | None:
        """Return what is in the file, or None."""
        try:
            return self.path.read_bytes().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return None

    def write(self, note: str) -> None:
        """Put a newer checkpoint in place of the last, at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with beside.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())  # an empty file after a power cut would stop the next start
        beside.replace(self.path)

    def check(self, subtrees: Subtrees, size: int) -> int:
        """Check that a log of `size` continues what is held; return the size that is held.

        Raises:
            ProofError: it is shorter, or another one.
        """
        held = self.read()
        if held is None:
            return 0
        if held.size > size:
            raise ProofError(
                f"the log must have at least {held.size} entries, as {self.path.name} says, "
                f"however: {size}"
            )
        if tree.root(subtrees, held.size) != held.root:
            raise ProofError(f"the log must begin as {self.path.name} says, and does not")
        return held.size
