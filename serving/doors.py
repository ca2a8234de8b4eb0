"""Every address of the server: the gate lets through these, and the documentation lists these."""

from __future__ import annotations

import re
from dataclasses import dataclass

from serving.ledger.tiles import INDEX, LEVEL

KIB = 1024
SINGLE = 64 * KIB
BATCH = 2048 * KIB
JSON = "application/json"
TEXT = "text/plain"
BYTES = "application/octet-stream"
HTML = "text/html"
CSV = "text/csv"
PYTHON = "text/x-python"
PUBLIC = "public"

KEY = r"[A-Za-z0-9._~:+=-]{1,200}"  # of idempotency
QUOTE_ID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
BOOK_ID = "[0-9a-f]{32}"  # of an uploaded one
PARTS = {
    "quote_id": QUOTE_ID,
    "key": f"{KEY}(?:#[0-9]{{1,3}})?",
    "level": LEVEL,
    "index": INDEX,
    "digest": "[0-9a-f]{16}",
    "model": "[0-9a-f]{64}",
    "number": "[1-9][0-9]{0,8}",
    "book": BOOK_ID,
    "asset": "[a-z][a-z0-9-]{0,40}\\.(?:css|js|svg)",
}
_PART = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Door:
    """One address and the one method it takes (HEAD goes wherever GET does)."""

    method: str
    path: str  # its variable parts are named in PARTS
    scope: str  # that a caller must have, of serving/access/caller.py; PUBLIC: none
    says: str
    most_bytes: int = 0  # of a body; 0: takes none
    replies: str = JSON
    ours: bool = True  # False: BentoML answers
    keyed: bool = False  # needs an Idempotency-Key
    up_to: float = 0  # share of the places for prices that may be taken when it is let in; 0: all
    page: bool = False  # the console answers: a query, forms, cookies, and refusals as pages
    file: bool = False  # a page takes a form with a file, of a size that the settings bound
    seconds: float = 0  # that a page's answer may take; 0: what the settings say

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods it answers."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the names of its path's variable parts."""
        return tuple(_PART.findall(self.path))

    def pattern(self) -> str:
        """Return a regular expression for its paths."""
        return _PART.sub(lambda part: f"(?P<{part[1]}>{PARTS[part[1]]})", self.path)

    def values(self, path: str) -> dict[str, str]:
        """Return the variable parts of a path that leads here, by name."""
        found = re.fullmatch(self.pattern(), path) if "{" in self.path else None
        return found.groupdict() if found else {}


ONE, MANY = "Price and explain one project, and record it", "Price and record up to 500 projects"
TILE = "/v1/tile/{level}/{index}"
WHAT_IF = "Price and explain, without recording it"
SAME = "The same as POST /v1/quotes, for BentoML's client"
DOORS = (
    Door("POST", "/v1/quotes", "price", ONE, SINGLE, keyed=True, up_to=1),
    Door("POST", "/v1/quotes/batch", "price", MANY, BATCH, keyed=True, up_to=0.75),
    Door("GET", "/v1/quotes/{quote_id}", "ledger:read", "Return a recorded quote, byte for byte"),
    Door("GET", "/v1/quotes/{quote_id}/receipt", "ledger:read", "Return the proof of a quote"),
    Door("GET", "/v1/keys/{key}", "ledger:read", "Return the quote recorded under a key, if any"),
    Door("GET", "/v1/checkpoint", "ledger:verify", "Return size and root, signed", replies=TEXT),
    Door("GET", TILE, "ledger:verify", "Return hashes of the log's tree", replies=BYTES),
    Door("POST", "/v1/what-if", "explain", WHAT_IF, SINGLE, up_to=0.5),
    Door("GET", "/v1/model", "model:read", "Return the card of the model that serves"),
    Door("GET", "/v1/registry", "metrics", "Say which model serves here, and what was refused"),
    Door("GET", "/v1/columns", "model:read", "Return the data dictionary: what may be sent"),
    Door("GET", "/openapi.json", "model:read", "Return this interface as OpenAPI 3.1"),
    Door("GET", "/livez", PUBLIC, "Say that the process answers"),
    Door("GET", "/readyz", PUBLIC, "Say whether quotes can be made and recorded"),
    Door("GET", "/metrics", "metrics", "Return counts and latencies for Prometheus", replies=TEXT),
    Door("POST", "/quote", "price", SAME, SINGLE, ours=False, up_to=1),
    Door("GET", "/schema.json", "price", "What BentoML's client reads first", ours=False),
)

CONSOLE = "/console"
FORM = 16 * KIB
LARGE_FORM = 64 * KIB  # a whole request, and the one it started from


