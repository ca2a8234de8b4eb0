"""The models: what serves and served, who let it, how good it is, and what moves its prices."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from starlette.responses import Response

from models import copies
from models.hazard import HazardModel
from models.pricer import Pricer
from models.registry import CHALLENGER
from serving.console import charts
from serving.console.charts import Bar
from serving.console.dependence import Dependence, Scatter, dependence, foretold
from serving.console.dossier import Archive, Decided, Dossier, Term, newest
from serving.console.rival import rival
from serving.console.rooms import Rooms
from serving.console.visit import Page, Visit
from serving.console.weighing import Pending, Weighed, Weighings
from serving.doors import CONSOLE, READ
from serving.problem import NOT_FOUND, RefusedError

HERE = f"{CONSOLE}/models"
ONE = f"{HERE}/{{model}}"
SHOWN = 15  # columns; the others are one click away
REFRESH_SECONDS = 3  # of a page that waits for a weighing


@dataclass(frozen=True)
class Version:
    """A model in the list."""

    digest: str
    number: str
    dossier: Dossier | None  # None: its copy is not here any more
    term: Term | None  # when it began to serve last, as the log says
    serves: bool
    stands: bool  # it is what would serve after a restart
    challenges: bool  # it is priced in the champion's shadow


@dataclass(frozen=True)
class Weight:
    """A column's mean effect on prices."""

    name: str
    label: str
    group: str
    bps: float
    bar: Bar


class ModelsPage:
    """Shows models; what takes long is made behind the pages."""

    def __init__(self, archive: Archive) -> None:
        """Stand before the copies.

        Args:
            archive: of their papers.
        """
        self._archive = archive
        self._weighings = Weighings()

    def page(self) -> Page:
        """Return the page."""
        answers = {
            ("GET", HERE): self.show,
            ("GET", ONE): self.show_one,
            ("GET", f"{ONE}/validation.json"): self.give_pack,
        }
        return Page(answers, name="models", leads=HERE, scope=READ)

    async def show(self, visit: Visit) -> Response:
        """Show which models are known here, what the registry says, and what served when."""
        rooms, alias = visit.rooms, visit.rooms.settings.alias
        versions, terms = await rooms.look_up(lambda: self._versions(rooms))
        return visit.page(
            "models.html",
            versions=versions,
            terms=terms,
            alias=alias,
            named={one.digest: one.number for one in versions if one.number},
            registry=rooms.standing(alias),
            asked=rooms.settings.tracking_uri is not None,
            rival=await asyncio.to_thread(rival, rooms, visit.caller.tenant),
            challenged=rooms.standing(CHALLENGER),
        )

    async def show_one(self, visit: Visit) -> Response:
        """Show a model: decision, figures, importance, and how one column acts."""
        digest = visit.part("model")
        versions, terms = await visit.rooms.look_up(lambda: self._versions(visit.rooms))
        one = next((version for version in versions if version.digest == digest), None)
        if one is None:
            raise RefusedError(NOT_FOUND, "a model must be one that is or was here")
        found: Weighed | Pending | None = None
        if one.dossier is not None and (policy := _policy(visit.rooms)):
            found = self._weighings.ask(digest, lambda: _ready(visit.rooms, one, policy))
        told = await asyncio.to_thread(_told, visit, one, found)
        tenths = one.dossier.tenths if one.dossier else None
        return visit.page(
            "model.html",
            one=one,
            decided=self._decided(one),
            terms=[term for term in terms if term.digest == digest],
            found=found,
            told=told,
            shown=SHOWN,
            refresh=REFRESH_SECONDS,
            calibrated=_calibrated(tenths),
            tenths=tenths,
            vintages=_vintages(one.dossier),
        )

    async def give_pack(self, visit: Visit) -> Response:
        """Return the figures of the validation pack as a file, byte for byte as sealed."""
        dossier = await asyncio.to_thread(self._archive.dossier, visit.part("model"))
        if dossier is None or dossier.pack is None:
            raise RefusedError(NOT_FOUND, "the model's copy must hold a pack")
        headers = {"content-disposition": 'attachment; filename="validation.json"'}
        return Response(dossier.raw, headers=headers, media_type="application/json")

    def _versions(self, rooms: Rooms) -> tuple[list[Version], list[Term]]:
        """Return every model that is kept here or has served, what serves first."""
        terms = self._archive.history(rooms.ledger.store.reader)
        now = rooms.served.model if rooms.served else None
        digests = dict.fromkeys([*([now.digest] if now else []), *(one.digest for one in terms)])
        digests |= dict.fromkeys(self._archive.kept())
        return [self._version(rooms, digest, newest(terms, digest)) for digest in digests], terms

    def _version(self, rooms: Rooms, digest: str, term: Term | None) -> Version:
        pointer, served, beside = self._archive.pointer(), rooms.served, rooms.shadow.model
        stands = pointer is not None and pointer.digest == digest
        number = rooms.number(digest)
        number = number or (pointer.version if pointer and stands else "")
        number = number or (term.version if term else "")
        serves = served is not None and served.model.digest == digest
        challenges = beside is not None and beside.digest == digest
        dossier = self._archive.dossier(digest)
        return Version(digest, number, dossier, term, serves, stands, challenges)

    def _decided(self, one: Version) -> Decided | None:
        """Return the signed decision that lets a model serve here, if it is the one that does."""
        pointer = self._archive.pointer()
        return self._archive.decided(pointer) if pointer and one.stands else None


