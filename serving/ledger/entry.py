"""What the ledger records of a quote: a public body that is hashed, and a private part beside it.

The body says what was quoted, by which model and policy, and when; of the project, the terms, the
explanation and the reply it has commitments alone (serving/ledger/commitment.py). The request and
the reply stand in the private part as exact bytes, with the salt; they can be erased.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from serving.ledger.canonical import canonical
from serving.ledger.commitment import commit, commit_all
from serving.ledger.listing import Facts
from serving.ledger.tree import leaf_hash
from serving.problem import ERASED, KEY_REUSED, RefusedError

SCHEMA = "seedrate.entry.1"
QUOTE, KEY, ERASURE = "quote", "key", "erased"
LEDGER = "(ledger)"  # the tenant of the ledger's own entries: nobody can be called so
FIGURES = ("spread_bps", "fee_bps", "premium_bps", "value_bps")
NAMED = ("name", "version", "digest")


@dataclass(frozen=True, slots=True)
class Private:
    """What may be erased of an entry."""

    reference: str | None
    salt: bytes = field(repr=False)
    request: bytes = field(repr=False)
    reply: bytes = field(repr=False)

    def opened(self) -> dict[str, bytes]:
        """Return the committed values by field."""
        asked, reply = orjson.loads(self.request), orjson.loads(self.reply)
        project, terms = written(asked.get("project")), written(asked.get("instrument"))
        explanation = orjson.dumps(reply.get("explanation"))
        return _values(self.request, project, terms, explanation, self.reply)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to be recorded."""

    quote_id: str
    tenant: str
    key: str
    kind: str
    request: bytes  # the commitment to it
    body: bytes
    leaf: bytes
    created_us: int
    private: Private | None
    facts: Facts | None = None  # as they are listed; None: an entry of the ledger's own

    @property
    def key_of_tenant(self) -> tuple[str, str]:
        """Return what no two entries share."""
        return self.tenant, self.key

    @property
    def request_of_tenant(self) -> tuple[str, str]:
        """Return what all entries of one request share: a batch's are told apart behind a #."""
        return self.tenant, self.key.partition("#")[0]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is recorded under an id or a key; `private` is None once it is erased."""

    seq: int
    quote_id: str
    request: bytes
    body: bytes
    private: Private | None

    @property
    def reply(self) -> bytes:
        """Return the recorded reply, byte for byte.

        Raises:
            RefusedError: it was erased.
        """
        if self.private is None:
            raise RefusedError(ERASED, f"the reply of {self.quote_id} must not be kept any longer")
        return self.private.reply

    @property
    def batch_size(self) -> int | None:
        """Return how many requests had the batch that it was asked in; None for one quote."""
        place = orjson.loads(self.body).get("batch")
        return None if place is None else int(place[1])

    def check_request(self, request: bytes) -> None:
        """Check that a request is the one that was recorded under its key.

        Raises:
            RefusedError: it is another one, or was erased.
        """
        reply = self.reply
        if reply and self.private and commit(self.private.salt, "request", request) != self.request:
            raise key_reused(self.quote_id)


def key_reused(quote_id: str) -> RefusedError:
    """Return the refusal of a key under which another request was answered."""
    return RefusedError(
        KEY_REUSED,
        "an Idempotency-Key must be used for one request only, however: quote "
        f"{quote_id} was given under this one, for another request",
    )


def written(request: Any) -> bytes:
    """Return a request as it is recorded: the same bytes for the same JSON value."""
    return orjson.dumps(request, option=orjson.OPT_SORT_KEYS)


def of_quote(
    *,
    document: Mapping[str, Any],
    explanation: bytes,
    reply: bytes,
    asked: Mapping[str, Any],
    tenant: str,
    key: str,
    salt: bytes,
    now: datetime,
    code: str,
    place: tuple[int, int] | None = None,
) -> Entry:
    """Return the entry of a quote.

    Args:
        document: the reply.
        explanation: its explanation as it stands in the reply's bytes.
        reply: its bytes.
        asked: the request.
        tenant: whose quote it is.
        key: of idempotency.
        salt: 32 random bytes.
        now: when it was made.
        code: the digest of the program that made it.
        place: in the batch that it was asked in, counted from 0, and how many that batch had.
    """
    project, terms = written(asked.get("project")), written(asked.get("instrument"))
    own = {"project": orjson.Fragment(project), "instrument": orjson.Fragment(terms)}
    request = written({name: own.get(name, value) for name, value in asked.items()})
    commitments = commit_all(salt, _values(request, project, terms, explanation, reply))
    figure = next((name for name in FIGURES if name in document), None)
    body = {
        "schema": SCHEMA,
        "kind": QUOTE,
        "id": document["quote_id"],
        "tenant": tenant,
        "key": key,
        "time_us": microseconds(now),
        "instrument": document["instrument"]["kind"],
        "figure": {"of": figure, "bps": document[figure] if figure else None},
        "rate": document.get("rate"),
        "model": _named(document.get("model")),
        "policy": _named(document.get("policy")),
        "code": code,
        "commit": commitments,
        **({} if place is None else {"batch": [*place]}),
    }
    private = Private(asked.get("reference"), salt, request, reply)
    facts = Facts.of(body, private.reference, document)
    return _entry(body, bytes.fromhex(commitments["request"]), private, facts)


def of_ledger(kind: str, entry_id: str, now: datetime, says: Mapping[str, Any]) -> Entry:
    """Return an entry of the ledger's own: a key that signs from here on, an erasure, a seal."""
    body = {
        "schema": SCHEMA,
        "kind": kind,
        "id": entry_id,
        "tenant": LEDGER,
        "key": entry_id,
        "time_us": microseconds(now),
        **says,
    }
    return _entry(body, b"", None)


def microseconds(now: datetime) -> int:
    """Return a time in microseconds since 1970."""
    return int(now.timestamp()) * 1_000_000 + now.microsecond


def _entry(
    body: Mapping[str, Any], request: bytes, private: Private | None, facts: Facts | None = None
) -> Entry:
    written_body = canonical(body)
    return Entry(
        quote_id=body["id"],
        tenant=body["tenant"],
        key=body["key"],
        kind=body["kind"],
        request=request,
        body=written_body,
        leaf=leaf_hash(written_body),
        created_us=body["time_us"],
        private=private,
        facts=facts,
    )


def _values(
    request: bytes, project: bytes, terms: bytes, explanation: bytes, reply: bytes
) -> dict[str, bytes]:
    return {
        "request": request,
        "project": project,
        "terms": terms,
        "explanation": explanation,
        "reply": reply,
    }


def _named(identity: Mapping[str, Any] | None) -> dict[str, str] | None:
    return None if identity is None else {part: str(identity[part]) for part in NAMED}