def _page(
    method: str, path: str, scope: str, says: str, replies: str = HTML, *, form: int = FORM
) -> Door:
    most = form if method == "POST" else 0
    return Door(method, CONSOLE + path, scope, says, most, replies, page=True)


READ, EXPLAIN, PROMOTES, PRICE = "console:read", "explain", "promote", "price"
FILE_SECONDS = 600  # in which a file must come, or be fetched
BOOK = "/portfolio/books/{book}"


def _file(method: str, path: str, scope: str, says: str, replies: str = HTML) -> Door:
    """Return a door through which a file comes or goes."""
    takes, path = method == "POST", CONSOLE + path
    return Door(method, path, scope, says, 0, replies, page=True, file=takes, seconds=FILE_SECONDS)


PAGES = (  # what people see: docs/console.md
    _page("GET", "", PUBLIC, "Lead to the first page"),
    _page("GET", "/static/{digest}/{asset}", PUBLIC, "Return a style sheet or a picture"),
    _page("GET", "/sign-in", PUBLIC, "Ask for a key"),
    _page("POST", "/sign-in", PUBLIC, "Begin a session"),
    _page("POST", "/sign-out", PUBLIC, "End the session"),
    _page("GET", "/quotes", READ, "Show recorded quotes, searched and filtered"),
    _page("GET", "/quotes.csv", READ, "Return the quotes found, for spreadsheets", CSV),
    _page("GET", "/quotes/{quote_id}", READ, "Show a quote, and why it is what it is"),
    _page("GET", "/quotes/{quote_id}/receipt.json", READ, "Return its proof as a file", JSON),
    _page("GET", "/quotes/{quote_id}/reply.json", READ, "Return its recorded bytes", JSON),
    _page("GET", "/what-if", EXPLAIN, "Offer a request to be changed"),
    _page("POST", "/what-if", EXPLAIN, "Price a change, and record nothing", form=LARGE_FORM),
    _page("GET", "/compare", READ, "Show what tells two prices apart"),
    _page("GET", "/portfolio", READ, "Show the quoted book by grade, instrument and month"),
    _page("GET", "/portfolio/books", READ, "Show the books that one has uploaded"),
    _file("POST", "/portfolio/books", PRICE, "Take a book to be priced, and record nothing"),
    _page("GET", BOOK, READ, "Show how far an uploaded book is, and what it comes to"),
    _page("POST", BOOK, PRICE, "Cancel, go on with, or delete an uploaded book"),
    _file("GET", f"{BOOK}/scored.parquet", READ, "Return its prices with their reasons", BYTES),
    _file("GET", f"{BOOK}/scored.csv", READ, "Return them for spreadsheets", CSV),
    _page("GET", "/columns", READ, "Show the data dictionary"),
    _page("GET", "/ledger", READ, "Show the log, and whether it is the one seen last"),
    _page("POST", "/ledger/verify", READ, "Hash the end of the log again"),
    _page("GET", "/ledger/checkpoint", READ, "Return the newest checkpoint as a file", TEXT),
    _page("GET", "/models", READ, "Show the models, and what served when"),
    _page("GET", "/models/{model}", READ, "Show a model, and what moves its prices"),
    _page("GET", "/models/{model}/validation.json", READ, "Return its pack's figures", JSON),
    _page("GET", "/promotions", PROMOTES, "Show what was proposed, and offer a form"),
    _page("POST", "/promotions", PROMOTES, "Propose a promotion or a rollback"),
    _page("GET", "/promotions/{number}", PROMOTES, "Show what became of a proposal"),
    _page("POST", "/promotions/{number}", PROMOTES, "Agree or decline, as another person"),
    _page("GET", "/verify_receipt.py", READ, "Return the verifier of receipts", PYTHON),
)

_ALL = (*DOORS, *PAGES)
_FIXED: dict[str, tuple[Door, ...]] = {
    path: tuple(door for door in _ALL if door.path == path)
    for path in {door.path for door in _ALL if "{" not in door.path}
}
_OTHERS = [(re.compile(door.pattern()), door) for door in _ALL if door.parts]


def doors_at(path: str) -> tuple[Door, ...]:
    """Return the doors at a path; none if there is nothing.

    >>> [door.method for door in doors_at("/v1/quotes")]
    ['POST']
    >>> doors_at("/v1/quotes/../../etc/passwd")
    ()
    """
    found = _FIXED.get(path)
    if found is None:
        return tuple(door for pattern, door in _OTHERS if pattern.fullmatch(path))
    return found
