"""A server that answers what it was told to, one answer after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.loopback import listening


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    path: str
    key: str | None
    credential: str | None
    body: bytes


@contextmanager
def answering(answers: Sequence[Answer]) -> Iterator[tuple[str, list[Asked]]]:
    """Yield the address, and what was asked; the last answer is given for ever."""
    waiting, asked = [*answers], list[Asked]()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key, credential = self.headers["Idempotency-Key"], self.headers["Authorization"]
            asked.append(Asked(self.path, key, credential, body))
            answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST  # noqa: N815  # as http.server calls it

    with listening(Handler) as url:
        yield url, asked
