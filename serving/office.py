"""The addresses that are ours, as an ASGI application behind the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from features.column import ColumnSet
from serving.access.caller import Caller
from serving.desk import Desk
from serving.documents import told_to
from serving.doors import JSON, Door
from serving.gauges import CONTENT_TYPE, Gauges
from serving.ledger.counter import Answers, Counter
from serving.problem import NOT_READY, RefusedError
from serving.reply import Reply

REPLAYED = {"Idempotent-Replayed": "true"}
ALIVE = orjson.dumps({"alive": True})


@dataclass(frozen=True)
class Bundle:
    """All that depends on one model: requests in flight keep the one they began with."""

    desk: Desk
    column_set: ColumnSet
    model: Mapping[str, bytes]  # by the callers that the policy names
    columns: bytes
    openapi: bytes


class Office:
    """What the addresses answer from: a bundle, or the reason why there is none."""

    def __init__(self, counter: Counter, gauges: Gauges) -> None:
        """Open without a model."""
        self._counter = counter
        self._gauges = gauges
        self.bundle: Bundle | None = None
        self.trouble = "no model has been loaded yet"
        self.standing: Callable[[], Mapping[str, Any]] = dict  # what is known of models
        self.said: Callable[[], Mapping[str, Any]] = dict  # what anybody may know of it

    @property
    def why_not_ready(self) -> str:
        """Return why no quote can be made and recorded, or an empty string."""
        return self._counter.trouble if self.bundle else self.trouble

    @property
    def served(self) -> Bundle:
        """Return the bundle that serves.

        Raises:
            RefusedError: there is none.
        """
        if self.bundle is None:
            raise self._not_ready(self.trouble)
        return self.bundle

    def answers(self) -> Answers:
        """Return what answers, by address."""
        return {
            "/v1/quotes": self.quote,
            "/v1/quotes/batch": self.batch,
            **self._counter.answers(),
            "/v1/what-if": self.what_if,
            "/v1/model": self.model,
            "/v1/registry": self.registry,
            "/v1/columns": self.columns,
            "/openapi.json": self.openapi,
            "/livez": self.alive,
            "/readyz": self.ready,
            "/metrics": self.metrics,
        }

    def app(self) -> ASGIApp:
        """Return the addresses as an ASGI application: the gate has found the door already."""
        answers = self.answers()

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            door: Door = scope["state"]["door"]
            response = await answers[door.path](Request(scope, receive))
            await response(scope, receive, send)

        return answer

    async def quote(self, request: Request) -> Response:
        """Answer POST /v1/quotes."""
        asked = request.scope["state"]
        reply = await self.served.desk.quote(asked["body"], asked["caller"], asked["key"])
        asked["quote_id"] = reply.quote_id
        return _json(reply.body, 201, headers(reply))

    async def batch(self, request: Request) -> Response:
        """Answer POST /v1/quotes/batch."""
        asked = request.scope["state"]
        batch = await self.served.desk.batch(asked["body"], asked["caller"], asked["key"])
        return _json(batch.body, headers=REPLAYED if batch.replayed else None)

    async def what_if(self, request: Request) -> Response:
        """Answer POST /v1/what-if."""
        asked = request.scope["state"]
        return _json(self.served.desk.what_if(asked["body"], asked["caller"]).body)

    async def model(self, request: Request) -> Response:
        """Answer GET /v1/model."""
        return _json(told_to(_caller(request).tenant, self.served.model))

    async def registry(self, request: Request) -> Response:
        """Answer GET /v1/registry."""
        return _json(orjson.dumps(self.standing()))

    async def columns(self, request: Request) -> Response:
        """Answer GET /v1/columns."""
        return _json(self.served.columns)

    async def openapi(self, request: Request) -> Response:
        """Answer GET /openapi.json."""
        return _json(self.served.openapi)

    async def alive(self, request: Request) -> Response:
        """Answer GET /livez."""
        return _json(ALIVE)

    async def ready(self, request: Request) -> Response:
        """Answer GET /readyz."""
        if self.why_not_ready:
            raise self._not_ready(self.why_not_ready)
        return _json(orjson.dumps({"ready": True, **self.said()}))

    async def metrics(self, request: Request) -> Response:
        """Answer GET /metrics."""
        return Response(self._gauges.text(), headers={"content-type": CONTENT_TYPE})

    def _not_ready(self, why: str) -> RefusedError:
        return RefusedError(NOT_READY, why, headers={"Retry-After": "5"})


def headers(reply: Reply) -> dict[str, str]:
    """Return what is said beside a recorded quote."""
    where = {"Location": f"/v1/quotes/{reply.quote_id}"}
    return {**where, **REPLAYED} if reply.replayed else where


def _caller(request: Request) -> Caller:
    caller: Caller = request.scope["state"]["caller"]
    return caller


def _json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type=JSON)
