"""A connection that takes its time: cut as a rule, let be where a file comes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.connection import Connection


def app(name: str) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        await PlainTextResponse(f"{name} {len(body)}")(scope, receive, send)

    return answer


class Hasty(Connection):
    patience_seconds = 0.3
    straight: Mapping[bytes, tuple[ASGIApp, float]] = {b"/file": (app("straight"), 30.0)}


@pytest.fixture
def port() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = uvicorn.Config(app("usual"), port=port, http=Hasty, lifespan="off", log_level="error")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.02)
    yield port
    running.should_exit = True
    thread.join()


def slowly(port: int, path: str, seconds: float) -> bytes:
    """Post ten bytes in two halves, some seconds apart; return what comes back."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
        line.sendall(head.encode() + b"Connection: close\r\n\r\n12345")
        time.sleep(seconds)
        try:
            line.sendall(b"67890")
            return line.makefile("rb").read()
        except (ConnectionResetError, BrokenPipeError):
            return b""


def test_a_file_may_come_slowly_and_goes_straight_to_our_door(port: int) -> None:
    assert slowly(port, "/file", 1.2).endswith(b"straight 10")
    assert slowly(port, "/other", 0.0).endswith(b"usual 10")
    assert slowly(port, "/other", 1.2) == b""
