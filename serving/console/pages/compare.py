"""What tells two prices apart: two quotes, or one project priced by two models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from starlette.responses import Response

from models import copies
from models.copies import DIGEST
from pricing.errors import SeedrateError
from serving.console.difference import Difference
from serving.console.portrait import SHOWN
from serving.console.rooms import Rooms
from serving.console.visit import Page, Visit
from serving.desk import Desk
from serving.doors import CONSOLE, QUOTE_ID, READ
from serving.ledger.entry import Kept

HERE = f"{CONSOLE}/compare"
TODAY = "today"
MOST_MODELS = 20


@dataclass(frozen=True)
class Side:
    """One of two prices, and what the page calls it."""

    reply: Mapping[str, Any]
    name: str
    says: str


@dataclass(frozen=True)
class Answer:
    """Both prices, or why there are not two."""

    difference: Difference | None = None
    sides: tuple[Side, ...] = ()
    fault: str = ""  # a key of the words
    field: str = ""  # of the form
    detail: str = ""


@dataclass(frozen=True)
class Model:
    """A model that is kept beside the champion."""

    digest: str
    name: str
    challenges: bool


async def show(visit: Visit) -> Response:
    """Show the difference of what the address names."""
    one, other, by = (visit.asked(name) for name in ("a", "b", "by"))
    found = Answer()
    if one and (other or by):  # one alone: the form waits for the second
        found = await visit.rooms.look_up(lambda: _answer(visit, one, other, by))
    models = await visit.rooms.look_up(lambda: kept_models(visit.rooms))
    return visit.page(
        "compare.html",
        status=422 if found.fault else 200,
        answer=found,
        typed={"a": one, "b": other, "by": by},
        models=models,
        today=TODAY,
        shown=SHOWN,
    )


def kept_models(rooms: Rooms) -> list[Model]:
    """Return the models whose copies lie here, a challenger's too, those that came last first."""
    beside, found = rooms.shadow.model, []
    for folder in copies.kept(rooms.settings.models)[:MOST_MODELS]:
        if (folder / "card.json").is_file():
            card = orjson.loads((folder / "card.json").read_bytes())
            version = rooms.number(folder.name) or folder.name[:12]
            challenges = beside is not None and beside.digest == folder.name
            found.append(Model(folder.name, f"{card.get('name', '')} {version}", challenges))
    return found


def _answer(visit: Visit, one: str, other: str, by: str) -> Answer:
    kept = _kept(visit, one)
    if kept is None or kept.private is None:
        return Answer(fault=_why(kept), field="a")
    if by and by != TODAY and not DIGEST.fullmatch(by):
        return Answer(fault="compare.no_model", field="by")
    first = _recorded(visit, kept)
    if by:
        return _priced_by(visit, kept, first, by)
    beside = _kept(visit, other)
    if beside is None or beside.private is None:
        return Answer(fault=_why(beside), field="b")
    return _told(visit, first, _recorded(visit, beside))


def _priced_by(visit: Visit, kept: Kept, first: Side, by: str) -> Answer:
    """Price the facts of a quote by another model, or by the champion of today."""
    desk, now = _desk(visit, first.reply, by)
    if desk is None:
        return Answer(fault="compare.no_model", field="by")
    asked = {
        **orjson.loads(kept.private.request if kept.private else b"{}"),
        "language": visit.words.language,
    }
    try:
        priced = desk.price(asked, visit.caller, now, recorded=False)
    except SeedrateError as error:
        return Answer(fault="compare.refused", field="by", detail=str(error))
    reply = orjson.loads(priced.body)
    name = visit.words("compare.today") if by == TODAY else visit.words("compare.challenger")
    return _told(visit, first, Side(reply, name, _model(reply)))


def _desk(visit: Visit, reply: Mapping[str, Any], by: str) -> tuple[Desk | None, datetime]:
    """Return who prices again, and on which day: only the model is another, or all is today's."""
    if by == TODAY:
        desk = visit.rooms.office.served.desk
        return desk, desk.now()
    found = visit.rooms.desk(by, visit.rooms.number(by), reply["policy"]["digest"])
    return found, datetime.fromisoformat(reply["time"])


def _told(visit: Visit, first: Side, second: Side) -> Answer:
    difference = Difference(first.reply, second.reply, visit.words, visit.column_set)
    return Answer(difference, (first, second))


def _recorded(visit: Visit, kept: Kept) -> Side:
    reply = orjson.loads(kept.reply)
    name = reply["reference"] or visit.words("quotes.unnamed", id=kept.quote_id[-6:])
    return Side(reply, name, f"{reply['time'][:10]} · {_model(reply)}")


def _model(reply: Mapping[str, Any]) -> str:
    return f"{reply['model']['name']} {reply['model']['version'] or reply['model']['digest'][:12]}"


def _kept(visit: Visit, quote_id: str) -> Kept | None:
    if not re.fullmatch(QUOTE_ID, quote_id):
        return None
    return visit.rooms.ledger.store.reader.find(visit.caller.tenant, quote_id)


def _why(kept: Kept | None) -> str:
    return "compare.not_found" if kept is None else "compare.erased"


PAGE = Page({("GET", HERE): show}, name="compare", leads=HERE, scope=READ)
