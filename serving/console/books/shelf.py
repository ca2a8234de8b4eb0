"""Where uploaded books lie, a folder each under a random id, and who may see which."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from serving.access.caller import Caller
from serving.console.books.kept import BOOK, EXPIRED, RUNNING, Kept
from serving.doors import BOOK_ID

ARRIVING = "arriving-"  # how a folder is called before its file has come whole
DAY_SECONDS = 86_400.0
MOST_UNDER_WAY = 8  # books that wait or run, of all
MOST_OF_A_TENANT = 4  # of these
MOST_KEPT = 20  # of one person
SPARE_BYTES = 1 << 30  # that an upload leaves free on the disk: the ledger writes there too
_ID = re.compile(BOOK_ID)


class NoRoomError(Exception):
    """A book that cannot be taken in now."""

    def __init__(self, why: str) -> None:
        """Keep the reason.

        Args:
            why: `queue`, `kept` or `disk`.
        """
        super().__init__(why)
        self.why = why


class Shelf:
    """The books of a server; a thread that prices and threads that answer may ask at once."""

    def __init__(
        self, folder: Path, days: int, now: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        """Make nothing yet.

        Args:
            folder: of the books.
            days: for which a book is kept.
            now: in seconds since 1970.
            new_id: gives an id that nobody can guess.
        """
        self.folder, self.days, self.now, self._new_id = folder, days, now, new_id
        self._lock = threading.RLock()

    def place(self, book: str) -> Path:
        """Return the folder of a book."""
        return self.folder / book

    def arriving(self, caller: Caller, most_bytes: int) -> Path:
        """Return a new folder for a file that comes; `keep` or `drop` ends it.

        Raises:
            NoRoomError: too many wait or lie here, or the disk is full.
        """
        with self._lock:
            self._check_room(caller)
            self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < SPARE_BYTES + most_bytes:
                raise NoRoomError("disk")
            arriving = self.folder / f"{ARRIVING}{self._new_id()}"
            arriving.mkdir(mode=0o700)
            return arriving

    def keep(self, arriving: Path, caller: Caller, **told: Any) -> Kept:
        """Let a book that has come wait for its turn.

        Raises:
            NoRoomError: others came meanwhile.
        """
        with self._lock:
            self._check_room(caller)
            book = arriving.name.removeprefix(ARRIVING)
            kept = Kept(
                id=book, tenant=caller.tenant, client=caller.client, came=self.now(), **told
            )
            (arriving / "upload").rename(arriving / kept.file)
            kept.write(arriving)
            arriving.rename(self.place(book))
            return kept

    def drop(self, arriving: Path) -> None:
        """Forget a file that did not come, or was refused."""
        shutil.rmtree(arriving, ignore_errors=True)

    def find(self, book: str) -> Kept | None:
        """Return a book."""
        try:
            return Kept.read(self.place(book)) if _ID.fullmatch(book) else None
        except (OSError, ValueError):
            return None

    def mine(self, caller: Caller, book: str) -> Kept | None:
        """Return a book of a caller; None also for one of somebody else."""
        kept = self.find(book)
        return kept if kept is not None and _is_of(kept, caller) else None

    def all_of(self, caller: Caller) -> list[Kept]:
        """Return the books of a caller, the newest first."""
        return [kept for kept in reversed(self.all()) if _is_of(kept, caller)]

    def all(self) -> list[Kept]:
        """Return every book, the oldest first."""
        names = [path.name for path in self.folder.glob("*")] if self.folder.is_dir() else []
        return sorted(filter(None, map(self.find, names)), key=lambda kept: (kept.came, kept.id))

    def before(self, kept: Kept) -> int:
        """Return how many books have their turn before one that waits."""
        others = [one for one in self.all() if one.is_under_way]
        turn = (kept.came, kept.id)
        return sum(one.state == RUNNING or (one.came, one.id) < turn for one in others)

    def change(self, book: str, before: Collection[str], **told: Any) -> Kept | None:
        """Change a book that is in one of some states; return it, or None if it is in another."""
        with self._lock:
            kept = self.find(book)
            if kept is None or kept.state not in before:
                return None
            changed = replace(kept, **told)
            changed.write(self.place(book))
            return changed

    def delete(self, book: str) -> None:
        """Let a book go, with all that was made of it."""
        with self._lock:
            shutil.rmtree(self.place(book), ignore_errors=True)

    def expire(self) -> list[Kept]:
        """Erase what has lain for its days; return that. What it was called goes too.

        That there was a book is still told for as long again.
        """
        gone, now = [], self.now()
        for kept in self.all():
            age_days = (now - kept.came) / DAY_SECONDS
            if kept.state == EXPIRED and age_days >= 2 * self.days:
                self.delete(kept.id)
            if kept.state not in (RUNNING, EXPIRED) and age_days >= self.days:
                gone.append(self._erase(kept))
        return gone

    def sweep(self) -> None:
        """Remove folders that nothing tells of: files that came by half when a server ended."""
        for path in [*self.folder.glob("*")] if self.folder.is_dir() else []:
            if self.find(path.name) is None:
                shutil.rmtree(path, ignore_errors=True)

    def _erase(self, kept: Kept) -> Kept:
        with self._lock:
            place = self.place(kept.id)
            erased = replace(kept, state=EXPIRED, name="", ended=self.now(), why="", faults=())
            erased.write(place)
            for path in place.iterdir():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name != BOOK:
                    path.unlink(missing_ok=True)
            return erased

    def _check_room(self, caller: Caller) -> None:
        under_way = [kept for kept in self.all() if kept.is_under_way]
        of_tenant = sum(kept.tenant == caller.tenant for kept in under_way)
        if len(under_way) >= MOST_UNDER_WAY or of_tenant >= MOST_OF_A_TENANT:
            raise NoRoomError("queue")
        if sum(kept.state != EXPIRED for kept in self.all_of(caller)) >= MOST_KEPT:
            raise NoRoomError("kept")


def _is_of(kept: Kept, caller: Caller) -> bool:
    return (kept.tenant, kept.client) == (caller.tenant, caller.client)
