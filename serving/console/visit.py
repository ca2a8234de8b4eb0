"""One request of one person to one page, and what a page is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from features.column import ColumnSet
from models.pricer import Pricer
from serving.access.caller import NOBODY, Caller
from serving.console.press import Press
from serving.console.rooms import Rooms
from serving.console.words import Words
from serving.doors import Door

MOST_LETTERS = 200  # of one thing asked for in an address


@dataclass(frozen=True)
class Visit:
    """Who asks for what, in which language, and what there is to answer from."""

    door: Door
    request: Request
    caller: Caller
    words: Words
    token: str  # that forms carry back
    rooms: Rooms
    press: Press
    pages: tuple[Page, ...]
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def signed_in(self) -> bool:
        """Say whether it is known who asks."""
        return self.caller is not NOBODY

    @property
    def column_set(self) -> ColumnSet | None:
        """Return the columns of the model that serves; None while none does."""
        bundle = self.rooms.office.bundle
        pricer = bundle.desk.pricer if bundle else None
        return pricer.model.column_set if isinstance(pricer, Pricer) else None

    def part(self, name: str) -> str:
        """Return a variable part of the address."""
        return str(self.request.path_params[name])

    def asked(self, name: str) -> str:
        """Return what the address asks for under a name; an empty text if it does not."""
        return (self.request.query_params.get(name) or "").strip()[:MOST_LETTERS]

    def in_language(self, code: str) -> str:
        """Return this page's address in a language."""
        query = [(k, v) for k, v in self.request.query_params.multi_items() if k != "language"]
        return f"{self.request.url.path}?{urlencode([*query, ('language', code)])}"

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page made of a template.

        Args:
            template: its file.
            status: of the answer.
            values: what the template shows.
        """
        html = self.press.printed(template, t=self.words, visit=self, nav=self._nav(), **values)
        return Response(html, status, media_type="text/html; charset=utf-8")

    def _nav(self) -> list[tuple[str, str, bool]]:
        """Return the pages that this person may open: their words, address, whether it is here."""
        return [
            (page.name, page.leads, self.door.path.startswith(page.leads))
            for page in self.pages
            if page.leads and page.scope in self.caller.scopes
        ]


Answer = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True)
class Page:
    """One noun of the console: what answers its doors, and its place in the navigation."""

    answers: Mapping[tuple[str, str], Answer]  # by method and path of doors in serving/doors.py
    name: str = ""  # its words are `nav.<name>`
    leads: str = ""  # the address in the navigation; empty: it has no place there
    scope: str = ""  # without which it does not show there
