"""The one key that every server of the tests knows: made by the real store, of dice that show 7."""

from __future__ import annotations

import time
from pathlib import Path

from serving.access.caller import SCOPES
from serving.access.key import Key
from serving.access.store import KeyStore

HOUR = 3600


def sevens(count: int) -> bytes:
    return b"\x07" * count


KEY = Key.made(sevens).text
BEARER = (b"authorization", f"Bearer {KEY}".encode())


def write(var: Path, *, tenant: str = "local") -> None:
    """Let the key into a folder that a server will have as its `var`."""
    store = KeyStore(f"sqlite:///{var / 'access.db'}", var / "keys" / "pepper", time.time, sevens)
    store.create(tenant, "tests", frozenset(SCOPES), int(time.time()) + HOUR)
    store.close()
