"""Verified local copies of models, a folder a digest, and which one served last under an alias.

Copies are kept for the quotes that they priced. Once there are too many, `tidy` removes old ones:
never one that a pointer names or that a process holds, which a lock on its folder tells.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from models import artifact, statement
from models.keys import Trusted
from models.statement import Statement
from pricing.errors import ModelError

CHAMPION = "champion"
POINTS = ("digest", "name", "version", "signed")
DIGEST = re.compile(r"[0-9a-f]{64}")
SCRATCH = ".arriving-"
ABANDONED_SECONDS = 86400.0  # of a scratch folder whose process must have died


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


class Hold:
    """One process's claim on one copy: while it stands, no other process removes the copy."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._lock: int | None = None

    def move(self, folder: Path) -> None:
        """Hold this copy, as the one that served last, and no longer the one before."""
        lock = os.open(folder, os.O_RDONLY)
        with suppress(OSError):  # a file system without locks: there `tidy` removes nothing
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with suppress(OSError):  # it cannot be written, so nothing is removed either
            os.utime(folder)
        self.close()
        self._lock = lock

    def close(self) -> None:
        """Hold nothing any more."""
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None


def kept(into: Path) -> list[Path]:
    """Return the folders of all copies, those that arrived or served last first."""
    if not into.is_dir():
        return []
    found = [one for one in into.iterdir() if DIGEST.fullmatch(one.name) and one.is_dir()]
    return sorted(found, key=_changed, reverse=True)


def tidy(into: Path, most: int) -> list[str]:
    """Remove the oldest copies beyond so many, and what dead processes left; return their digests.

    Args:
        into: folder of local copies.
        most: that are kept, those that arrived or served last; others that a pointer of an alias
            names or that a process holds are kept beside them.

    Raises:
        OSError: the folder cannot be written.
    """
    named = {pointer.digest for pointer in _pointers(into)}
    gone = [one.name for one in kept(into)[most:] if one.name not in named and _removed(one)]
    for left in into.glob(f"{SCRATCH}*"):
        if time.time() - _changed(left) > ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    return gone


def _pointers(into: Path) -> Iterator[Pointer]:
    for file in into.glob("*.json"):
        if pointer := Pointer.read(into, file.stem):
            yield pointer


def _removed(folder: Path) -> bool:
    """Remove a copy unless somebody holds it; it goes at once, and is never seen in part."""
    before = _changed(folder)
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _changed(folder) != before:  # somebody has come to serve it
            return False
        with _scratch(folder.parent) as going:
            folder.rename(going / folder.name)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(lock)


def _changed(folder: Path) -> float:
    """Return when a folder changed last, in seconds since 1970; 0 if it is gone."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _verify(folder: Path, digest: str) -> None:
    """Verify files of which nothing is known, not even that their manifest is one."""
    try:
        artifact.verify(folder, digest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{folder} must hold a model, however: {error!r}") from error


@contextmanager
def _scratch(into: Path) -> Iterator[Path]:
    into.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-", dir=into))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
