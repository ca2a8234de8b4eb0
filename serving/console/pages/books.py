"""Books that a person uploads: priced beside the server, shown added up, and downloaded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from starlette.responses import FileResponse, RedirectResponse, Response

from models.pricer import Pricer
from serving.access.audit import Audit, Event
from serving.access.caller import Caller
from serving.console import forms
from serving.console.book import Total
from serving.console.books import upload
from serving.console.books.kept import DONE, FAILED, SCORED, SHEET, SUMMARY, Kept, Progress
from serving.console.books.runner import Runner, facts
from serving.console.books.shelf import DAY_SECONDS, MOST_KEPT, MOST_UNDER_WAY, NoRoomError
from serving.console.charts import bars
from serving.console.pages.portfolio import HERE as PORTFOLIO
from serving.console.visit import Page, Visit
from serving.doors import CSV, PRICE
from serving.instruments import KINDS
from serving.problem import (
    BODY_TOO_LARGE,
    NOT_FOUND,
    NOT_READY,
    UNSUPPORTED_MEDIA_TYPE,
    RefusedError,
)

HERE = f"{PORTFOLIO}/books"
ONE = f"{HERE}/{{book}}"
REFRESH_SECONDS = 3
MIB = 1 << 20
MOST_LETTERS = 80  # of a file's name
FILES = {SCORED: "application/vnd.apache.parquet", SHEET: f"{CSV}; charset=utf-8"}
SHOWN = {BODY_TOO_LARGE: "too_large", UNSUPPORTED_MEDIA_TYPE: "wrong_kind"}


class BooksPage:
    """Takes books in, and shows what became of them."""

    def __init__(self, runner: Runner, audit: Audit, most_mib: int) -> None:
        """Stand at the counter.

        Args:
            runner: prices the books of its shelf.
            audit: in which who did what is noted.
            most_mib: of a file.
        """
        self._runner, self._shelf = runner, runner.shelf
        self._audit, self._most_mib = audit, most_mib

    def page(self) -> Page:
        """Return the page; the portfolio's leads to it."""
        return Page(
            {
                ("GET", HERE): self.show,
                ("POST", HERE): self.take,
                ("GET", ONE): self.show_one,
                ("POST", ONE): self.act,
                ("GET", f"{ONE}/{SCORED}"): self.download,
                ("GET", f"{ONE}/{SHEET}"): self.download,
            }
        )

    async def show(self, visit: Visit) -> Response:
        """Show one's books, and a form for another."""
        return await self._listed(visit)

    async def take(self, visit: Visit) -> Response:
        """Take a book in: it is on the disk, and nowhere else, before it waits."""
        most_bytes = self._most_mib * MIB
        try:
            arriving = await asyncio.to_thread(self._shelf.arriving, visit.caller, most_bytes)
        except NoRoomError as full:
            return await self._listed(visit, status=503, refusal=full.why)
        try:
            kept = await self._kept(visit, arriving, most_bytes)
        except NoRoomError as full:
            return await self._listed(visit, status=503, refusal=full.why)
        except RefusedError as refused:
            if refused.problem not in SHOWN:
                raise
            self._note("book_refused", visit, refused.detail)
            why = SHOWN[refused.problem]
            return await self._listed(visit, status=refused.problem.status, refusal=why)
        finally:
            await asyncio.to_thread(self._shelf.drop, arriving)
        self._note("book_uploaded", visit, facts(kept))
        self._runner.wake()
        return RedirectResponse(f"{HERE}/{kept.id}", 303)

    async def show_one(self, visit: Visit) -> Response:
        """Show a book: how far it is, why it has no prices, or what it comes to."""
        kept = await self._found(visit)
        return await asyncio.to_thread(self._shown, visit, kept)

    async def act(self, visit: Visit) -> Response:
        """Cancel, take up again, or delete."""
        kept, asked = await self._found(visit), visit.form.get("act", "")
        acts = {
            "cancel": (self._runner.cancel, "book_cancelled", f"{HERE}/{kept.id}"),
            "go_on": (self._runner.go_on, "book_resumed", f"{HERE}/{kept.id}"),
            "delete": (self._runner.delete, "book_deleted", HERE),
        }
        if asked not in acts:
            raise RefusedError(NOT_FOUND, "an act must be cancel, go_on or delete")
        do, noted, onward = acts[asked]
        if await asyncio.to_thread(do, kept.id) is not False:
            self._note(noted, visit, kept.id)
        return RedirectResponse(onward, 303)

    async def download(self, visit: Visit) -> Response:
        """Return the prices and their reasons as a file."""
        kept = await self._found(visit)
        name = visit.request.url.path.rpartition("/")[2]
        if kept.state != DONE:
            raise RefusedError(NOT_FOUND, "a book must be priced before it has results")
        if visit.request.method == "GET":
            self._note("book_downloaded", visit, f"{kept.id}/{name}")
        path = self._shelf.place(kept.id) / name
        filename = f"{kept.id[:8]}-{name}"
        return FileResponse(path, media_type=FILES[name], filename=filename)

    async def _kept(self, visit: Visit, arriving: Path, most_bytes: int) -> Kept:
        came = await upload.receive(
            visit.request,
            lambda fields: forms.demand(visit.token, fields),
            arriving / "upload",
            most_bytes,
        )
        bundle = visit.rooms.office.bundle
        pricer = bundle.desk.pricer if bundle else None
        if not isinstance(pricer, Pricer):
            raise RefusedError(NOT_READY, "no model serves yet")
        instrument = came.fields.get("instrument", "")
        return await asyncio.to_thread(
            lambda: self._shelf.keep(
                arriving,
                visit.caller,
                name=_name(came.name),
                kind=came.kind,
                size_bytes=came.size_bytes,
                digest=came.digest,
                instrument=instrument if instrument in KINDS else KINDS[0],
                model=pricer.model.digest,
                version=str(pricer.model.card.get("version", "")),
                policy=pricer.policy.digest,
                on=f"{datetime.fromtimestamp(self._shelf.now(), UTC):%Y-%m-%d}",
            )
        )

    async def _listed(self, visit: Visit, *, status: int = 200, refusal: str = "") -> Response:
        told = await asyncio.to_thread(self._told, visit.caller)
        response = visit.page(
            "books.html",
            status=status,
            books=told,
            refusal=refusal,
            waits=any(kept.is_under_way for kept, _ in told) and not refusal,
            most_waiting=MOST_UNDER_WAY,
            most_kept=MOST_KEPT,
            **self._common(visit),
        )
        if status == 503:
            response.headers["Retry-After"] = "60"
        return response

    def _told(self, caller: Caller) -> list[tuple[Kept, Progress | None]]:
        """Return the books of a caller, each with how far it is."""
        books = self._shelf.all_of(caller)
        return [(kept, Progress.read(self._shelf.place(kept.id))) for kept in books]

    def _shown(self, visit: Visit, kept: Kept) -> Response:
        folder = self._shelf.place(kept.id)
        return visit.page(
            "book.html",
            kept=kept,
            progress=Progress.read(folder) or Progress(),
            before=self._shelf.before(kept),
            sums=_sums(folder) if kept.state == DONE else None,
            waits=kept.is_under_way,
            failed=kept.state == FAILED,
            mib=kept.size_bytes / MIB,
            **self._common(visit),
        )

    def _common(self, visit: Visit) -> dict[str, Any]:
        return {
            "may": PRICE in visit.caller.scopes,
            "kinds": KINDS,
            "most_mib": self._most_mib,
            "days": self._shelf.days,
            "expires": lambda kept: kept.came + self._shelf.days * DAY_SECONDS,
            "refresh": REFRESH_SECONDS,
            "still": visit.asked("still") == "1",
        }

    async def _found(self, visit: Visit) -> Kept:
        kept = await asyncio.to_thread(self._shelf.mine, visit.caller, visit.part("book"))
        if kept is None:
            raise RefusedError(NOT_FOUND, "a book must be one of the caller's own")
        return kept

    def _note(self, kind: str, visit: Visit, why: str) -> None:
        caller = visit.caller
        self._audit.note(Event(kind, caller.tenant, caller.client, route=HERE, why=why))


def _sums(folder: Path) -> Mapping[str, Any]:
    """Return what a book comes to, with the bars of its tables."""
    told = orjson.loads((folder / SUMMARY).read_bytes())
    amount = told["whole"]["amount"]
    tables = []
    for name, parts in told["parts"].items():
        rows = [_total(one, amount) for one in parts]
        drawn = bars([(0.0, row.share) for row in rows])
        tables.append((name, [*zip(rows, parts, drawn, strict=True)]))
    return {**told, "whole": _total(told["whole"], amount), "tables": tables}


def _total(one: Mapping[str, Any], whole: float) -> Total:
    return Total(
        label=one["label"],
        count=one["count"],
        amount=one["amount"],
        loss=one["loss"],
        capital=0.0,
        spread_bps=one["spread_bps"],
        share=one["amount"] / (whole or 1.0),
    )


def _name(given: str) -> str:
    """Return what a person calls their file, fit to be shown; it names nothing on the disk."""
    said = given.encode("latin-1", "replace").decode("utf-8", "replace")
    last = said.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:MOST_LETTERS]
