"""The quotes that were recorded: found, filtered, and paged by their place in the log."""

from __future__ import annotations

from starlette.responses import Response

from serving.console.visit import Page, Visit
from serving.doors import CONSOLE, READ

HERE = f"{CONSOLE}/quotes"


async def show(visit: Visit) -> Response:
    """Show the newest quotes."""
    return visit.page("quotes.html")


PAGE = Page({("GET", HERE): show}, name="quotes", leads=HERE, scope=READ)
