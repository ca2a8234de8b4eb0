"""What pages answer from: the office that quotes, the ledger, and what is kept beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from serving.ledger.anchors import Anchors
from serving.ledger.ledger import Ledger, not_recorded
from serving.ledger.store import TROUBLES
from serving.office import Office
from serving.settings import Settings

Found = TypeVar("Found")


@dataclass(frozen=True)
class Rooms:
    """The parts of the server that pages show."""

    settings: Settings
    office: Office
    ledger: Ledger
    anchors: Anchors

    async def look_up(self, question: Callable[[], Found]) -> Found:
        """Return the answer to a question to the ledger's database, asked beside the quotes.

        Raises:
            RefusedError: `not_recorded` if it cannot be read.
        """
        try:
            return await asyncio.to_thread(question)
        except TROUBLES as error:
            raise not_recorded(str(error)) from error
