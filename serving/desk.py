"""The way from a request to a quote: the one function behind every door."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, NamedTuple, Protocol, TypeVar

import orjson

from models.audit import Audit
from models.pricer import Request
from models.reasons import Language
from pricing.deal import Deal
from pricing.errors import InputError
from pricing.support.supported import Support
from serving.access.caller import Caller
from serving.contract import MOST_QUOTES, Asked, Contract, as_asked, read_batch
from serving.ledger.entry import Entry, Kept, key_reused, of_quote, written
from serving.problem import RefusedError, answer
from serving.reply import Batch, Reply

AT_ONCE = 32  # requests of a batch that are priced, or written, before others get their turn
T = TypeVar("T")
Stage = Callable[[str, float], None]
Audited = Callable[[str, Audit], None]  # by method
Given = Callable[[Any, str, Mapping[str, Any], datetime], None]  # request, tenant, reply, when
Quoted = Callable[[Asked, Mapping[str, Any]], None]  # what was asked, and the reply

log = logging.getLogger("seedrate.desk")


def nobody(body: Any, tenant: str, document: Mapping[str, Any], now: datetime) -> None:
    """Take no note of a quote that was given."""


class Quote(Protocol):
    """A price and its explanation."""

    @property
    def method(self) -> str:
        """Return which method made the numbers of the explanation."""

    @property
    def audit(self) -> Audit | None:
        """Return what an audit of the explanation found, None where there was none."""

    def document(self, language: Language) -> dict[str, Any]:
        """Return the body of a reply, ready for JSON."""


class Pricer(Protocol):
    """What prices and explains: `models.pricer.Pricer`, or a small one in a test."""

    def quote_checked(
        self,
        project: Mapping[str, object],
        deal: Deal,
        support: Support | None,
        overrides: Mapping[str, float],
        *,
        caller: str,
        audit: bool,
    ) -> Quote:
        """Encode, price and explain a project that has been checked."""

    def quotes(self, asked: Sequence[Request]) -> Sequence[Quote | Exception]:
        """Quote many at once: each as alone, or why it is not quoted."""


class Ledger(Protocol):
    """Where acknowledged quotes are kept: `serving.ledger.ledger.Ledger`, or a small one."""

    def flight(self, tenant: str, key: str) -> AbstractContextManager[None]:
        """Hold a key while its request is answered; refuse if it is held."""

    async def find_keys(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Kept]:
        """Return what is recorded under keys of a tenant, by key."""

    async def record(self, entry: Entry) -> Kept | None:
        """Return once the entry is durable: None, or what its key holds already."""


class Priced(NamedTuple):
    """A quote, written."""

    asked: Asked
    document: Mapping[str, Any]
    explanation: bytes
    body: bytes
    now: datetime


class _Checked(NamedTuple):
    """A sound request on its way to a quote."""

    asked: Asked
    request: Request
    quote_id: str | None
    now: datetime


class _Outcome(NamedTuple):
    """A checked request with its quote, or why there is none, and the seconds that took."""

    told: _Checked
    quote: Quote | Exception
    seconds: float


class _Entered(NamedTuple):
    """A quote that is yet to be recorded."""

    entry: Entry
    body: Any
    priced: Priced


@dataclass(frozen=True)
class Desk:
    """Everything a quote needs from outside, wired once in serving/app.py."""

    contract: Contract
    pricer: Pricer
    ledger: Ledger
    now: Callable[[], datetime]
    new_id: Callable[[datetime], str]
    new_salt: Callable[[], bytes]
    code: str  # the digest of the program
    new_error_id: Callable[[], str]
    drawn: Callable[[str], bool]  # whether a quote of this id is audited
    stage: Stage
    audited: Audited
    quoted: Quoted
    given: Given = nobody  # is told of what was recorded

    async def quote(self, body: Any, caller: Caller, key: str) -> Reply:
        """Check, price, explain, write, record: what is not recorded is not given.

        Args:
            body: the request as JSON says it, not yet checked.
            caller: who asks; the quote is recorded for their tenant alone.
            key: of idempotency; a request that was answered under it is answered the same again.

        Raises:
            SeedrateError: the request, the policy or the model forbids a quote.
            RefusedError: the quote could not be recorded, or its key is another request's.
        """
        tenant = caller.tenant
        with self.ledger.flight(tenant, key):
            kept = await self.ledger.find_keys(tenant, (key, f"{key}#0"))
            if key in kept:
                return _again(kept[key], body)
            _check_unused(kept.values())
            priced = self.price(body, caller, self.now())
            one, began = self._entered(body, tenant, key, priced), perf_counter()
            taken = await self.ledger.record(one.entry)
            return self._replied(one, taken, perf_counter() - began)

    def what_if(self, body: Any, caller: Caller) -> Reply:
        """Check, price, explain, write: the same without recording, and marked so."""
        return Reply(None, self.price(body, caller, self.now(), recorded=False).body)

    async def batch(self, body: Any, caller: Caller, key: str) -> Batch:
        """Return the results of a batch: each its own quote or problem, in the order asked.

        The key of request i is the batch's own with `#i` behind it.
        """
        items, tenant = read_batch(body), caller.tenant
        keys = [f"{key}#{at}" for at in range(MOST_QUOTES)]  # of the longest that there may be
        with self.ledger.flight(tenant, key):
            kept = await self.ledger.find_keys(tenant, (key, *keys))
            _check_batch(kept, key, len(items))
            answers: list[_Entered | Reply | RefusedError] = []
            for at in range(0, len(items), AT_ONCE):
                own = keys[at : at + AT_ONCE]
                some = [*zip(items[at : at + AT_ONCE], own, strict=False)]
                outcomes = self._side_by_side(some, caller, kept)
                await asyncio.sleep(0)  # lets single quotes in between
                answers += self._answers(some, outcomes, caller, of=len(items))
                await asyncio.sleep(0)
            return Batch.of(await self._recorded(answers))

    def price(
        self, body: Any, caller: Caller, now: datetime, *, recorded: bool = True, quote_id: str = ""
    ) -> Priced:
        """Check, price, explain and write one request.

        Args:
            body: the request.
            caller: whose bounds of the policy hold.
            now: the time of the quote, which decides what support there is.
            recorded: it will be; a what-if will not.
            quote_id: that it had, if it is made again; else it gets a new one.
        """
        began = perf_counter()
        told = self._checked(body, caller, now, quote_id, recorded=recorded)
        checked = perf_counter()
        self.stage("check", checked - began)
        quote = self._quote(told.request)
        return self._given(told, quote, perf_counter() - checked)

    def _checked(
        self, body: Any, caller: Caller, now: datetime, quote_id: str = "", *, recorded: bool = True
    ) -> _Checked:
        """Check a request, and name what will be its quote; see `price`."""
        asked = self.contract.read(body)
        own = (quote_id or self.new_id(now)) if recorded else None
        request = Request(
            asked.project,
            asked.deal,
            asked.support(now.date()),
            asked.overrides,
            caller.tenant,
            own is not None and self.drawn(own),
        )
        return _Checked(asked, request, own, now)

    def _quote(self, asked: Request) -> Quote | Exception:
        try:
            return self.pricer.quote_checked(
                asked.project,
                asked.deal,
                asked.support,
                asked.overrides,
                caller=asked.caller,
                audit=asked.audit,
            )
        except InputError as error:
            return error

    def _given(self, told: _Checked, quote: Quote | Exception, seconds: float) -> Priced:
        """Write a quote that took some seconds; raise why there is none."""
        priced = perf_counter()
        self.stage("price", seconds)
        if isinstance(quote, InputError):
            raise InputError([as_asked(fault) for fault in quote.faults])
        if isinstance(quote, Exception):
            raise quote
        reply = _written(told.asked, quote, told.quote_id, told.now)
        self.stage("write", perf_counter() - priced)
        if quote.audit is not None:
            self._tell(told.quote_id, quote.method, quote.audit)
        if told.quote_id is not None:
            self.quoted(told.asked, reply.document)
        return reply

    def _tell(self, quote_id: str | None, method: str, audit: Audit) -> None:
        self.audited(method, audit)
        if audit.alarm:
            log.warning(
                "quote %s: its path is off the exact values of its groups by %.2f bp in the mean, "
                "allowed are %.2f; published is %s",
                quote_id or "not recorded",
                audit.difference_bps,
                audit.limit_bps,
                method,
            )

    def _entered(
        self, body: Any, tenant: str, key: str, priced: Priced, place: tuple[int, int] | None = None
    ) -> _Entered:
        """Return a quote with what is recorded of it; see `of_quote`."""
        entry = of_quote(
            document=priced.document,
            explanation=priced.explanation,
            reply=priced.body,
            asked=body,
            tenant=tenant,
            key=key,
            salt=self.new_salt(),
            now=priced.now,
            code=self.code,
            place=place,
        )
        return _Entered(entry, body, priced)

    async def _recorded(
        self, answers: Sequence[_Entered | Reply | RefusedError]
    ) -> list[Reply | RefusedError]:
        """Record what is written of a batch, all at once."""
        began, entered = perf_counter(), [one for one in answers if isinstance(one, _Entered)]
        records = (self.ledger.record(one.entry) for one in entered)
        kept = iter(await asyncio.gather(*records, return_exceptions=True))
        seconds = perf_counter() - began
        return [
            self._try(self._replied, one, next(kept), seconds) if isinstance(one, _Entered) else one
            for one in answers
        ]

    def _replied(self, one: _Entered, kept: Kept | BaseException | None, seconds: float) -> Reply:
        """Return the reply to what was recorded; if its key was taken, what is under that."""
        if isinstance(kept, BaseException):
            raise kept
        self.stage("record", seconds)
        if kept is not None:
            return _again(kept, one.body)
        self.given(one.body, one.entry.tenant, one.priced.document, one.priced.now)
        return Reply(one.entry.quote_id, one.priced.body)

    def _side_by_side(
        self, some: Sequence[tuple[Any, str]], caller: Caller, kept: Mapping[str, Kept]
    ) -> list[_Outcome | Reply | RefusedError]:
        """Price requests with their keys side by side; what was answered before needs no price."""
        found = [self._try(self._found, item, caller, kept.get(key)) for item, key in some]
        checked = [one for one in found if isinstance(one, _Checked)]
        began = perf_counter()
        quotes = iter(self.pricer.quotes([one.request for one in checked]))
        each = (perf_counter() - began) / max(len(checked), 1)
        return [
            _Outcome(one, next(quotes), each) if isinstance(one, _Checked) else one for one in found
        ]

    def _answers(
        self,
        some: Sequence[tuple[Any, str]],
        outcomes: Sequence[_Outcome | Reply | RefusedError],
        caller: Caller,
        *,
        of: int,
    ) -> list[_Entered | Reply | RefusedError]:
        """Write what was quoted.

        One thing after the other is done for all, so that each finds its code in the cache.
        """
        given = [
            self._try(self._given, *one) if isinstance(one, _Outcome) else one for one in outcomes
        ]
        answers: list[_Entered | Reply | RefusedError] = []
        for (item, key), priced in zip(some, given, strict=True):
            if isinstance(priced, Priced):
                place = (int(key.rpartition("#")[2]), of)
                answers.append(self._entered(item, caller.tenant, key, priced, place))
            else:
                answers.append(priced)
        return answers

    def _found(self, item: Any, caller: Caller, kept: Kept | None) -> Reply | _Checked:
        """Find a request of a batch answered, or check it."""
        if kept is not None:
            return _again(kept, item)
        began = perf_counter()
        checked = self._checked(item, caller, self.now())
        self.stage("check", perf_counter() - began)
        return checked

    def _try(self, step: Callable[..., T], *given: Any) -> T | RefusedError:
        try:
            return step(*given)
        except Exception as error:  # whatever it is, the others of the batch get their answer
            return answer(error, self.new_error_id, "a batch")


def _check_batch(kept: Mapping[str, Kept], key: str, size: int) -> None:
    """Refuse the key of a batch under which one quote, or a batch of another size, was given."""
    for own, one in kept.items():
        if own == key or one.batch_size != size:
            raise key_reused(one.quote_id)


def _check_unused(others: Iterable[Kept]) -> None:
    """Refuse a key that a request of another form has used."""
    for kept in others:
        raise key_reused(kept.quote_id)


def _again(kept: Kept, body: Any) -> Reply:
    kept.check_request(written(body))
    return Reply(kept.quote_id, kept.reply, replayed=True)


def _written(asked: Asked, quote: Quote, quote_id: str | None, now: datetime) -> Priced:
    document = {
        "quote_id": quote_id,
        "recorded": quote_id is not None,
        "time": now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "reference": asked.reference,
        "instrument": asked.instrument,
        **quote.document(asked.language),
    }
    explanation = orjson.dumps(document.get("explanation"))
    if "explanation" in document:
        document["explanation"] = orjson.Fragment(explanation)
    return Priced(asked, document, explanation, orjson.dumps(document), now)
