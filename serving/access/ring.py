"""API keys on the hot path: a key that the store has vouched for is believed for five seconds.

What was vouched for is kept by the SHA-256 digest of the key, never by the key. In a SQLite file
every change makes all of it void at once, so a revocation holds from the next request on, whoever
made it; beside a database server it holds after CACHE_SECONDS.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from pricing.errors import InputError
from serving.access.caller import Caller
from serving.access.store import KeyRecord, KeyStore
from serving.problem import ACCESS_UNAVAILABLE, RefusedError

log = logging.getLogger("seedrate.access")

CACHE_SECONDS = 5.0
ANSWER_SECONDS = 0.8  # a store that is silent for longer is away: callers are told within 1 s
MOST_KNOWN = 10_000


class _Known(NamedTuple):
    caller: Caller
    since: float
    revision: int


class KeyRing:
    """Says who shows a key."""

    def __init__(self, store: KeyStore, now: Callable[[], float]) -> None:
        """Know nobody.

        Args:
            store: of the keys; asked in a thread, so that no request waits for another's look-up.
            now: in seconds, by a clock that nobody sets.
        """
        self._store = store
        self._now = now
        self._known: dict[bytes, _Known] = {}
        self._thread = ThreadPoolExecutor(1, "keys")

    async def caller(self, text: bytes) -> Caller:
        """Return whose key a text is.

        Raises:
            CredentialError: nobody's.
            RefusedError: the store cannot be asked.
        """
        digest, revision = hashlib.sha256(text).digest(), self._store.revision()
        known = self._known.get(digest)
        if known is not None and known.revision == revision:
            if self._now() - known.since < CACHE_SECONDS:
                return known.caller
        since = self._now()
        record = await self._asked(text.decode("latin-1"))
        caller = Caller(record.tenant, record.client, record.scopes)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[digest] = _Known(caller, since, revision)
        self._thread.submit(self._touch, record)
        return caller

    def close(self) -> None:
        """Write what is under way, and let the store go."""
        self._thread.shutdown()
        self._store.close()

    async def _asked(self, text: str) -> KeyRecord:
        try:
            async with asyncio.timeout(ANSWER_SECONDS if self._store.remote else None):
                return await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._store.check, text
                )
        except (SQLAlchemyError, OSError, InputError) as error:
            log.error("keys cannot be checked: %s", str(error) or "their store is silent")
            detail = "keys cannot be checked; the server's log says why"
            raise RefusedError(ACCESS_UNAVAILABLE, detail, headers={"Retry-After": "5"}) from None

    def _touch(self, record: KeyRecord) -> None:
        try:
            self._store.touch(record)
        except (SQLAlchemyError, OSError) as error:
            log.warning("the last use of key %s was not noted: %s", record.id, error)
