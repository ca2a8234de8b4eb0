"""Small real things that satisfy the server's protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.column import Column, ColumnSet, Direction, Kind, Outcome
from models import keys
from models.audit import Audit
from models.keys import SigningKey
from models.pricer import Request
from models.reasons import Language
from pricing.deal import Deal
from pricing.errors import InputError, ModelError, PolicyError
from pricing.schedule import Terms
from pricing.support.supported import Support
from serving.access.caller import LOCAL, Caller
from serving.contract import Contract
from serving.desk import Desk, Ledger
from serving.doors import Door
from serving.ledger import tree
from serving.ledger.entry import Entry, Kept
from serving.ledger.note import Signer
from serving.ledger.tiles import Tiles
from serving.quote_id import uuid7
from tests.serving.ledger.memory import Memory

Answer = TypeVar("Answer")

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

_WORDS = {"unit": "x", "group": "g", "source": "s", "label": "L", "label_zh": "标"}
_MEANING = {"meaning": "What it means.", "meaning_zh": "含义。"}


def column(name: str, kind: Kind, **more: Any) -> Column:
    return Column(name=name, kind=kind, **{**_WORDS, **_MEANING, **more})


COLUMN_SET = ColumnSet(
    name="tiny",
    version="1",
    title="A tiny set",
    currency="CNY",
    columns=(
        column("cash", Kind.MONEY, low=0.0, direction=Direction.LOWERS, reason="Cash pays."),
        column("share", Kind.RATIO, low=0.0, high=1.0),
        column("staff", Kind.COUNT, low=0.0, high=1000.0),
        column("growth", Kind.NUMBER, optional=False),
        column("pledged", Kind.FLAG),
        column("sector", Kind.CATEGORY, levels=("biotech", "software")),
        column("city", Kind.CATEGORY),
        column("loan", Kind.MONEY, low=1000.0, high=1e9, terms="amount", optional=False),
    ),
    groups={"g": ("Group", "组")},
    sources={"s": ("Source", "来源")},
    age_edges_months=(0, 12, 36, 60),
    outcome=Outcome(origination="o", event="e", event_date="d", followed_until="f"),
)

REQUEST: dict[str, Any] = {
    "reference": "R-1",
    "project": {"growth": 0.1, "cash": 5e6, "staff": 12, "pledged": True, "sector": "biotech"},
    "instrument": {
        "kind": "term_loan",
        "amount": 1_000_000,
        "term_months": 36,
        "repayment": "linear",
    },
}


def request(**changes: Any) -> dict[str, Any]:
    """Return the request with dotted fields changed; ... removes one."""
    body: dict[str, Any] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in REQUEST.items()
    }
    for path, value in changes.items():
        *parents, name = path.split("__")
        at = body
        for parent in parents:
            at = at[parent]
        if value is ...:
            del at[name]
        else:
            at[name] = value
    return body


@dataclass(frozen=True)
class PlainQuote:
    """Ten basis points for every month of the term, and nothing to explain."""

    terms: Terms
    method: str = "path"
    audit: Audit | None = None

    def document(self, language: Language) -> dict[str, Any]:
        return {"spread_bps": f"{10 * self.terms.term_months:.2f}", "language": language}


@dataclass(frozen=True)
class PlainPricer:
    """Refuses what the sectors in its hands tell it to refuse."""

    def quote_checked(
        self,
        project: Mapping[str, object],
        deal: Deal,
        support: Support | None,
        overrides: Mapping[str, float],
        *,
        caller: str,
        audit: bool,
    ) -> PlainQuote:
        terms = deal.terms
        match project.get("city"):
            case "Nowhere":
                raise PolicyError("no loans to Nowhere")
            case "Unfit":
                raise ModelError("margins must give a finite spread_bps, however: nan")
            case "Crash":
                raise ZeroDivisionError("a secret of the inside")
        if terms.term_months > 60:
            raise InputError.of("terms.term_months", "at most 60", terms.term_months)
        return PlainQuote(terms)

    def quotes(self, asked: Sequence[Request]) -> list[PlainQuote | Exception]:
        return [self._tried(one) for one in asked]

    def _tried(self, asked: Request) -> PlainQuote | Exception:
        given = (asked.project, asked.deal, asked.support, asked.overrides)
        try:
            return self.quote_checked(*given, caller=asked.caller, audit=asked.audit)
        except Exception as error:
            return error


@dataclass
class ListLedger:
    """Keeps entries in a list, signs with a key of its own, and holds no key."""

    entries: list[Entry] = field(default_factory=list)
    trouble: str = ""

    @property
    def tiles(self) -> Tiles:
        return Tiles(Memory([entry.leaf for entry in self.entries]))

    @property
    def kept(self) -> dict[str, bytes]:
        """Every reply, by id."""
        return {one.quote_id: one.private.reply for one in self.entries if one.private}

    @contextmanager
    def flight(self, tenant: str, key: str) -> Iterator[None]:
        yield

    async def record(self, entry: Entry) -> Kept | None:
        self.entries.append(entry)
        return None

    async def find(self, tenant: str, quote_id: str) -> Kept | None:
        found = [one for one in self._all(tenant).values() if one.quote_id == quote_id]
        return found[0] if found else None

    async def find_keys(self, tenant: str, keys: Sequence[str]) -> dict[str, Kept]:
        return {key: one for key, one in self._all(tenant).items() if key in keys}

    async def checkpoint(self, least: int = 0) -> str:
        size = len(self.entries)
        return SIGNER.sign(size, tree.root(self.tiles, size))

    async def ask(self, question: Callable[[], Answer]) -> Answer:
        return question()

    def _all(self, tenant: str) -> dict[str, Kept]:
        return {
            one.key: Kept(seq, one.quote_id, one.request, one.body, one.private)
            for seq, one in enumerate(self.entries)
            if one.tenant == tenant
        }


class Open:
    """A guard that takes everybody for one caller."""

    def __init__(self, caller: Caller = LOCAL) -> None:
        self.everybody = caller

    async def caller(self, door: Door, authorization: bytes | None) -> Caller:
        return self.everybody

    def check(self, door: Door, caller: Caller) -> None: ...

    def enter(self, door: Door, caller: Caller, body: Any) -> None: ...

    def leave(self, door: Door, caller: Caller) -> None: ...


def _key() -> SigningKey:
    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    return SigningKey(private, keys.fingerprint(private.public_key()))


SIGNER = Signer("localhost/seedrate", _key())


def desk(ledger: Ledger) -> Desk:
    """Return a desk at noon whose ids count up from one."""
    numbers = count(1)
    return Desk(
        contract=Contract.of(COLUMN_SET),
        pricer=PlainPricer(),
        ledger=ledger,
        now=lambda: NOON,
        new_id=lambda now: uuid7(now, lambda size: next(numbers).to_bytes(size, "big")),
        new_salt=lambda: bytes(32),
        code="0" * 64,
        new_error_id=lambda: "e-1",
        drawn=lambda quote_id: False,
        stage=lambda stage, seconds: None,
        audited=lambda method, audit: None,
        quoted=lambda asked, reply: None,
    )
