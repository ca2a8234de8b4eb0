"""What pages answer from: the office that quotes, the ledger, and what is kept beside it."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from models import copies
from models.hazard import HazardModel
from models.pricer import Pricer
from pricing.errors import SeedrateError
from pricing.policy import Policy
from serving.console.cohort import Cohort
from serving.desk import Desk
from serving.ledger import reprice
from serving.ledger.anchors import Anchors
from serving.ledger.ledger import Ledger
from serving.ledger.reprice import DeskOf
from serving.ledger.store import TROUBLES
from serving.ledger.waiting import not_recorded
from serving.office import Office
from serving.settings import Settings
from serving.shadow import Shadow

Found = TypeVar("Found")
MOST_DESKS = 3  # models and policies of before that are kept in memory


@dataclass(frozen=True)
class Rooms:
    """The parts of the server that pages show."""

    settings: Settings
    office: Office
    ledger: Ledger
    anchors: Anchors
    desk_of: DeskOf  # makes a desk that records nothing
    shadow: Shadow
    _desks: OrderedDict[tuple[str, str], Desk] = field(default_factory=OrderedDict)
    _cohorts: OrderedDict[str, Cohort] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def served(self) -> Pricer | None:
        """Return the pricer that serves; None if there is none."""
        bundle = self.office.bundle
        pricer = bundle.desk.pricer if bundle else None
        return pricer if isinstance(pricer, Pricer) else None

    def number(self, digest: str) -> str:
        """Return the number of the version that serves or is the challenger; else an empty text."""
        serves = self.served.model if self.served else None
        for model in (serves, self.shadow.model):
            if model is not None and model.digest == digest:
                return str(model.card.get("version", ""))
        return ""

    def standing(self, alias: str) -> Mapping[str, Any]:
        """Return what is known of an alias of the registry; nothing where it is not followed."""
        found: Mapping[str, Any] = self.office.standing().get(alias) or {}
        return found

    async def look_up(self, question: Callable[[], Found]) -> Found:
        """Return the answer to a question to the ledger's database, asked beside the quotes.

        Raises:
            RefusedError: `not_recorded` if it cannot be read.
        """
        try:
            return await asyncio.to_thread(question)
        except TROUBLES as error:
            raise not_recorded(str(error)) from error

    def desk(self, model: str, version: str, policy: str) -> Desk | None:
        """Return a desk of a model and a policy that records and counts nothing; None: gone.

        It takes a second or two for a model that does not serve and was not asked for lately.

        Args:
            model: its digest.
            version: its number.
            policy: its digest.
        """
        with self._lock:
            if (model, policy) not in self._desks:
                try:
                    made = self.desk_of(self._model(model, version), self._policy(policy))
                except SeedrateError:
                    return None
                self._desks[model, policy] = made
                while len(self._desks) > MOST_DESKS:
                    self._desks.popitem(last=False)
            return self._desks[model, policy]

    def _model(self, digest: str, version: str) -> HazardModel:
        served = self.served
        if served is not None and served.model.digest == digest:
            return served.model
        return reprice.named_model(self.settings, {"digest": digest, "version": version})

    def _policy(self, digest: str) -> Policy:
        served = self.served
        if served is not None and served.policy.digest == digest:
            return served.policy
        return reprice.named_policy(self.settings, {"digest": digest})

    def cohort(self, pricer: Pricer) -> Cohort | None:
        """Return the cohort of a model; None if its files are gone."""
        digest = pricer.model.digest
        with self._lock:
            if digest not in self._cohorts:
                folder = copies.find(self.settings.models, digest)
                if folder is None:
                    return None
                self._cohorts[digest] = Cohort(pricer.model, folder)
                while len(self._cohorts) > MOST_DESKS:
                    self._cohorts.popitem(last=False)
            return self._cohorts[digest]
