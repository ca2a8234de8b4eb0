"""An echo in the place of the desk: the same BentoML service, the same gate, no quote.

What it answers in a second is what serving alone allows; benchmarks/throughput.py compares.
"""

from __future__ import annotations

import os
import secrets

import bentoml
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from serving.access import root
from serving.admission import Admission
from serving.collector import spare
from serving.gate import Gate
from serving.gauges import Gauges
from serving.service import TUNED
from serving.settings import Settings


async def echo(request: Request) -> Response:
    """Give back what was asked."""
    return Response(orjson.dumps(request.state.body), media_type="application/json")


async def alive(request: Request) -> Response:
    """Answer."""
    return Response(b"{}", media_type="application/json")


ECHO = Starlette(routes=[Route("/v1/quotes", echo, methods=["POST"]), Route("/livez", alive)])


@bentoml.service(name="echo", **TUNED)
class Echo:
    """Nothing but the way in and out."""

    def __init__(self) -> None:
        """Keep the collector off what stays, as the real service does."""
        spare()


def gate(app: ASGIApp) -> Gate:
    """Return the gate of the real service, with the echo behind it."""
    return Gate(
        ours=ECHO,
        behind=app,
        guard=root.guard(Settings.read(os.environ)),
        admission=Admission(64),
        hosts=frozenset({"127.0.0.1", "localhost"}),
        timeout_seconds=10.0,
        observe=Gauges().request,
        new_error_id=lambda: secrets.token_hex(8),
    )


Echo.add_asgi_middleware(gate)  # type: ignore[attr-defined]  # mypy ignores class decorators
