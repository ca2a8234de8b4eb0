"""A small TCP proxy that loses what passes through it, at the worst moments."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PASS, REFUSE, BEFORE, AFTER, HALF = "pass", "refuse", "before", "after", "half"


@dataclass
class Flaky:
    """Carries one request a connection; `fault` says what becomes of it.

    refuse: the connection ends at once; before: once the request is read, and the server never sees
    it; after: the server has answered, and nothing of that comes through; half: half of it does.
    """

    upstream: int  # port
    fault: Callable[[], str]
    port: int = 0
    seen: list[str] = field(default_factory=list)

    def carry(self, caller: socket.socket) -> None:
        fault = self.fault()
        self.seen.append(fault)
        with caller, suppress(OSError):
            if fault == REFUSE:
                return
            request = message(caller)
            if fault == BEFORE or not request:
                return
            with socket.create_connection(("127.0.0.1", self.upstream)) as server:
                server.sendall(request)
                answer = message(server)
            kept = {AFTER: b"", HALF: answer[: len(answer) // 2]}.get(fault, answer)
            caller.sendall(kept)


def message(connection: socket.socket) -> bytes:
    """Return one message of HTTP/1.1 whose length is announced."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += (chunk := connection.recv(65536))
        if not chunk:
            return data
    head = data.partition(b"\r\n\r\n")[0]
    lengths = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    whole = len(head) + 4 + sum(lengths)
    while len(data) < whole and (chunk := connection.recv(65536)):
        data += chunk
    return data


@contextmanager
def between(upstream: int, fault: Callable[[], str]) -> Iterator[Flaky]:
    """Run a proxy in front of a port of this machine."""
    proxy = Flaky(upstream, fault)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.port = listener.getsockname()[1]
        listener.settimeout(0.1)
        over = threading.Event()

        def accept() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    caller, _ = listener.accept()
                    caller.settimeout(20)
                    threading.Thread(target=proxy.carry, args=(caller,), daemon=True).start()

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield proxy
        finally:
            over.set()
            thread.join()
