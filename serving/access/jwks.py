"""The public keys of an issuer of tokens: a JSON Web Key Set, from a file or an address.

Source: RFC 7517 (JWK), RFC 8037 (Ed25519 as a JWK).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from jwt import PyJWK
from jwt.exceptions import PyJWTError

log = logging.getLogger("seedrate.access")

REFRESH_SECONDS = 60.0  # at most once, however many unknown keys are named
STALE_SECONDS = 600.0  # after which a key that the issuer has withdrawn is forgotten
RETRY_SECONDS = 5.0  # as long as no key has ever been seen
TIMEOUT_SECONDS = 5.0
MOST_BYTES = 256 * 1024
ALGORITHMS = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Jwks:
    """The keys by their id (`kid`), fetched when one is asked for."""

    def __init__(self, source: str, now: Callable[[], float]) -> None:
        """Fetch nothing yet.

        Args:
            source: a path, or an address as `is_source` takes it.
            now: in seconds, by a clock that nobody sets.
        """
        self._source = source
        self._now = now
        self._keys: dict[str, PyJWK] = {}
        self._tried = float("-inf")
        self._turn = asyncio.Lock()

    async def key(self, kid: str) -> PyJWK | None:
        """Return a key of the issuer; None if it has none of this id.

        Raises:
            ConnectionError: no key of the issuer has ever been seen, and none can be had now.
        """
        if self._due(kid):
            async with self._turn:
                if self._due(kid):
                    await self._refresh()
                    self._tried = self._now()
        if not self._keys:
            raise ConnectionError("the issuer's keys cannot be had")
        return self._keys.get(kid)

    def _due(self, kid: str) -> bool:
        age = self._now() - self._tried
        unknown = REFRESH_SECONDS if self._keys else RETRY_SECONDS
        wait = STALE_SECONDS if kid in self._keys else unknown
        return age >= wait

    async def _refresh(self) -> None:
        try:
            keys = dict(_keys(orjson.loads(await self._read())))
        except (OSError, ValueError, httpx.HTTPError, PyJWTError) as error:
            log.warning("the issuer's keys stay as they were: %s", error)
            return
        self._keys = keys

    async def _read(self) -> bytes:
        if "://" not in self._source:
            return await asyncio.to_thread(Path(self._source).read_bytes)
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as client,
            client.stream("GET", self._source) as reply,
        ):
            reply.raise_for_status()
            body = b""
            async for chunk in reply.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise ValueError(f"a key set must have at most {MOST_BYTES} bytes")
        return body


def is_source(text: str) -> bool:
    """Return whether a key set may be read from there: a path, https, or http on this machine.

    >>> [is_source(text) for text in ("keys.json", "https://id.example/jwks", "http://id.example")]
    [True, True, False]
    """
    if "://" not in text:
        return True
    try:
        url = urlsplit(text)
        host = url.hostname
    except ValueError:
        return False
    return bool(host) and (url.scheme == "https" or (url.scheme == "http" and host in LOOPBACK))


def _keys(document: Any) -> Iterator[tuple[str, PyJWK]]:
    """Yield the keys that may sign here; an issuer may have others, for other ends."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError('a key set must be {"keys": [...]}')
    for given in document["keys"]:
        if not isinstance(given, dict) or given.get("use", "sig") != "sig":
            continue
        algorithm = ALGORITHMS.get((str(given.get("kty")), str(given.get("crv"))))
        kid = given.get("kid")
        if algorithm and isinstance(kid, str) and kid and given.get("alg", algorithm) == algorithm:
            yield kid, PyJWK(given, algorithm)
