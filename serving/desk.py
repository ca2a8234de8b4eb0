"""The way from a request to a quote: the one function behind every door."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Protocol

import orjson

from models.audit import Audit
from models.reasons import Language
from pricing.deal import Deal
from pricing.errors import InputError
from pricing.support.supported import Support
from serving.access.caller import Caller
from serving.contract import Asked, Contract, as_asked, read_batch
from serving.journal import Journal
from serving.problem import RefusedError, answer

Stage = Callable[[str, float], None]
Audited = Callable[[str, Audit], None]  # by method

log = logging.getLogger("seedrate.desk")


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


@dataclass(frozen=True)
class Reply:
    """The exact bytes of an answer; `quote_id` is None for a what-if, which is not recorded."""

    quote_id: str | None
    body: bytes


@dataclass(frozen=True)
class Desk:
    """Everything a quote needs from outside, wired once in serving/app.py."""

    contract: Contract
    pricer: Pricer
    journal: Journal
    now: Callable[[], datetime]
    new_id: Callable[[datetime], str]
    new_error_id: Callable[[], str]
    drawn: Callable[[str], bool]  # whether a quote of this id is audited
    stage: Stage
    audited: Audited

    async def quote(self, body: Any, caller: Caller) -> Reply:
        """Check, price, explain, write, record: what is not recorded is not given.

        Args:
            body: the request as JSON says it, not yet checked.
            caller: who asks; the quote is recorded for their tenant alone.

        Raises:
            SeedrateError: the request, the policy or the model forbids a quote.
            RefusedError: the quote could not be recorded.
        """
        reply = self.price(body, caller, recorded=True)
        await self._record(reply, caller)
        return reply

    def what_if(self, body: Any, caller: Caller) -> Reply:
        """Check, price, explain, write: the same without recording, and marked so."""
        return self.price(body, caller, recorded=False)

    async def batch(self, body: Any, caller: Caller) -> bytes:
        """Return the results of a batch: each its own quote or problem, in the order asked."""
        priced = []
        for item in read_batch(body):
            priced.append(self._try_price(item, caller))
            await asyncio.sleep(0)  # lets single quotes in between
        records = (self._try_record(one, caller) for one in priced)
        return _results(await asyncio.gather(*records))

    def price(self, body: Any, caller: Caller, *, recorded: bool) -> Reply:
        """Check, price, explain and write one request."""
        began = perf_counter()
        asked = self.contract.read(body)
        checked, now = perf_counter(), self.now()
        quote_id = self.new_id(now) if recorded else None
        audit = quote_id is not None and self.drawn(quote_id)
        try:
            quote = self.pricer.quote_checked(
                asked.project,
                asked.deal,
                asked.support(now.date()),
                asked.overrides,
                caller=caller.tenant,
                audit=audit,
            )
        except InputError as error:
            raise InputError([as_asked(fault) for fault in error.faults]) from None
        priced = perf_counter()
        reply = _written(asked, quote, now, quote_id)
        if quote.audit is not None:
            self._tell(quote_id, quote.method, quote.audit)
        self.stage("check", checked - began)
        self.stage("price", priced - checked)
        self.stage("write", perf_counter() - priced)
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

    async def _record(self, reply: Reply, caller: Caller) -> None:
        began = perf_counter()
        if reply.quote_id is not None:
            await self.journal.record(reply.quote_id, reply.body, caller.tenant)
        self.stage("record", perf_counter() - began)

    def _try_price(self, item: Any, caller: Caller) -> Reply | RefusedError:
        try:
            return self.price(item, caller, recorded=True)
        except Exception as error:  # whatever it is, the others of the batch get their answer
            return answer(error, self.new_error_id, "a batch")

    async def _try_record(
        self, priced: Reply | RefusedError, caller: Caller
    ) -> Reply | RefusedError:
        try:
            if isinstance(priced, Reply):
                await self._record(priced, caller)
        except RefusedError as refusal:
            return refusal
        return priced


def _written(asked: Asked, quote: Quote, now: datetime, quote_id: str | None) -> Reply:
    document = {
        "quote_id": quote_id,
        "recorded": quote_id is not None,
        "time": now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "reference": asked.reference,
        "instrument": asked.instrument,
        **quote.document(asked.language),
    }
    return Reply(quote_id, orjson.dumps(document))


def _results(answers: Sequence[Reply | RefusedError]) -> bytes:
    results = [
        {"status": 201, "quote": orjson.Fragment(answer.body)}
        if isinstance(answer, Reply)
        else {"status": answer.problem.status, "problem": answer.document()}
        for answer in answers
    ]
    return orjson.dumps({"results": results})
