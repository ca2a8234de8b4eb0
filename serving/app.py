"""The composition root: settings in, a server's parts out, wired together nowhere else."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from starlette.types import ASGIApp

from models.copies import Pointer
from models.hazard import HazardModel
from models.pricer import Pricer, Request
from pricing import policy
from pricing.errors import InputError, SeedrateError
from pricing.instruments.term_loan import TermLoan
from pricing.policy import Policy
from pricing.schedule import REPAYMENTS, Terms
from serving.access import root
from serving.access.caller import Caller
from serving.access.guard import Guard
from serving.admission import Admission
from serving.champion import ROOT, champion
from serving.contract import Contract
from serving.desk import Desk, Reply
from serving.desk import Ledger as AnyLedger
from serving.documents import Identity, columns_document, model_documents
from serving.gate import Gate
from serving.gauges import Gauges
from serving.ledger import keyring, policies
from serving.ledger.anchors import Anchors
from serving.ledger.commitment import SALT_BYTES
from serving.ledger.counter import Counter
from serving.ledger.held import Held
from serving.ledger.ledger import Ledger
from serving.ledger.postgres import PostgresStore
from serving.ledger.program import code_digest
from serving.ledger.seals import Sealer
from serving.ledger.served import SERVED, served
from serving.ledger.sqlite import SqliteStore
from serving.ledger.store import Store
from serving.office import Bundle, Office
from serving.openapi import openapi_document
from serving.problem import new_error_id
from serving.quote_id import drawn, uuid7
from serving.settings import Settings

EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Server:
    """The parts of one server process."""

    settings: Settings
    gauges: Gauges
    ledger: Ledger
    office: Office
    guard: Guard
    sealer: Sealer
    admission: Admission

    @classmethod
    def open(cls, settings: Settings) -> Server:
        """Open the ledger; no model is loaded yet."""
        gauges, kept, admission = Gauges(), ledger(settings), Admission(settings.at_once)
        anchors = Anchors(settings.anchors)
        office = Office(Counter(kept, anchors), gauges)
        gauges.watch(
            waiting=lambda: kept.waiting,
            ready=lambda: not office.why_not_ready,
            entries=lambda: kept.size,
            anchored=anchors.last,
            in_progress=lambda: admission.taken,
            unaudited=lambda: admission.unaudited,
            turned_away=lambda: admission.turned_away,
        )
        sealer = Sealer(kept, settings.audit)
        return cls(settings, gauges, kept, office, root.guard(settings), sealer, admission)

    def load(self) -> None:
        """Load the champion and let the office quote with it; if there is none, say why."""
        try:
            model = champion(self.settings)
            self.serve(model, rules(self.settings, model.currency))
        except SeedrateError as error:
            self.office.trouble = str(error)

    def serve(self, model: HazardModel, rules: Policy) -> None:
        """Quote with a model from now on."""
        self.office.bundle = bundle(
            model,
            rules,
            self.ledger,
            self.gauges,
            audit_share=self.settings.audit_share,
            calm=self.admission.audits,
        )
        identity = Identity.of(model)
        self.gauges.model(name=identity.name, version=identity.version, digest=identity.digest)
        self.sealer.tell(SERVED, served(model, Pointer.read(self.settings.models)))

    def gate(self, behind: ASGIApp | None = None) -> Gate:
        """Return the ASGI application that callers meet.

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
            observe=self.gauges.request,
            new_error_id=new_error_id,
        )

    async def quote(self, body: Any, caller: Caller, key: str | None) -> Reply:
        """Answer a caller who may be unable to name a request, and so to repeat it."""
        return await self.office.served.desk.quote(body, caller, key or fresh_id(clock()))

    def close(self) -> None:
        """Record what waits, and let the ledger and the keys go."""
        self.guard.close()
        self.sealer.close()
        self.ledger.close()


def ledger(settings: Settings) -> Ledger:
    """Return the ledger of the settings; it opens its database by itself."""
    return Ledger(
        store(settings),
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


def bundle(
    model: HazardModel,
    rules: Policy,
    kept: AnyLedger,
    gauges: Gauges,
    *,
    audit_share: float,
    calm: Callable[[], bool] = lambda: True,
) -> Bundle:
    """Return all that depends on a model; its first prices are made here, not for a caller."""
    contract = Contract.of(model.column_set)
    pricer = Pricer(model, rules)
    _warm(pricer)
    return Bundle(
        desk=desk(contract, pricer, kept, gauges, audit_share=audit_share, calm=calm),
        model=model_documents(model, rules),
        columns=columns_document(model.column_set),
        openapi=orjson.dumps(
            openapi_document(model.column_set, contract, askable(contract, EXAMPLES))
        ),
    )


def desk(
    contract: Contract,
    pricer: Pricer,
    kept: AnyLedger,
    gauges: Gauges,
    *,
    audit_share: float,
    calm: Callable[[], bool] = lambda: True,
) -> Desk:
    """Return the desk of a pricer, with the clock and the dice of this machine."""
    return Desk(
        contract=contract,
        pricer=pricer,
        ledger=kept,
        now=clock,
        new_id=fresh_id,
        new_salt=lambda: secrets.token_bytes(SALT_BYTES),
        code=code_digest(ROOT),
        new_error_id=new_error_id,
        drawn=lambda quote_id: drawn(quote_id, share=audit_share) and calm(),
        stage=gauges.stage,
        audited=gauges.audit,
    )


def askable(contract: Contract, folder: Path) -> Mapping[str, Any]:
    """Return the example requests of a folder that a model can be asked, by name."""
    examples = {}
    for path in sorted(folder.glob("*.json")):
        request = orjson.loads(path.read_bytes())
        try:
            contract.read(request)
        except InputError:  # meant for another column set
            continue
        examples[path.stem] = request
    return examples


def _warm(pricer: Pricer) -> None:
    """Price a project of which nothing is known, so that everything is compiled."""
    for repayment in REPAYMENTS:
        terms = Terms(amount=1e6, term_months=12, repayment=repayment)
        pricer.quote_checked({}, TermLoan(terms), audit=True).document("en")
        pricer.quotes([Request({}, TermLoan(terms), None)])
