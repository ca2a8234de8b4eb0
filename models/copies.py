"""Verified local copies of models, a folder a digest, and which one served last under an alias."""

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

from models import artifact, statement
from models.keys import Trusted
from models.statement import Statement
from pricing.errors import ModelError

CHAMPION = "champion"
POINTS = ("digest", "name", "version", "signed")
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Pointer:
    """What served here last under an alias; a server starts from it when the registry is down.

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

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    def write(self, into: Path, alias: str = CHAMPION) -> None:
        """Put the pointer in place of the old one, at once."""
        file = f"{alias}.json"
        with _scratch(into) as folder:
            (folder / file).write_text(self.text(), encoding="utf-8")
            (folder / file).replace(into / file)

    @classmethod
    def read(cls, into: Path, alias: str = CHAMPION) -> Pointer | None:
        """Return the pointer, or None if there is none that can be read."""
        try:
            return cls.parse((into / f"{alias}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    @classmethod
    def parse(cls, text: str) -> Pointer:
        """Return the pointer of a JSON text.

        Raises:
            ValueError: it is none.
        """
        try:
            found = json.loads(text)
            pointer = cls(**{key: str(found[key]) for key in POINTS})
        except (KeyError, TypeError) as error:
            raise ValueError(f"a pointer must have {POINTS}, however: {error!r}") from None
        if not DIGEST.fullmatch(pointer.digest):
            raise ValueError(f"a digest must be a SHA-256, however: {pointer.digest[:80]!r}")
        return pointer


def check_follows(told: Statement, into: Path, trusted: Trusted) -> None:
    """Refuse a statement that was made before the one that serves here: somebody repeats it.

    Args:
        told: what lets a candidate serve, verified.
        into: folder of local copies.
        trusted: whose signatures are.
    """
    last = Pointer.read(into, told.alias)
    if last is None:
        return
    try:
        serves = statement.demand(
            last.signed, trusted, model=told.model, alias=told.alias, digest=last.digest
        )
    except ModelError:  # the one here may not serve any more
        return
    if told.at < serves.at and told.turn < serves.turn:
        said = f"a version must be signed after the one that serves here ({serves.when})"
        raise ModelError(f"{said}, however: version {told.version} was signed {told.when}")


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
