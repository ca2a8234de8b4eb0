"""What if: a request changed by hand, priced beside the original, and what would lower it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

from features.column import ColumnSet
from models.cheaper import Alternative
from models.pricer import Pricer
from models.reasons import said
from pricing.errors import Fault, InputError, PolicyError
from serving.alternatives import alternatives, moved
from serving.console.difference import Difference, bps_of, figure_of
from serving.console.inputs import Sheet, by_path, request_of, typed
from serving.console.portrait import SHOWN
from serving.console.visit import Page, Visit
from serving.desk import Desk
from serving.doors import CONSOLE, EXPLAIN
from serving.examples import askable
from serving.ledger.listing import Sought
from serving.problem import (
    ERASED,
    INVALID_INPUT,
    MALFORMED_REQUEST,
    NOT_QUOTED,
    NOT_READY,
    QUOTE_NOT_FOUND,
    RefusedError,
)
from serving.strict_json import parse
from serving.terminal import FIGURES

HERE = f"{CONSOLE}/what-if"
RECENT = 5  # recorded quotes that are offered to start from
OWN = ("reference", "overrides")  # of a request, that the form does not show and keeps


@dataclass(frozen=True)
class Way:
    """An alternative as the page tells it."""

    moves: tuple[tuple[str, str, str], ...]  # label, from, to
    bps: float
    change: float
    effort: float
    take: str  # the values as a button sends them


@dataclass(frozen=True)
class Answer:
    """The prices, or why there is none."""

    difference: Difference | None = None
    ways: tuple[Way, ...] = ()
    movable: bool = False
    faults: tuple[Fault, ...] = ()
    refusal: str = ""  # the policy's


async def ask(visit: Visit) -> Response:
    """Offer what to start from; show the form of what was chosen."""
    desk = visit.rooms.office.served.desk
    chosen = await _chosen(visit, desk)
    if chosen is None:
        recent = await visit.rooms.look_up(
            lambda: visit.rooms.ledger.store.reader.quotes(
                visit.caller.tenant, Sought(), None, RECENT
            )
        )
        return visit.page(
            "what_if_start.html",
            recent=[one for one in recent if one.facts.amount is not None],
            examples=sorted(askable(desk.contract)),
            kinds=tuple(desk.contract.kinds),
            wrong=visit.asked("quote"),
        )
    return await _shown(visit, desk, chosen, typed(chosen), start=True)


async def answer(visit: Visit) -> Response:
    """Price what the form asks beside the original; record nothing."""
    desk = visit.rooms.office.served.desk
    original = _original(visit.form.get("original", ""))
    told = {k: v for k, v in visit.form.items() if k.startswith(("project.", "instrument."))}
    if visit.form.get("take"):
        told |= _taken(visit.form["take"], desk)
    return await _shown(visit, desk, original, told)


async def _chosen(visit: Visit, desk: Desk) -> dict[str, Any] | None:
    """Return the request that the address names: a quote's, an example, or an empty one."""
    quote_id, example, kind = (visit.asked(name) for name in ("quote", "example", "kind"))
    if quote_id:
        reader = visit.rooms.ledger.store.reader
        kept = await visit.rooms.look_up(lambda: reader.find(visit.caller.tenant, quote_id))
        if kept is None:
            raise RefusedError(QUOTE_NOT_FOUND, "the id must be one that POST /v1/quotes has given")
        if kept.private is None:
            raise RefusedError(ERASED, "its request and its reply were erased")
        asked: dict[str, Any] = orjson.loads(kept.private.request)
        return asked
    if example:
        return dict(askable(desk.contract).get(example) or {}) or None
    if kind in desk.contract.kinds:
        return {"project": {}, "instrument": {"kind": kind}}
    return None


