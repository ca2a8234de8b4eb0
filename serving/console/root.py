"""The composition root of the console: the server's parts in, a house out."""

from __future__ import annotations

import secrets
import time

from serving.access import root
from serving.access.guard import Guard
from serving.console.assets import Assets
from serving.console.books.runner import Runner
from serving.console.books.shelf import Shelf
from serving.console.dossier import Archive
from serving.console.forms import Stamps
from serving.console.house import House
from serving.console.pages import pages
from serving.console.pages.books import BooksPage
from serving.console.pages.ledger import LedgerPage
from serving.console.pages.models import ModelsPage
from serving.console.pages.promotions import PromotionsPage, runner
from serving.console.pages.sign_in import SignIn
from serving.console.press import Press
from serving.console.proposals import Proposals
from serving.console.rooms import Rooms
from serving.console.seen import Seen
from serving.console.session import Sessions, Throttle

ALONE = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}  # a book is priced on one core


def house(rooms: Rooms, guard: Guard) -> House:
    """Return the house of a server.

    Args:
        rooms: that its pages show.
        guard: of the same server, which knows tokens and limits.
    """
    settings, assets = rooms.settings, Assets.read()
    keys = root.key_store(settings)
    sessions = Sessions(keys, time.time, secrets.token_bytes)
    audit = root.audit(settings)
    sign_in = SignIn(sessions, Throttle(time.monotonic), audit, guard.refusals)
    run = runner(settings) if settings.console_promotes else None
    promotions = PromotionsPage(Proposals(keys, time.time), audit, run)
    shelf = Shelf(settings.books, settings.book_days, time.time, lambda: secrets.token_hex(16))
    books = Runner(shelf, audit, {"SEEDRATE_VAR": str(settings.var), **ALONE})
    more = (
        BooksPage(books, audit, settings.book_mib),
        LedgerPage(Seen(keys, time.time)),
        ModelsPage(Archive(settings)),
        promotions,
    )
    return House(
        rooms=rooms,
        pages=(sign_in.page(), *pages(), *(one.page() for one in more)),
        assets=assets,
        press=Press(assets),
        guard=guard,
        sessions=sessions,
        stamps=Stamps(settings.access.pepper, secrets.token_bytes),
        books=books,
    )
