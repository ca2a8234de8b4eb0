"""The composition root: settings in, a server's parts out, wired together nowhere else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

import orjson
from starlette.types import ASGIApp

from models.breath import breathe
from models.copies import Pointer
from models.hazard import HazardModel
from models.pricer import Pricer, Request
from models.registry import CHALLENGER
from pricing import policy
from pricing.errors import SeedrateError
from pricing.instruments.term_loan import TermLoan
from pricing.policy import Policy
from pricing.schedule import REPAYMENTS, Terms
from serving.access import root
from serving.access.caller import Caller
from serving.access.guard import Guard
from serving.admission import Admission
from serving.answered import Answered
from serving.champion import ROOT, Source
from serving.console.house import House
from serving.console.rooms import Rooms
from serving.console.root import house
from serving.contract import Contract
from serving.desk import Desk, Given, Stage, nobody
from serving.desk import Ledger as AnyLedger
from serving.documents import Identity, columns_document, model_documents
from serving.examples import askable
from serving.gate import Gate
from serving.gauges import Gauges
from serving.ledger import keyring, policies
from serving.ledger.anchors import Anchors
from serving.ledger.commitment import SALT_BYTES
from serving.ledger.counter import Counter
from serving.ledger.held import Held
from serving.ledger.ledger import Ledger
from serving.ledger.none import NoLedger
from serving.ledger.postgres import PostgresStore
from serving.ledger.program import code_digest
from serving.ledger.reprice import DeskOf
from serving.ledger.seals import Sealer
from serving.ledger.served import SERVED, served
from serving.ledger.sqlite import SqliteStore
from serving.ledger.store import Store
from serving.ledger.timed import TimedStore
from serving.log import RequestLog
from serving.office import Bundle, Office
from serving.openapi import openapi_document
from serving.problem import new_error_id
from serving.quote_id import drawn, uuid7
from serving.remembered import Remembered
from serving.reply import Reply
from serving.settings import Settings
from serving.shadow import Shadow
from serving.watch import Watch, metrics

if TYPE_CHECKING:
    from serving.tracing import Tracing


@dataclass(frozen=True)
class Server:
    """The parts of one server process."""

    settings: Settings
    gauges: Gauges
    ledger: Ledger
    office: Office
    guard: Guard
    sealer: Sealer
    request_log: RequestLog
    tracing: Tracing | None  # None: no collector is named
    admission: Admission
    policy_in: Callable[[str], Policy]  # by currency: those of the start, whatever changes on disk
    shadow: Shadow
    console: House
    remembered: Remembered = field(default_factory=Remembered)  # by both watches

    @classmethod
    def open(cls, settings: Settings) -> Server:
        """Open the ledger; no model is loaded yet."""
        gauges, admission = Gauges(), Admission(settings.at_once)
        timed = TimedStore(store(settings), gauges.commit, time.time)
        kept = ledger(settings, timed)
        anchors = Anchors(settings.anchors)
        office = Office(Counter(kept, anchors), gauges)
        gauges.watch(
            waiting=lambda: kept.waiting,
            lag=timed.lag_seconds,
            ready=lambda: not office.why_not_ready,
            entries=lambda: kept.size,
            anchored=anchors.last,
            in_progress=lambda: admission.taken,
            unaudited=lambda: admission.unaudited,
            turned_away=lambda: admission.turned_away,
        )
        gauges.build(code=code_digest(ROOT))
        sealer, policy_in = Sealer(kept, settings.audit), cache(partial(rules, settings))
        guard = root.guard(settings)
        shadow = Shadow(settings.shadow, share=settings.shadow_share, policy_in=policy_in)
        rooms = Rooms(settings, office, kept, anchors, repricer(settings), shadow)
        return cls(
            settings,
            gauges,
            kept,
            office,
            guard,
            sealer,
            RequestLog(settings.telling.log_share),
            tracing(settings),
            admission,
            policy_in,
            shadow,
            house(rooms, guard),
        )

    @cached_property
    def champion(self) -> Watch:
        """Return the watch on the model that serves."""
        return self._watch(self.settings.alias, self.serve)

    @cached_property
    def challenger(self) -> Watch:
        """Return the watch on the model that prices in its shadow."""
        return self._watch(CHALLENGER, self.shadow.serve)

    def load(self) -> None:
        """Quote with the champion, now and whenever it changes; if there is none, say why."""
        try:
            self.champion.first()
        except SeedrateError as error:
            self.office.trouble = str(error)
        watches = [self.champion]
        if self.settings.shadow_share:
            watches.append(self.challenger)
            self.shadow.start()
        for one in watches:
            one.start()
        self.console.start()
        self.gauges.add(lambda: metrics(watches))
        self.gauges.add(self.shadow.metrics)
        self.office.standing = lambda: {w.source.alias: w.standing.document() for w in watches}
        self.office.said = lambda: self.champion.standing.public()

    def serve(self, model: HazardModel, pointer: Pointer | None = None) -> None:
        """Quote with a model from now on; requests under way end with the one they began with.

        Args:
            model: to quote with.
            pointer: with the statement that lets it; None if it was handed in by hand.
        """
        pricer = Pricer(model, self.policy_in(model.currency))
        self.office.bundle = bundle(
            pricer,
            desk(
                pricer,
                self.ledger,
                self.gauges,
                audit_share=self.settings.audit_share,
                stage=self._stage,
                calm=self.admission.audits,
                given=self.shadow.offer,
            ),
            self.office.bundle,
        )
        identity = Identity.of(model)
        self.gauges.intake.expect(model.column_set.asked)
        self.gauges.model(name=identity.name, version=identity.version, digest=identity.digest)
        self.sealer.tell(SERVED, served(model, pointer))

    def door(self, behind: ASGIApp | None = None) -> ASGIApp:
        """Return the ASGI application that callers meet: the gate, traced if that is asked for."""
        gate = self.gate(behind)
        return gate if self.tracing is None else self.tracing.around(gate)

    def gate(self, behind: ASGIApp | None = None) -> Gate:
        """Return the gate.

        Args:
            behind: answers the addresses that are not ours.
        """
        return Gate(
            ours=self.office.app(),
            behind=behind,
            guard=self.guard,
            admission=self.admission,
            hosts=self.settings.hosts,
            timeout_seconds=self.settings.timeout_seconds,
            observe=self._observe,
            new_error_id=new_error_id,
            console=self.console,
        )

    def _watch(self, alias: str, serve: Callable[[HazardModel, Pointer], None]) -> Watch:
        source = Source(self.settings, alias, remembered=self.remembered)
        return Watch(source, serve, seconds=self.settings.poll_seconds, now=clock)

    def _observe(self, answered: Answered) -> None:
        self.gauges.request(answered)
        self.request_log.note(answered)
        if self.tracing is not None:
            self.tracing.note(answered)

    def _stage(self, stage: str, seconds: float) -> None:
        self.gauges.stage(stage, seconds)
        if self.tracing is not None:
            self.tracing.stage(stage, seconds)

    async def quote(self, body: Any, caller: Caller, key: str | None) -> Reply:
        """Answer a caller who may be unable to name a request, and so to repeat it."""
        return await self.office.served.desk.quote(body, caller, key or fresh_id(clock()))

    def close(self) -> None:
        """Record and send what waits, and let the ledger and the keys go."""
        for watching in (self.champion, self.challenger, self.shadow):
            watching.close()
        if self.tracing is not None:
            self.tracing.close()
        self.console.close()
        self.guard.close()
        self.sealer.close()
        self.ledger.close()


def tracing(settings: Settings) -> Tracing | None:
    """Return what makes spans, if a collector is named; else OpenTelemetry is not imported."""
    if not settings.telling.otlp:
        return None
    from serving.tracing import Exporter, Tracing

    about = {"seedrate.code": code_digest(ROOT)}
    return Tracing(Exporter(settings.telling.otlp), share=settings.telling.trace_share, about=about)


def ledger(settings: Settings, kept: Store | None = None) -> Ledger:
    """Return the ledger of the settings; it opens its database, or the one given, by itself."""
    return Ledger(
        kept or store(settings),
        lambda: keyring.signer(settings.ledger_key, settings.origin, make=settings.makes_key),
        Held(settings.held),
        most_waiting=settings.ledger_queue,
        now=clock,
        new_id=fresh_id,
    )


def store(settings: Settings) -> Store:
    """Return the database of the settings, not yet open."""
    if settings.database is None:
        return SqliteStore(settings.ledger)
    return PostgresStore(settings.database)


def rules(settings: Settings, currency: str) -> Policy:
    """Return the policy of the settings, and keep a copy of it under its digest."""
    policies.keep(settings.policies, policy.text(settings.policy, currency=currency))
    return policy.load(settings.policy, currency=currency)


def clock() -> datetime:
    """Return the time on this machine."""
    return datetime.now(UTC)


def fresh_id(now: datetime) -> str:
    """Return an id from this machine's dice."""
    return uuid7(now, secrets.token_bytes)


