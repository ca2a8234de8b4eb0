"""The quotes that were recorded: searched, filtered, paged by their place, and as a sheet."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response, StreamingResponse

from models.grades import GRADES, band
from serving.console import sheet
from serving.console.rooms import Rooms
from serving.console.visit import Page, Visit
from serving.doors import CONSOLE, QUOTE_ID, READ
from serving.instruments import KINDS
from serving.ledger.entry import microseconds
from serving.ledger.listing import MOST_COUNTED, Listed, Place, Sought

HERE = f"{CONSOLE}/quotes"
ROWS = 50  # of a page
SHEET_ROWS = 2000  # of one look into the ledger
FIELDS = ("project", "instrument", "model", "grade", "from", "to", "least", "most")
_PLACE = re.compile(r"([0-9]{1,17})\.([0-9]{1,17})")


@dataclass
class Search:
    """What a person asked for, as they typed it, and what it means."""

    typed: dict[str, str]
    sought: Sought
    faults: dict[str, str] = field(default_factory=dict)  # by field: a key of the words

    @property
    def narrowed(self) -> bool:
        """Say whether anything was asked for."""
        return any(self.typed.values())

    def query(self, **more: str) -> str:
        """Return it as the query of an address."""
        asked = {name: text for name, text in {**self.typed, **more}.items() if text}
        return f"?{urlencode(asked)}" if asked else ""


def search(visit: Visit) -> Search:
    """Return what the address of a visit asks for."""
    typed = {name: visit.asked(name) for name in FIELDS}
    faults: dict[str, str] = {}
    first, last = (_day(typed[name], name, faults) for name in ("from", "to"))
    if first and last and last < first:
        faults["to"] = "quotes.fault.order"
    least, most = (_hundredths(typed[name], name, faults) for name in ("least", "most"))
    if least is not None and most is not None and most < least:
        faults["most"] = "quotes.fault.order"
    grade = typed["grade"]
    if grade and grade not in map(str, GRADES):
        faults["grade"] = "quotes.fault.choice"
    if typed["instrument"] and typed["instrument"] not in KINDS:
        faults["instrument"] = "quotes.fault.choice"
    sought = Sought(
        from_us=microseconds(first) if first else None,
        before_us=microseconds(last + timedelta(days=1)) if last else None,
        reference=typed["project"],
        instrument=typed["instrument"],
        model=typed["model"],
        least=least,
        most=most,
        grades=(int(grade),) if grade and "grade" not in faults else (),
    )
    return Search(typed, sought, faults)


async def show(visit: Visit) -> Response:
    """Show quotes, the newest first; an id leads to its quote."""
    asked = search(visit)
    if re.fullmatch(QUOTE_ID, asked.typed["project"]):
        return RedirectResponse(f"{HERE}/{asked.typed['project']}", 303)
    found, count = _Found([], None, None), 0
    if not asked.faults:
        after, newer = _place(visit.asked("after")), _place(visit.asked("newer"))
        found, count = await visit.rooms.look_up(
            lambda: _found(visit.rooms, visit.caller.tenant, asked.sought, after, newer)
        )
    return visit.page(
        "quotes.html",
        status=422 if asked.faults else 200,
        search=asked,
        found=found,
        count=count,
        most_counted=MOST_COUNTED,
        kinds=KINDS,
        grades=[(grade, band(grade)) for grade in GRADES],
    )


async def spread_out(visit: Visit) -> Response:
    """Return the newest MOST_COUNTED quotes found as a sheet, row by row as they are read."""
    asked = search(visit)
    if asked.faults:
        return RedirectResponse(HERE + asked.query(), 303)
    headers = {"content-disposition": 'attachment; filename="quotes.csv"'}
    rows = _sheet(visit.rooms, visit.caller.tenant, asked.sought)
    return StreamingResponse(rows, headers=headers, media_type="text/csv; charset=utf-8")


@dataclass(frozen=True)
class _Found:
    rows: Sequence[Listed]
    older: str | None  # the place from which older quotes go on
    newer: str | None


def _found(
    rooms: Rooms, tenant: str, sought: Sought, after: Place | None, newer: Place | None
) -> tuple[_Found, int]:
    """Return a page of quotes, and how many there are."""
    reader = rooms.ledger.store.reader
    rows = reader.quotes(tenant, sought, newer or after, ROWS + 1, newer=newer is not None)
    more, rows = len(rows) > ROWS, rows[:ROWS]
    if newer is not None:
        rows.reverse()
    before = more if newer else after is not None
    beyond = True if newer else more
    page = _Found(
        rows,
        older=_written(rows[-1].place) if rows and beyond else None,
        newer=_written(rows[0].place) if rows and before else None,
    )
    return page, reader.count(tenant, sought)


async def _sheet(rooms: Rooms, tenant: str, sought: Sought) -> AsyncIterator[str]:
    reader, at = rooms.ledger.store.reader, None
    yield sheet.HEAD
    for _ in range(MOST_COUNTED // SHEET_ROWS):
        place = at

        def look(place: Place | None = place) -> list[Listed]:
            return reader.quotes(tenant, sought, place, SHEET_ROWS)

        rows = await rooms.look_up(look)
        yield "".join(map(sheet.line, rows))
        if len(rows) < SHEET_ROWS:
            return
        at = rows[-1].place


def _place(text: str) -> Place | None:
    found = _PLACE.fullmatch(text)
    return Place(int(found[1]), int(found[2])) if found else None


def _written(place: Place) -> str:
    return f"{place.created_us}.{place.seq}"


def _day(text: str, name: str, faults: dict[str, str]) -> datetime | None:
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        day = None
    if text and (day is None or not 1970 <= day.year < 9999):
        faults[name] = "quotes.fault.day"
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None


def _hundredths(text: str, name: str, faults: dict[str, str]) -> int | None:
    try:
        number = float(text) if text else None
    except ValueError:
        number = float("nan")
    if number is not None and not abs(number) <= 1e9:
        faults[name] = "quotes.fault.number"
        return None
    return None if number is None else round(100 * number)


PAGE = Page(
    {("GET", HERE): show, ("GET", f"{HERE}.csv"): spread_out},
    name="quotes",
    leads=HERE,
    scope=READ,
)