async def _shown(
    visit: Visit,
    desk: Desk,
    original: dict[str, Any],
    told: Mapping[str, str],
    *,
    start: bool = False,
) -> Response:
    asked = {**{k: original[k] for k in OWN if k in original}, **request_of(told, desk.contract)}
    blank = not original["project"]  # there is nothing to compare with
    found = (
        Answer()
        if start and blank
        else await asyncio.to_thread(
            lambda: _priced(visit, desk, asked if blank else original, asked)
        )
    )
    column_set = _column_set(desk)
    sheet = Sheet(
        contract=desk.contract,
        column_set=column_set,
        words=visit.words,
        typed={**told, "instrument.kind": asked["instrument"]["kind"] or "term_loan"},
        original={} if blank else typed(original),
        faults=by_path(found.faults),
    )
    if sheet.kind not in desk.contract.kinds:
        raise RefusedError(MALFORMED_REQUEST, "the form must name an instrument")
    groups = sheet.groups()
    shown = {one.name for group in groups for one in group.inputs}
    return visit.page(
        "what_if.html",
        status=INVALID_INPUT.status
        if found.faults
        else NOT_QUOTED.status
        if found.refusal
        else 200,
        groups=groups,
        sheet=sheet,
        answer=found,
        elsewhere=[fault for path, fault in sheet.faults.items() if path not in shown],
        original=orjson.dumps(asked if blank and found.difference else original).decode(),
        reference=original.get("reference") or "",
        blank=blank,
        quote_id=visit.asked("quote"),
        shown=SHOWN,
    )


def _priced(
    visit: Visit, desk: Desk, original: Mapping[str, Any], asked: Mapping[str, Any]
) -> Answer:
    """Return the price of what is asked beside the original's, both by the model that serves."""
    try:
        after = _document(visit, desk, asked)
        before = after if asked == original else _document(visit, desk, original)
        found = alternatives(desk, asked, visit.caller, desk.now())
    except InputError as error:
        return Answer(faults=error.faults)
    except PolicyError as error:
        return Answer(refusal=str(error))
    column_set = _column_set(desk)
    ways = tuple(_way(visit, one, after, desk) for one in found)
    movable = any(column.movable for column in column_set.columns)
    return Answer(Difference(before, after, visit.words, column_set), ways, movable)


def _document(visit: Visit, desk: Desk, asked: Mapping[str, Any]) -> dict[str, Any]:
    own = {**asked, "language": visit.words.language}
    document: dict[str, Any] = orjson.loads(desk.what_if(own, visit.caller).body)
    return document


def _way(visit: Visit, one: Alternative, after: Mapping[str, Any], desk: Desk) -> Way:
    language, currency = visit.words.language, _column_set(desk).currency
    moves = tuple(
        (
            move.column.label_zh if language == "zh" else move.column.label,
            _said(visit, said(move.column, move.before, language, currency)),
            _said(visit, said(move.column, move.value, language, currency)),
        )
        for move in one.moves
    )
    bps = (one.price if FIGURES[figure_of(after)].costs else -one.price) / 100
    change = round(bps - bps_of(after), 2)
    return Way(moves, bps, change, one.effort, orjson.dumps(one.values).decode())


def _said(visit: Visit, text: str) -> str:
    return visit.words.name("choice", text) if text.isidentifier() else text


def _column_set(desk: Desk) -> ColumnSet:
    if not isinstance(desk.pricer, Pricer):
        raise RefusedError(NOT_READY, "a form is made of a model's columns, and there is no model")
    return desk.pricer.model.column_set


def _original(text: str) -> dict[str, Any]:
    """Return the request that a form started from, as it carries it."""
    try:
        original = parse(text.encode())
        sections = original["project"], original["instrument"]
    except (RefusedError, KeyError, TypeError):
        raise RefusedError(MALFORMED_REQUEST, "the form must carry what it started from") from None
    if not all(isinstance(one, dict) for one in sections):
        raise RefusedError(MALFORMED_REQUEST, "the form must carry what it started from")
    return dict(original)


def _taken(text: str, desk: Desk) -> dict[str, str]:
    """Return the fields of an alternative that was chosen."""
    try:
        values = parse(text.encode())
        terms = {c.name: c.terms for c in _column_set(desk).columns if c.terms}
        request = moved({"project": {}, "instrument": {}}, values, terms)
    except (RefusedError, AttributeError, TypeError):
        raise RefusedError(MALFORMED_REQUEST, "an alternative must be one of the page's") from None
    fields = typed(request)
    return {k: v for k, v in fields.items() if k != "instrument.kind"}


PAGE = Page({("GET", HERE): ask, ("POST", HERE): answer}, name="what_if", leads=HERE, scope=EXPLAIN)
