"""Prices one uploaded book at a time, in a process beside the server that yields to it.

The process is killed when the book is cancelled or the server ends, and its work goes on from the
last part that was done. A server that ends in order lets the book wait for the next; a book that
was running when a server was killed is shown as interrupted, since it may have been the cause.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

import orjson

from serving import child
from serving.access.audit import Audit, Event
from serving.console.books.kept import (
    CANCELLED,
    DONE,
    FAILED,
    GOES_ON,
    INTERRUPTED,
    RUNNING,
    UNDER_WAY,
    WAITING,
    Kept,
)
from serving.console.books.shelf import Shelf

log = logging.getLogger("seedrate.books")

UNFIT = 2  # what the process exits with when it is the book that is at fault
LONGEST_SECONDS = 12 * 3600.0
LOOK_SECONDS = 600.0  # between two looks for what has expired
MOST_SAID = 4000  # letters, in the log


class Runner:
    """A thread that takes the books in the order in which they came."""

    def __init__(self, shelf: Shelf, audit: Audit, environ: Mapping[str, str]) -> None:
        """Do nothing yet.

        Args:
            shelf: of the books.
            audit: in which it is noted what was erased.
            environ: that the processes find.
        """
        self.shelf, self._audit, self._environ = shelf, audit, environ
        self._wake, self._closing = threading.Event(), threading.Event()
        self._running, self._stop = "", threading.Event()
        self._thread = threading.Thread(target=self._go, name="books", daemon=True)

    def start(self) -> None:
        """Find out how a server before left the books, and begin."""
        if self._thread.ident is None:
            self.shelf.sweep()
            for kept in self.shelf.all():
                self.shelf.change(kept.id, (RUNNING,), state=INTERRUPTED, why="server")
            self._thread.start()

    def wake(self) -> None:
        """Look whether a book waits."""
        self._wake.set()

    def cancel(self, book: str) -> bool:
        """Price a book no further; return whether it waited or ran."""
        ended = self.shelf.now()
        changed = self.shelf.change(book, UNDER_WAY, state=CANCELLED, ended=ended)
        if self._running == book:
            self._stop.set()
        return changed is not None

    def go_on(self, book: str) -> bool:
        """Let a book that was interrupted or cancelled wait again; return whether it was."""
        changed = self.shelf.change(book, GOES_ON, state=WAITING, why="", ended=None)
        self.wake()
        return changed is not None

    def delete(self, book: str) -> None:
        """Let a book go, and stop pricing it."""
        self.cancel(book)
        self.shelf.delete(book)

    def close(self) -> None:
        """Stop; what runs waits for the next server."""
        self._closing.set()
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(5)

    def _go(self) -> None:
        looked = float("-inf")
        while not self._closing.is_set():
            try:
                if monotonic() - looked >= LOOK_SECONDS:
                    looked = monotonic()
                    self.expire()
                if not self._one():
                    self._wake.wait(LOOK_SECONDS)
                    self._wake.clear()
            except Exception:
                log.exception("a book was not priced")
                self._closing.wait(1)

    def expire(self) -> None:
        """Erase what has lain for its days, and note it."""
        for kept in self.shelf.expire():
            self._audit.note(Event("book_erased", kept.tenant, kept.client, why=kept.id))

    def _one(self) -> bool:
        """Price the first book that waits; return whether there was one."""
        waiting = [kept for kept in self.shelf.all() if kept.state == WAITING]
        if not waiting:
            return False
        self._stop.clear()
        if self._closing.is_set():
            return False
        book = waiting[0].id
        self._running = book
        try:
            if self.shelf.change(book, (WAITING,), state=RUNNING) is not None:
                self.shelf.change(book, (RUNNING,), **self._priced(book))
        finally:
            self._running = ""
            if self.shelf.find(book) is None:  # it was deleted, and the process wrote on
                self.shelf.delete(book)
        return True

    def _priced(self, book: str) -> dict[str, object]:
        """Run the process of a book; return what is to be told of it."""
        arguments = ["serving.console.books.job", str(self.shelf.place(book)), str(os.getpid())]
        environ = {**os.environ, **self._environ}
        try:
            done = child.run(arguments, environ=environ, seconds=LONGEST_SECONDS, ending=self._stop)
        except TimeoutError:
            if self._closing.is_set():
                return {"state": WAITING}
            return {"state": INTERRUPTED, "why": "time", "ended": self.shelf.now()}
        return {**_told(done, book), "ended": self.shelf.now()}


def _told(done: subprocess.CompletedProcess[str], book: str) -> dict[str, object]:
    if done.returncode == 0:
        return {"state": DONE}
    if done.returncode == UNFIT:
        with suppress(ValueError):
            return {"state": FAILED, "faults": orjson.loads(done.stdout)}
    said = done.stderr.strip()[-MOST_SAID:]
    log.error("the process of book %s ended with %d: %s", book, done.returncode, said)
    if done.returncode < 0:
        return {"state": INTERRUPTED, "why": signal.Signals(-done.returncode).name}
    return {"state": INTERRUPTED, "why": "error"}


def facts(kept: Kept) -> str:
    """Return what the audit says of a book: no word of its owner's."""
    return f"{kept.id}, {kept.kind}, {kept.size_bytes} bytes, sha256 {kept.digest}"
