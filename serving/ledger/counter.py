"""The addresses that answer from the ledger: quotes again, proofs, and what outsiders verify."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from serving.access.caller import Caller
from serving.ledger.anchors import Anchors
from serving.ledger.entry import Kept
from serving.ledger.note import Checkpoint
from serving.ledger.receipt import receipt
from serving.ledger.tiles import Tile, Tiles
from serving.problem import KEY_NOT_FOUND, NOT_FOUND, QUOTE_NOT_FOUND, RefusedError

NO_TILE = "the log must be as large as the tile asked for"
Answer = TypeVar("Answer")
Answers = Mapping[str, Callable[[Request], Awaitable[Response]]]


class Books(Protocol):
    """What is asked of a ledger here: `serving.ledger.ledger.Ledger`, or a small one in a test."""

    @property
    def tiles(self) -> Tiles:
        """Return the tree."""

    @property
    def trouble(self) -> str:
        """Return why nothing can be recorded, or an empty string."""

    def flight(self, tenant: str, key: str) -> AbstractContextManager[None]:
        """Hold a key while its request is answered; refuse if it is held."""

    async def find(self, tenant: str, quote_id: str) -> Kept | None:
        """Return what is recorded under an id."""

    async def find_keys(self, tenant: str, keys: Sequence[str]) -> Mapping[str, Kept]:
        """Return what is recorded under keys of a tenant, by key."""

    async def checkpoint(self, least: int = 0) -> str:
        """Return the newest checkpoint, of at least a size."""

    async def ask(self, question: Callable[[], Answer]) -> Answer:
        """Return the answer to a question to the store."""


class Counter:
    """Answers from the books."""

    def __init__(self, books: Books, anchors: Anchors) -> None:
        """Open over the books and the folder of evidence."""
        self._books = books
        self._anchors = anchors

    @property
    def trouble(self) -> str:
        """Return why nothing can be recorded, or an empty string."""
        return self._books.trouble

    def answers(self) -> Answers:
        """Return what answers, by address."""
        return {
            "/v1/quotes/{quote_id}": self.recorded,
            "/v1/quotes/{quote_id}/receipt": self.receipt,
            "/v1/keys/{key}": self.by_key,
            "/v1/checkpoint": self.checkpoint,
            "/v1/tile/{level}/{index}": self.tile,
        }

    async def recorded(self, request: Request) -> Response:
        """Answer GET /v1/quotes/{quote_id}."""
        return _reply(await self._kept(request))

    async def by_key(self, request: Request) -> Response:
        """Answer GET /v1/keys/{key}: recorded, here it is; being answered; or not recorded."""
        whose, key = tenant(request), request.path_params["key"]
        with self._books.flight(whose, key.partition("#")[0]):
            pass  # nothing is under way: what is not recorded now was not given
        kept = (await self._books.find_keys(whose, (key,))).get(key)
        if kept is None:
            raise RefusedError(KEY_NOT_FOUND, "the key must be one under which a quote was given")
        return _reply(kept)

    async def receipt(self, request: Request) -> Response:
        """Answer GET /v1/quotes/{quote_id}/receipt."""
        kept = await self._kept(request)
        anchors = self._anchors.newest(kept.seq + 1)
        note = anchors[0].note if anchors else await self._books.checkpoint(kept.seq + 1)
        made = await self._books.ask(lambda: receipt(kept, self._books.tiles, note, anchors))
        return Response(orjson.dumps(made), media_type="application/json")

    async def checkpoint(self, request: Request) -> Response:
        """Answer GET /v1/checkpoint."""
        return Response(await self._books.checkpoint(), media_type="text/plain")

    async def tile(self, request: Request) -> Response:
        """Answer GET /v1/tile/{level}/{index}."""
        parts = request.path_params
        tile = Tile.parse(parts["level"], parts["index"])
        size = Checkpoint.parse(await self._books.checkpoint()).size
        if tile is None or not tile.within(size):
            raise RefusedError(NOT_FOUND, NO_TILE)
        data = await self._books.ask(lambda: self._books.tiles.data(tile))
        return Response(data, media_type="application/octet-stream")

    async def _kept(self, request: Request) -> Kept:
        kept = await self._books.find(tenant(request), request.path_params["quote_id"])
        if kept is None:
            raise RefusedError(QUOTE_NOT_FOUND, "the id must be one that POST /v1/quotes has given")
        return kept


def tenant(request: Request) -> str:
    """Return whose request it is."""
    caller: Caller = request.scope["state"]["caller"]
    return caller.tenant


def _reply(kept: Kept) -> Response:
    where = {"Location": f"/v1/quotes/{kept.quote_id}"}
    return Response(kept.reply, headers=where, media_type="application/json")
