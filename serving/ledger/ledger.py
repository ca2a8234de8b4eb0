"""Quotes are kept before they are given: what `record` has returned from survives a crash.

One thread writes. It takes all that waits, commits it as one transaction (the database's own sync
forms the batches; there is no timer), and only then lets the waiting requests go on. Behind the
commits it keeps full tiles and, at most once a second, signs a checkpoint of what is durable.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from serving.ledger import tree
from serving.ledger.entry import KEY, Entry, Kept, of_ledger
from serving.ledger.held import Held
from serving.ledger.keyring import check_signer
from serving.ledger.note import Signer
from serving.ledger.store import (
    TROUBLES,
    Store,
    TakenError,
    check_not_smaller,
    fill_tiles,
    full_tiles,
)
from serving.ledger.tiles import Tiles
from serving.ledger.tree import Edge, ProofError
from serving.ledger.waiting import ANSWER_SECONDS, Waiting, Wanted, bounded, finish, not_recorded
from serving.problem import KEY_IN_USE, OVERLOADED, RefusedError

log = logging.getLogger("seedrate.ledger")

MOST_ROWS = 512  # of a batch
RETRY_SECONDS = 1.0
CHECKPOINT_SECONDS = 1.0
COMMIT_SECONDS = 2.0  # of a batch; one that takes longer is taken for a store that is away
LOOK_SECONDS = 1.0  # between two looks at a store over a network of which nothing is asked
CLOSE_SECONDS = 20.0  # for what waits to be recorded, at the end
Answer = TypeVar("Answer")


class Ledger:
    """The ledger of one server process."""

    def __init__(
        self,
        store: Store,
        signer: Callable[[], Signer],
        held: Held,
        *,
        most_waiting: int,
        now: Callable[[], datetime],
        new_id: Callable[[datetime], str],
    ) -> None:
        """Start the writer, which opens the store; until it is open nothing can be recorded.

        Args:
            store: the database.
            signer: returns the key that signs checkpoints; called when the store is open.
            held: the newest checkpoint, outside the database.
            most_waiting: quotes that may wait; above it `record` refuses.
            now: the time, aware.
            new_id: returns a fresh id.
        """
        self.store = store
        self.tiles = Tiles(store.reader)
        self._signer_of = signer
        self._held = held
        self._most_waiting = most_waiting
        self.now, self.new_id = now, new_id
        self._waiting: deque[Waiting] = deque()
        self._flying: set[tuple[str, str]] = set()
        self._unsure: Counter[tuple[str, str]] = Counter()  # keys of what waits to be recorded
        self._work = threading.Event()
        self._fresh: dict[asyncio.AbstractEventLoop, list[asyncio.Future[Kept | None]]] = {}
        self._closing = self._is_open = False
        self._signer: Signer | None = None
        self._edge, self._signed, self._signed_at = Edge(), 0, 0.0  # the newest checkpoint, when
        self._wanted: list[Wanted] = []
        self._trouble = "it is being opened"
        self._asking_since, self._silent = math.inf, False
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Return why nothing can be recorded, or an empty string."""
        slow = time.monotonic() > self._asking_since + COMMIT_SECONDS
        seconds = ANSWER_SECONDS if self._silent else COMMIT_SECONDS
        return self._trouble or (self._no_answer(seconds) if self._silent or slow else "")

    @property
    def waiting(self) -> int:
        """Return the number of quotes that wait to be recorded."""
        return len(self._waiting)

    @property
    def size(self) -> int:
        """Return the number of entries, as far as this process has seen."""
        return self._edge.size

    def wait_open(self, seconds: float) -> bool:
        """Wait until the store is open; return whether it is."""
        return self._opened.wait(seconds)

    @contextmanager
    def flight(self, tenant: str, key: str) -> Iterator[None]:
        """Hold a key while its request is answered.

        Raises:
            RefusedError: another holds it, or ran out of time and is yet to be recorded.
        """
        held = (tenant, key)
        if held in self._flying or self._unsure[held] > 0:
            raise RefusedError(
                KEY_IN_USE,
                "a request under this Idempotency-Key must be answered first",
                headers={"Retry-After": "1"},
            )
        self._flying.add(held)
        try:
            yield
        finally:
            self._flying.discard(held)

    async def record(self, entry: Entry) -> Kept | None:
        """Return once the entry is durable: None, or what is recorded under its key already.

        Raises:
            RefusedError: `overloaded` if too many wait, `not_recorded` if the store takes nothing.
        """
        if trouble := self.trouble:
            raise not_recorded(trouble)
        if len(self._waiting) >= self._most_waiting:
            raise RefusedError(
                OVERLOADED,
                f"at most {self._most_waiting} quotes must wait, however: more",
                headers={"Retry-After": "1"},
            )
        loop = asyncio.get_running_loop()
        recorded: asyncio.Future[Kept | None] = loop.create_future()
        self._unsure[entry.request_of_tenant] += 1
        self._waiting.append(Waiting(entry, recorded, loop))
        if loop not in self._fresh:
            self._fresh[loop] = []
            loop.call_soon(self._call, loop)
        self._fresh[loop].append(recorded)
        return await recorded

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call the writer once all that is ready now has been priced, and not in between."""
        bounded(self._fresh.pop(loop), loop, lambda: self.trouble)
        self._work.set()

    async def find_keys(self, tenant: str, keys: Sequence[str]) -> dict[str, Kept]:
        """Return what is recorded under keys of a tenant, by key."""
        return await self.ask(lambda: self.store.find_keys(tenant, keys))

    async def find(self, tenant: str, quote_id: str) -> Kept | None:
        """Return what is recorded under an id."""
        return await self.ask(lambda: self.store.find(tenant, quote_id))

    async def checkpoint(self, least: int = 0) -> str:
        """Return the newest checkpoint, of at least a size; it is signed if there is none yet."""
        if not self._trouble and self._signed < max(least, self._edge.size):
            loop = asyncio.get_running_loop()
            signed: asyncio.Future[None] = loop.create_future()
            bounded([signed], loop, lambda: self.trouble)
            self._wanted.append((signed, loop))
            self._work.set()
            await signed
        note = await self.ask(self.store.reader.checkpoint)
        if note is None:
            raise not_recorded("no checkpoint was signed yet")
        return note

    async def ask(self, question: Callable[[], Answer]) -> Answer:
        """Return the answer to a question; it must not keep the others waiting.

        Raises:
            RefusedError: `not_recorded` if the store cannot be read.
        """
        try:
            return await self._ask_far(question) if self.store.remote else question()
        except TROUBLES as error:
            raise not_recorded(str(error) or self._no_answer(ANSWER_SECONDS)) from error

    async def _ask_far(self, question: Callable[[], Answer]) -> Answer:
        """Ask over a network, where the other side may be silent for ever."""
        if self._silent:
            raise TimeoutError
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await asyncio.to_thread(question)
        except TimeoutError:
            self._silent = True
            self._work.set()  # the writer looks when it answers again
            raise
        return answer

    def _no_answer(self, seconds: float) -> str:
        return f"{self.store.name} must answer within {seconds:g} s, however: it is silent"

    def close(self) -> None:
        """Record what waits, then let the store go; one that is silent is left."""
        self._closing = True
        self._work.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while not (self._closing and not self._waiting):
            if not self._is_open and not self._open():
                self._refuse_all(self._trouble)
                self._work.wait(RETRY_SECONDS)
                self._work.clear()
                continue
            called = self._work.wait(self._idle_seconds())
            self._work.clear()
            while self._waiting and self._is_open:
                self._write(self._take())
            if self.store.remote and (self._silent or not called):
                self._check(self._look)
            self._check(self._settle)
        self._let_go("it is closed")

    def _idle_seconds(self) -> float | None:
        if self.store.remote:
            return LOOK_SECONDS
        return CHECKPOINT_SECONDS if self._signed < self._edge.size else None

    def _open(self) -> bool:
        try:
            self.store.open()
            self._begin()
        except Exception as error:
            before = self._trouble
            self._let_go(f"{self.store.name} must be ours to write, however: {error}")
            if self._trouble != before:  # and not once a second
                log.error("%s", self._trouble)
            return False
        self._trouble, self._silent, self._is_open = "", False, True
        self._opened.set()
        return True

    def _begin(self) -> None:
        """Check that the log is whole and ours, as far as a glance can tell."""
        head = self.store.reader.head()
        if tree.edge(self.tiles, head.size) != head:
            raise ProofError("the head must be that of the leaves, and is not")
        self._signed = self._held.check(self.tiles, head.size)
        self._signer = self._signer_of()
        stored = set(self.store.reader.tiles())
        missing = (place for place in full_tiles(0, head.size) if place not in stored)
        fill_tiles(self.store, self.tiles, missing)
        self._edge = head
        if check_signer(self._signer.verifier, self.store.reader.others(KEY)) is None:
            now = self.now()
            says = {"verifier": self._signer.verifier.line}
            self._append([of_ledger(KEY, self.new_id(now), now, says)])

    def _take(self) -> list[Waiting]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_ROWS))]

    def _write(self, batch: list[Waiting]) -> None:
        self._asking_since = time.monotonic()
        try:
            taken = self._append([one.entry for one in batch])
        except Exception as error:
            log.exception("a batch of %d quotes was not recorded", len(batch))
            self._let_go(str(error))
            self._tell(batch, [None] * len(batch), error)
        else:
            self._tell(batch, [_taken(one.entry, taken) for one in batch], None)
        finally:
            self._asking_since = math.inf

    def _append(self, entries: Sequence[Entry]) -> dict[tuple[str, str], Kept]:
        """Commit a batch; return what was recorded before under keys of it."""
        before = self._edge.size
        try:
            self._edge = self.store.insert(entries, max(self._signed, before))
            return {}
        except TakenError:
            return self._append_fresh(entries)

    def _append_fresh(self, entries: Sequence[Entry]) -> dict[tuple[str, str], Kept]:
        """Commit those of a batch whose keys are not taken; return what is under the others."""
        taken: dict[tuple[str, str], Kept] = {}
        for tenant in {entry.tenant for entry in entries}:
            keys = [entry.key for entry in entries if entry.tenant == tenant]
            found = self.store.find_keys(tenant, keys)
            taken |= {(tenant, key): one for key, one in found.items()}
        fresh: dict[tuple[str, str], Entry] = {}
        for one in entries:
            if one.key_of_tenant not in taken:
                fresh.setdefault(one.key_of_tenant, one)
        if len(fresh) == len(entries):
            raise ProofError("an id must be new, however: one of the batch is recorded already")
        if fresh:
            taken |= self._append([*fresh.values()])
        again = [one for one in entries if fresh.get(one.key_of_tenant, one) is not one]
        for one in again:
            taken |= {(one.tenant, one.key): self.store.find_keys(one.tenant, [one.key])[one.key]}
        return taken

    def _check(self, act: Callable[[], None]) -> None:
        """Do what nobody waits for; if it fails, the store is opened anew."""
        if not self._is_open:
            return
        self._asking_since = time.monotonic()
        try:
            act()
        except Exception as error:
            log.exception("the ledger is in trouble")
            self._let_go(str(error))
        finally:
            self._asking_since = math.inf

    def _look(self) -> None:
        """Ask the store whether it is there, and has not lost anything."""
        check_not_smaller(self.store.size(), self._signed)
        self._silent = False

    def _settle(self) -> None:
        """Keep full tiles, and sign what is durable, if it is time."""
        wanted, self._wanted = self._wanted, []
        due = bool(wanted) or self._closing
        try:
            if due and self.store.remote:  # others record too
                self._edge = self.store.reader.head()
                check_not_smaller(self._edge.size, self._signed)
            if due or time.monotonic() >= self._signed_at + CHECKPOINT_SECONDS:
                self._sign()
        except Exception as error:
            finish(wanted, error)
            raise
        finish(wanted, None)

    def _sign(self) -> None:
        size, signer = self._edge.size, self._signer
        if signer is None or size == self._signed:
            return
        fill_tiles(self.store, self.tiles, full_tiles(self._signed, size))
        note = signer.sign(size, self._edge.root())
        self.store.keep_checkpoint(size, note)
        self._held.write(note)
        self._signed, self._signed_at = size, time.monotonic()

    def _tell(
        self, batch: list[Waiting], outcomes: Sequence[Kept | None], error: Exception | None
    ) -> None:
        """Wake the requests of a batch, all of one event loop at once."""
        for loop in {one.loop for one in batch}:
            mine = [
                (one, kept) for one, kept in zip(batch, outcomes, strict=True) if one.loop is loop
            ]
            try:
                loop.call_soon_threadsafe(self._wake, mine, error)
            except RuntimeError:  # the loop is gone, and with it those who waited
                log.warning("%d quotes were decided, and nobody waits any more", len(mine))
                self._unsure.subtract(one.entry.request_of_tenant for one, _ in mine)

    def _wake(self, waiters: list[tuple[Waiting, Kept | None]], error: Exception | None) -> None:
        for waiter, kept in waiters:
            key = waiter.entry.request_of_tenant
            self._unsure[key] -= 1
            if not self._unsure[key]:
                del self._unsure[key]
            if not waiter.recorded.done() and error is None:
                waiter.recorded.set_result(kept)
            elif not waiter.recorded.done():
                waiter.recorded.set_exception(not_recorded(str(error)))

    def _refuse_all(self, why: str) -> None:
        error = ProofError(why)
        while self._waiting:
            batch = self._take()
            self._tell(batch, [None] * len(batch), error)
        wanted, self._wanted = self._wanted, []
        finish(wanted, error)

    def _let_go(self, why: str) -> None:
        self.store.close()
        self._is_open = False
        self._trouble = why


def _taken(entry: Entry, taken: Mapping[tuple[str, str], Kept]) -> Kept | None:
    """Return what the key of an entry holds, if that is not the entry itself."""
    kept = taken.get(entry.key_of_tenant)
    return None if kept is None or kept.quote_id == entry.quote_id else kept
