"""The BentoML service: a process, its tuning, and one endpoint for BentoML's own client.

The only file that imports bentoml. Every request meets our gate first (serving/gate.py), which
answers our addresses itself and leaves two to BentoML: docs/decisions/0010-inside-bentoml.md.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import cache
from threading import Timer
from typing import TYPE_CHECKING, Any, cast

import bentoml
import uvicorn.protocols.http.auto
from starlette.responses import Response
from starlette.types import ASGIApp

from serving.collector import spare
from serving.connection import GRACE_SECONDS, Connection
from serving.doors import JSON, PAGES
from serving.problem import MEDIA_TYPE, RefusedError, answer, new_error_id
from serving.settings import Settings

if TYPE_CHECKING:
    from serving.app import Server

IN_WORKERS = {
    "OMP_NUM_THREADS": "1",  # one row at a time: threads only get into each other's way
    "BENTOML_DO_NOT_TRACK": "True",
}
REST_SECONDS = 2.0  # after which a server loads what the first quote does without
SWITCH_SECONDS = 0.0005  # a quote waits no longer for a thread that loads another model
TUNED: dict[str, Any] = {
    "workers": 1,  # one process writes to the ledger
    "threads": 1,
    "traffic": {"timeout": 15},  # BentoML keeps a timer that long a request; ours is shorter
    "http": {"host": "127.0.0.1", "port": 3000},
    "metrics": {"enabled": False},  # GET /metrics is ours; theirs label raw paths
    "logging": {"access": {"enabled": False}},
    "tracing": {"excluded_urls": ".*"},
}


@cache
def server() -> Server:
    """Return the parts of this process, from its environment; made when first asked for."""
    from serving.app import Server  # the supervisor imports this file too, and prices nothing
    from serving.log import install

    settings = Settings.read(os.environ)
    install(settings.telling.log)
    return Server.open(settings)


def gate(app: ASGIApp) -> ASGIApp:
    """Return the gate in front of BentoML's own application."""
    parts = server()
    Connection.patience_seconds = parts.settings.timeout_seconds + GRACE_SECONDS
    Connection.is_full = parts.admission.is_full
    Connection.turned_away = parts.admission.turn_away
    door = parts.door(behind=app)
    files = {one.path.encode(): one.seconds + GRACE_SECONDS for one in PAGES if one.file}
    Connection.straight = {path: (door, seconds) for path, seconds in files.items()}
    return door


@bentoml.service(name="seedrate", **TUNED)
class Seedrate:
    """Prices early-stage loans and explains each price in basis points."""

    def __init__(self) -> None:
        """Open the ledger, load the champion, and keep the collector off what stays."""
        self.server = server()
        self.server.load()
        logging.getLogger("uvicorn.access").propagate = False  # else it words lines nobody reads
        spare()
        sys.setswitchinterval(SWITCH_SECONDS)
        rest = Timer(REST_SECONDS, _rest)
        rest.daemon = True
        rest.start()

    @bentoml.api
    async def quote(self, request: dict[str, Any], /, ctx: bentoml.Context) -> dict[str, Any]:
        """Price and explain one project, and record it: the body of POST /v1/quotes.

        BentoML's client sends no Idempotency-Key: then each call is a request of its own.
        """
        asked = ctx.request.scope["state"]
        try:  # with the body as the gate has read it; `request` is empty (serving/gate.py)
            reply = await self.server.quote(asked["body"], asked["caller"], asked["key"])
        except Exception as error:
            refusal = answer(error, new_error_id, "/quote")
            asked["code"] = refusal.problem.code
            return _problem(refusal, ctx)
        asked["quote_id"] = reply.quote_id
        return _as_it_is(Response(reply.body, media_type=JSON))

    @bentoml.on_deployment
    @staticmethod
    def settle() -> None:
        """Fix, before workers start, what they find in their environment, and how they are watched.

        The worker of a built bento runs inside the bento; `var` is the caller's folder, here.
        """
        from serving.supervisor import attend  # workers have no use for it

        attend()
        for name, value in IN_WORKERS.items():
            os.environ.setdefault(name, value)
        os.environ["SEEDRATE_VAR"] = str(Settings.read(os.environ).var)

    @bentoml.on_shutdown
    def close(self) -> None:
        """Record what waits."""
        self.server.close()


def _rest() -> None:
    """Load what schemes, funds and cycles use of scipy, so that no caller waits for it."""
    import scipy.integrate
    import scipy.optimize
    import scipy.special  # noqa: F401


def _problem(refusal: RefusedError, ctx: bentoml.Context) -> dict[str, Any]:
    status = refusal.problem.status
    ctx.response.status_code = status  # else BentoML makes it 200
    return _as_it_is(Response(refusal.body(), status, refusal.headers, media_type=MEDIA_TYPE))


def _as_it_is(response: Response) -> dict[str, Any]:
    """Return what BentoML sends unchanged, though its endpoints must be annotated otherwise."""
    return cast("dict[str, Any]", response)


uvicorn.protocols.http.auto.AutoHTTPProtocol = Connection  # BentoML has no setting for it
Seedrate.add_asgi_middleware(gate)  # type: ignore[attr-defined]  # mypy ignores class decorators
