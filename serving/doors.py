"""Every address of the server: the gate lets through these, and the documentation lists these."""

from __future__ import annotations

import re
from dataclasses import dataclass

KIB = 1024
SINGLE = 64 * KIB
BATCH = 2048 * KIB
JSON = "application/json"
TEXT = "text/plain"
PUBLIC = "public"

QUOTE_ID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Door:
    """One address and the one method it takes (HEAD goes wherever GET does)."""

    method: str
    path: str  # {quote_id} is the only variable part
    scope: str  # that a caller must have, of serving/access/caller.py; PUBLIC: none
    says: str
    most_bytes: int = 0  # of a body; 0: takes none
    replies: str = JSON
    ours: bool = True  # False: BentoML answers

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods it answers."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


SAME = "The same as POST /v1/quotes, for BentoML's client"
DOORS = (
    Door("POST", "/v1/quotes", "price", "Price and explain one project, and record it", SINGLE),
    Door("POST", "/v1/quotes/batch", "price", "Price and record up to 500 projects", BATCH),
    Door("GET", "/v1/quotes/{quote_id}", "ledger:read", "Return a recorded quote, byte for byte"),
    Door("POST", "/v1/what-if", "explain", "Price and explain, without recording it", SINGLE),
    Door("GET", "/v1/model", "model:read", "Return the card of the model that serves"),
    Door("GET", "/v1/columns", "model:read", "Return the data dictionary: what may be sent"),
    Door("GET", "/openapi.json", "model:read", "Return this interface as OpenAPI 3.1"),
    Door("GET", "/livez", PUBLIC, "Say that the process answers"),
    Door("GET", "/readyz", PUBLIC, "Say whether quotes can be made and recorded"),
    Door("GET", "/metrics", "metrics", "Return counts and latencies for Prometheus", replies=TEXT),
    Door("POST", "/quote", "price", SAME, SINGLE, ours=False),
    Door("GET", "/schema.json", "price", "What BentoML's client reads first", ours=False),
)

_FIXED: dict[str, tuple[Door, ...]] = {
    path: tuple(door for door in DOORS if door.path == path)
    for path in {door.path for door in DOORS if "{" not in door.path}
}
_QUOTE = re.compile(f"/v1/quotes/{QUOTE_ID}")
_QUOTE_DOORS = tuple(door for door in DOORS if door.path == "/v1/quotes/{quote_id}")


def doors_at(path: str) -> tuple[Door, ...]:
    """Return the doors at a path; none if there is nothing.

    >>> [door.method for door in doors_at("/v1/quotes")]
    ['POST']
    >>> doors_at("/v1/quotes/../../etc/passwd")
    ()
    """
    found = _FIXED.get(path)
    if found is None:
        return _QUOTE_DOORS if _QUOTE.fullmatch(path) else ()
    return found
