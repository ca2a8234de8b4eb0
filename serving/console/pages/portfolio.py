"""The quoted book: how much, how risky, how concentrated."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from serving.console.book import SECTOR, Book, Holding, Total, holding, newest
from serving.console.charts import Bar, bars
from serving.console.pages.quotes import search
from serving.console.rooms import Rooms
from serving.console.visit import Page, Visit
from serving.doors import CONSOLE, PRICE, READ
from serving.instruments import KINDS
from serving.ledger.listing import Place, Sought

HERE = f"{CONSOLE}/portfolio"
MOST = 5000  # quotes of a book, the newest
AT_ONCE = 500  # of one look into the ledger


async def show(visit: Visit) -> Response:
    """Show the book of the caller's tenant."""
    asked = search(visit)
    held: Sequence[Holding] = ()
    more = False
    if not asked.faults:
        held, more = await visit.rooms.look_up(
            lambda: _held(visit.rooms, visit.caller.tenant, asked.sought)
        )
    book = Book(held)
    return visit.page(
        "portfolio.html",
        status=422 if asked.faults else 200,
        search=asked,
        kinds=KINDS,
        book=book,
        more=more,
        most=MOST,
        may_upload=PRICE in visit.caller.scopes,
        tables=_tables(visit, book),
        concentrations=[
            ("project", book.concentration(lambda one: one.name)),
            ("sector", book.concentration(lambda one: _sector(visit, one))),
            (
                "instrument",
                book.concentration(lambda one: visit.words.name("kind", one.instrument)),
            ),
        ],
    )


def _tables(visit: Visit, book: Book) -> list[tuple[str, list[tuple[Total, Bar]]]]:
    """Return every table of the page: its name, and rows with the bar of their share."""
    parts = {
        "grade": book.by(lambda one: one.grade),
        "instrument": book.by(lambda one: visit.words.name("kind", one.instrument)),
        "month": book.by(lambda one: one.month),
        "sector": book.by(lambda one: _sector(visit, one)),
    }
    return [
        (name, [*zip(rows, bars([(0.0, row.share) for row in rows]), strict=True)])
        for name, rows in parts.items()
    ]


def _sector(visit: Visit, one: Holding) -> str:
    if not one.sector:
        return visit.words("portfolio.no_sector")
    columns = visit.column_set.columns if visit.column_set else ()
    column = next((column for column in columns if column.name == SECTOR), None)
    return visit.words.level(column, one.sector)


def _held(rooms: Rooms, tenant: str, sought: Sought) -> tuple[Sequence[Holding], bool]:
    """Return the newest quotes as a book, and whether there are more; erased ones are not in it."""
    reader, at = rooms.ledger.store.reader, None
    found: list[Holding] = []
    looked = 0
    while looked < MOST:
        place: Place | None = at
        rows = reader.quotes(tenant, sought, place, AT_ONCE)
        replies = reader.replies(tenant, [row.place.seq for row in rows])
        found += [
            holding(row.facts, row.place.created_us, row.quote_id, replies[row.place.seq])
            for row in rows
            if row.place.seq in replies
        ]
        looked += len(rows)
        if len(rows) < AT_ONCE:
            return newest(found), False
        at = rows[-1].place
    return newest(found), True


PAGE = Page({("GET", HERE): show}, name="portfolio", leads=HERE, scope=READ)
