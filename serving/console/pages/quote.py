"""One quote: the price, why it is what it is, whether it can be believed, and its proof."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from starlette.responses import Response

from models.pricer import Pricer
from pricing.errors import SeedrateError
from serving.console.cohort import Seen
from serving.console.portrait import SHOWN, Context, Portrait
from serving.console.proof import Proof, prove
from serving.console.rooms import Rooms
from serving.console.visit import Page, Visit
from serving.desk import Desk
from serving.doors import CONSOLE, READ
from serving.ledger.entry import Kept
from serving.ledger.receipt import receipt
from serving.ledger.reprice import Repriced, again
from serving.problem import QUOTE_NOT_FOUND, RefusedError

HERE = f"{CONSOLE}/quotes/{{quote_id}}"
VERIFIER = Path(__file__).parents[3] / "deploy" / "verify_receipt.py"


@dataclass(frozen=True)
class _Looked:
    """What the ledger and the models say of a quote."""

    kept: Kept
    body: dict[str, Any]
    proof: Proof
    portrait: Portrait | None  # None: it is erased, or not as it was recorded
    repriced: Repriced | None  # None: erased, or its model or policy is gone


async def show(visit: Visit) -> Response:
    """Show a quote."""
    kept = await _kept(visit)
    note = await visit.rooms.ledger.checkpoint(kept.seq + 1)
    looked = await visit.rooms.look_up(lambda: _looked(visit, kept, note))
    return visit.page("quote.html", **vars(looked), shown=SHOWN, quote_id=kept.quote_id)


async def give_receipt(visit: Visit) -> Response:
    """Return the receipt as a file."""
    kept = await _kept(visit)
    rooms, anchors = visit.rooms, visit.rooms.anchors.newest(kept.seq + 1)
    note = anchors[0].note if anchors else await rooms.ledger.checkpoint(kept.seq + 1)
    made = await rooms.look_up(lambda: receipt(kept, rooms.ledger.tiles, note, anchors))
    return _file(orjson.dumps(made), f"receipt-{kept.quote_id}.json", "application/json")


async def give_reply(visit: Visit) -> Response:
    """Return the recorded reply as a file, byte for byte."""
    kept = await _kept(visit)
    return _file(kept.reply, f"quote-{kept.quote_id}.json", "application/json")


async def give_verifier(visit: Visit) -> Response:
    """Return the program that verifies receipts anywhere."""
    return _file(VERIFIER.read_bytes(), VERIFIER.name, "text/x-python")


async def _kept(visit: Visit) -> Kept:
    quote_id, tenant, rooms = visit.part("quote_id"), visit.caller.tenant, visit.rooms
    kept = await rooms.look_up(lambda: rooms.ledger.store.reader.find(tenant, quote_id))
    if kept is None:
        raise RefusedError(QUOTE_NOT_FOUND, "the id must be one that POST /v1/quotes has given")
    return kept


def _looked(visit: Visit, kept: Kept, note: str) -> _Looked:
    rooms = visit.rooms
    proof = prove(kept, rooms.ledger.store, note, rooms.anchors)
    body = orjson.loads(kept.body)
    if kept.private is None or proof.fault:  # what is not as recorded is not shown
        return _Looked(kept, body, proof, None, None)
    desk = _desk(rooms, body)
    context, repriced = Context(), None
    if desk is not None:
        context, repriced = _context(rooms, desk, kept), again(kept, desk)
    portrait = Portrait(orjson.loads(kept.reply), visit.words, context)
    return _Looked(kept, body, proof, portrait, repriced)


def _desk(rooms: Rooms, body: dict[str, Any]) -> Desk | None:
    model, policy = body["model"], body["policy"]
    return rooms.desk(model["digest"], model["version"], policy["digest"])


def _context(rooms: Rooms, desk: Desk, kept: Kept) -> Context:
    """Return what the named model says of the recorded project."""
    pricer = desk.pricer
    if not isinstance(pricer, Pricer) or kept.private is None:
        return Context()
    try:
        asked = desk.contract.read(orjson.loads(kept.private.request))
    except SeedrateError:
        return Context(pricer.model)
    seen = Seen.of(pricer.model, asked.project, asked.deal.terms)
    return Context(pricer.model, seen, rooms.cohort(pricer))


def _file(content: bytes, name: str, media: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, headers=headers, media_type=media)


PAGE = Page(
    {
        ("GET", HERE): show,
        ("GET", f"{HERE}/receipt.json"): give_receipt,
        ("GET", f"{HERE}/reply.json"): give_reply,
        ("GET", f"{CONSOLE}/verify_receipt.py"): give_verifier,
    },
    scope=READ,
)
