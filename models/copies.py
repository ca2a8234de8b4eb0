"""Verified local copies of models, a folder a digest, and which one is the last good champion."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from models import artifact
from pricing.errors import ModelError

POINTER = "champion.json"
POINTS = ("digest", "name", "version", "signed")
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Pointer:
    """The last champion verified here; a server starts from it when the registry is down.

    Attributes:
        digest: of its manifest, and the name of its folder.
        name: of the registered model.
        version: its number.
        signed: the statement that lets it serve, as `models.statement.sign` returns it.
    """

    digest: str
    name: str
    version: str
    signed: str

    def write(self, into: Path) -> None:
        """Put the pointer in place of the old one, at once."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"
        with _scratch(into) as folder:
            (folder / POINTER).write_text(text, encoding="utf-8")
            (folder / POINTER).replace(into / POINTER)

    @classmethod
    def read(cls, into: Path) -> Pointer | None:
        """Return the pointer, or None if there is none that can be read."""
        try:
            found = json.loads((into / POINTER).read_text(encoding="utf-8"))
            pointer = cls(**{key: str(found[key]) for key in POINTS})
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return pointer if DIGEST.fullmatch(pointer.digest) else None


def find(into: Path, digest: str) -> Path | None:
    """Return the folder of a model, verified again, or None if it is absent or altered.

    Raises:
        ModelError: `digest` is no SHA-256; it must not name a folder elsewhere.
    """
    if not DIGEST.fullmatch(digest):
        raise ModelError(f"a digest must be 64 hexadecimal digits, however: {digest[:80]!r}")
    folder = into / digest
    if not folder.is_dir():
        return None
    try:
        _verify(folder, digest)
    except ModelError:
        return None
    return folder


@contextmanager
def arriving(into: Path) -> Iterator[Path]:
    """Yield an empty folder beside the copies, for files not yet verified; gone afterwards."""
    with _scratch(into) as folder:
        yield folder


def place(arrived: Path, into: Path, digest: str) -> Path:
    """Verify the files that arrived and move them to `into`/digest, at once.

    Raises:
        ModelError: they are not the model of that digest; nothing was moved.
    """
    _verify(arrived, digest)
    folder = into / digest
    if folder.is_dir() and find(into, digest) is None:
        shutil.rmtree(folder)
    try:
        arrived.rename(folder)
    except OSError as error:  # another process was first
        if find(into, digest) is None:
            raise ModelError(f"{folder} must be writable, however: {error}") from error
    return folder


def _verify(folder: Path, digest: str) -> None:
    """Verify files of which nothing is known, not even that their manifest is one."""
    try:
        artifact.verify(folder, digest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{folder} must hold a model, however: {error!r}") from error


@contextmanager
def _scratch(into: Path) -> Iterator[Path]:
    into.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".arriving-{os.getpid()}-", dir=into))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