def bundle(pricer: Pricer, quoting: Desk, before: Bundle | None = None) -> Bundle:
    """Return all that depends on a model; its first prices are made here, not for a caller.

    Args:
        pricer: of the model.
        quoting: its desk.
        before: what serves now, whose documents are the same where the columns are.
    """
    columns, contract = pricer.model.column_set, quoting.contract
    _warm(pricer)
    if before is not None and before.column_set == columns:
        told = before.columns, before.openapi
    else:
        openapi = openapi_document(columns, contract, askable(contract))
        told = columns_document(columns), orjson.dumps(openapi)
    return Bundle(quoting, columns, model_documents(pricer.model, pricer.policy), *told)


def desk(
    pricer: Pricer,
    kept: AnyLedger,
    gauges: Gauges,
    *,
    audit_share: float,
    stage: Stage | None = None,
    calm: Callable[[], bool] = lambda: True,
    given: Given = nobody,
) -> Desk:
    """Return the desk of a pricer, with the clock and the dice of this machine."""
    return Desk(
        contract=Contract.of(pricer.model.column_set),
        pricer=pricer,
        ledger=kept,
        now=clock,
        new_id=fresh_id,
        new_salt=lambda: secrets.token_bytes(SALT_BYTES),
        code=code_digest(ROOT),
        new_error_id=new_error_id,
        drawn=lambda quote_id: drawn(quote_id, share=audit_share) and calm(),
        stage=stage or gauges.stage,
        audited=gauges.audit,
        quoted=gauges.quoted,
        given=given,
    )


def repricer(settings: Settings) -> DeskOf:
    """Return what makes desks of models and policies of before: they record nothing."""

    def made(model: HazardModel, rules: Policy) -> Desk:
        return desk(Pricer(model, rules), NoLedger(), Gauges(), audit_share=settings.audit_share)

    return made


def _warm(pricer: Pricer) -> None:
    """Price a project of which nothing is known, so that everything is compiled."""
    for repayment in REPAYMENTS:
        terms = Terms(amount=1e6, term_months=12, repayment=repayment)
        pricer.quote_checked({}, TermLoan(terms), audit=True).document("en")
        pricer.quotes([Request({}, TermLoan(terms), None)])
        breathe()