@dataclass(frozen=True)
class _Told:
    weights: list[Weight]
    column: str  # whose dependence is shown
    label: str
    depends: Dependence


def _policy(rooms: Rooms) -> str:
    return rooms.served.policy.digest if rooms.served else ""


def _ready(rooms: Rooms, one: Version, policy: str) -> tuple[Pricer, Path] | None:
    desk, folder = rooms.desk(one.digest, one.number, policy), None
    if desk is None or not isinstance(desk.pricer, Pricer):
        return None
    folder = copies.find(rooms.settings.models, one.digest)
    return None if folder is None else (desk.pricer, folder)


def _told(visit: Visit, one: Version, found: Weighed | Pending | None) -> _Told | None:
    """Return what a weighing tells, in the reader's language."""
    if not isinstance(found, Weighed):
        return None
    desk = visit.rooms.desk(one.digest, one.number, _policy(visit.rooms))
    if desk is None or not isinstance(desk.pricer, Pricer):
        return None
    model = desk.pricer.model
    weights, asked = _weights(visit, model, found), visit.asked("column")
    names = model.column_set.names
    name = asked if asked in names else weights[0].name
    label = next(weight.label for weight in weights if weight.name == name)
    return _Told(weights, name, label, dependence(model, found, names.index(name), visit.words))


def _weights(visit: Visit, model: HazardModel, found: Weighed) -> list[Weight]:
    chinese, means = visit.words.language == "zh", found.importance
    order = np.argsort(-means, kind="stable").tolist()
    drawn = charts.bars([(0.0, float(means[at])) for at in order])
    columns, groups = model.column_set.columns, model.column_set.groups
    return [
        Weight(
            columns[at].name,
            columns[at].label_zh if chinese else columns[at].label,
            groups[columns[at].group][chinese],
            float(means[at]),
            bar,
        )
        for at, bar in zip(order, drawn, strict=True)
    ]


def _calibrated(tenths: object) -> Scatter | None:
    if not isinstance(tenths, dict):
        return None
    return foretold(*(tenths[name] for name in ("expected", "observed", "low", "high")))


def _vintages(dossier: Dossier | None) -> list[tuple[str, float, float | None, Bar]]:
    """Return first month, observed over expected, coverage and how far from 1 each origin is."""
    told = dossier.vintages if dossier else []
    drawn = charts.bars([(0.0, float(one["observed_over_expected"]) - 1.0) for one in told])
    return [
        (str(one["first"]), float(one["observed_over_expected"]), one.get("coverage"), bar)
        for one, bar in zip(told, drawn, strict=True)
    ]
