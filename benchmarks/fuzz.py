"""10,000 bodies that are wrong in every way: does the server fail, hang or grow? `make soak`.

python -m benchmarks.fuzz [BODIES]

Starts a server of its own as `make soak` does. Sends it what schemathesis makes of its OpenAPI
document for every operation, the example requests with changes drawn by Hypothesis
(benchmarks/mutants.py), hostile requests (benchmarks/hostile.py), and halves of requests beside
them. Fails if anything is answered with 5xx or hostile bytes with 2xx, if a request takes a second
more than the server and this process waited for a processor meanwhile, if the server's memory grows
by 20 MB once it is warm, if the ledger does not verify, or if it lacks a quote that was given.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import orjson
import psutil
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from benchmarks.hostile import Ask, Line, asks, halves
from benchmarks.mutants import spoiled
from benchmarks.soak import ROOT, apart, key, server, waited, worker
from serving.access.caller import SCOPES
from serving.client import Client
from serving.connection import GRACE_SECONDS
from serving.doors import DOORS
from serving.ledger.audit import audit
from serving.ledger.entry import QUOTE
from serving.ledger.held import Held
from serving.ledger.sqlite import SqliteStore
from serving.settings import Settings

BODIES = 10_000
OF_SCHEMA = 0.3  # share that schemathesis makes; what is not hostile besides is spoiled examples
HERE = "http://localhost"
HANG_SECONDS, GROWTH_MB, SHOWN = 1.0, 20.0, 5
PATIENCE_SECONDS = 60.0  # after which this process gives up, on a machine however busy


def main(many: int) -> None:
    """Send everything, and exit with what went wrong."""
    folder = ROOT / "var/fuzz"
    shutil.rmtree(folder, ignore_errors=True)
    settings = Settings.read(os.environ)
    environment = apart(settings, folder)
    shutil.copytree(settings.models, folder / "models")
    with server(environment, folder) as (url, supervisor):
        shown = key(environment, SCOPES)
        with Client(url, shown) as client:
            document = orjson.loads(client.get("/openapi.json"))
        seen = Seen(worker(supervisor))
        cut_seconds = settings.timeout_seconds + GRACE_SECONDS
        port = int(url.rpartition(":")[2])
        send_all(Sender(port, shown, seen, cut_seconds), document, many)
    wrong = [*seen.wrong(), *not_kept(folder, seen.given)]
    if not wrong:
        shutil.rmtree(folder)
    sys.exit("\n".join(wrong) or None)


def send_all(sender: Sender, document: Mapping[str, Any], many: int) -> None:
    """Send hostile requests first, halves beside them, then what is drawn."""
    seen, shown = sender.seen, examples(document)
    good = orjson.dumps(shown["good"])
    hostile = asks(sender.shown, good)
    for body in shown.values():
        sender.body("/v1/what-if", orjson.dumps(body))
    sender.body("/v1/quotes/batch", orjson.dumps({"quotes": [*shown.values()]}))
    with ThreadPoolExecutor(16) as waiting:
        never = [waiting.submit(sender.half, one) for one in halves(sender.shown, good) * 2]
        for ask in hostile:
            sender.raw(ask)
        for half in never:
            half.result()
    seen.line("hostile", warm=True)
    left = many - seen.statuses.total()
    of_schema(sender, document, int(OF_SCHEMA * left))
    seen.line("by the schema")
    for part in range(2):
        of_examples(sender, document, (many - seen.statuses.total()) // (2 - part), part)
        seen.line("spoiled examples")


def of_schema(sender: Sender, document: Mapping[str, Any], many: int) -> None:
    """Send what schemathesis makes of every operation, right and wrong."""
    schema = schemathesis.openapi.from_dict({**document})
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]  # an invalid one fails here
    weights = [6 if one.method.upper() == "POST" else 1 for one in operations]
    for operation, weight in zip(operations, weights, strict=True):
        for mode in GenerationMode:
            share = many * weight // sum(weights) // 2
            drawn(operation.as_strategy(generation_mode=mode), sender.prepared, share)


def of_examples(sender: Sender, document: Mapping[str, Any], many: int, part: int) -> None:
    """Send the examples of the interface, spoiled, to every address that takes a body."""
    single = [*examples(document).values()]
    batches = [{"quotes": single[at : at + 2]} for at in range(len(single))]
    for door in (door for door in DOORS if door.most_bytes):
        bodies = batches if door.path.endswith("batch") else single
        drawn(
            spoiled(bodies),
            partial(sender.body, door.path),
            many // 4 + 1,
            part,
        )


def drawn(
    strategy: st.SearchStrategy[Any], send: Callable[[Any], None], many: int, part: int = 0
) -> None:
    """Draw from a strategy and send; there may be nothing to draw, such as a wrong body of GET."""

    @seed(part)
    @effort(
        max_examples=max(many, 1),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def each(one: Any) -> None:
        send(one)

    with suppress(Unsatisfiable):
        each()


def examples(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sound requests that the interface shows, by name."""
    content = document["paths"]["/v1/quotes"]["post"]["requestBody"]["content"]
    return {name: one["value"] for name, one in content["application/json"]["examples"].items()}


@dataclass
class Seen:
    """What came back, and how the server fared."""

    worker: psutil.Process
    statuses: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    given: set[str] = field(default_factory=set)  # ids of quotes
    longest: tuple[float, float, str] = (0.0, 0.0, "none")  # seconds, less waiting, what
    warm_mb: float = 0.0
    last_mb: float = 0.0

    def take(self, what: str, answer: Answer, *, good: bool) -> None:
        """Count an answer."""
        self.statuses[answer.name] += 1
        if answer.status >= 500 and answer.code not in ("overloaded", "not_recorded"):
            self.failures.append(f"{answer.name} to {what}: {answer.body[:300]!r}")
        elif not good and 200 <= answer.status < 300:
            self.failures.append(f"{answer.name} to hostile {what}")
        self.given |= answer.quotes()
        self.longest = max(self.longest, (answer.seconds, answer.own_seconds, what))
        if answer.own_seconds > HANG_SECONDS:
            self.hangs.append(f"{answer.own_seconds:.2f} s for {what}: {answer.name}")

    def line(self, what: str, *, warm: bool = False) -> None:
        """Say how far it is."""
        self.last_mb = self.worker.memory_info().rss / 2**20
        self.warm_mb = self.last_mb if warm else self.warm_mb
        seconds, own, of = self.longest
        print(
            f"{what:<18} {self.statuses.total():>6,} sent, memory {self.last_mb:,.1f} MB, ", end=""
        )
        print(f"longest {seconds:.2f} s, {own:.2f} s without waiting for a processor ({of[:50]})")
        print(f"{'':<18} {dict(sorted(self.statuses.items()))}", flush=True)

    def wrong(self) -> list[str]:
        """Return what went wrong."""
        grown = self.last_mb - self.warm_mb
        found = [f"{len(self.failures)} failures"] * bool(self.failures) + self.failures[:SHOWN]
        found += [f"{len(self.hangs)} hangs"] * bool(self.hangs) + self.hangs[:SHOWN]
        return found + [f"memory grew by {grown:.1f} MB"] * (grown > GROWTH_MB)


@dataclass(frozen=True)
class Answer:
    """What came to one request."""

    status: int  # 0: the connection was ended without a word
    body: bytes
    seconds: float
    own_seconds: float  # less what the server and this process waited for a processor

    @property
    def code(self) -> str:
        """Return the code of a refusal."""
        with suppress(orjson.JSONDecodeError, AttributeError):
            return str(orjson.loads(self.body).get("code", ""))
        return ""

    @property
    def name(self) -> str:
        """Return what it is counted as."""
        return f"{self.status} {self.code}".strip() if self.status else "cut"

    def quotes(self) -> set[str]:
        """Return the ids of the quotes in it that are recorded."""
        if self.status not in (200, 201) or b'"recorded":true' not in self.body:
            return set()
        said = orjson.loads(self.body)
        each = [one.get("quote") for one in said["results"]] if "results" in said else [said]
        return {one["quote_id"] for one in each if one and one["recorded"]}


@dataclass
class Sender:
    """Sends to a port of this machine, one request at a time, and tells what was seen."""

    port: int
    shown: str
    seen: Seen
    cut_seconds: float  # after which the server ends a connection that keeps it waiting

    def body(self, path: str, body: bytes) -> None:
        """Send a body as a caller with a bug does."""
        line = Line(self.shown)("POST", path, body)
        self.raw(Ask(f"{path} {body[:200]!r}", line, good=True))

    def prepared(self, case: Any) -> None:
        """Send what schemathesis made."""
        asked = case.as_transport_kwargs(base_url=HERE)
        path = asked["url"].removeprefix(HERE)
        path += f"?{urlencode(asked['params'], doseq=True)}" if asked["params"] else ""
        body = asked.get("data") or b""
        if "json" in asked:
            body = json.dumps(asked["json"]).encode()
        body = body.encode() if isinstance(body, str) else body
        headers = {name: one for name, one in asked["headers"].items() if name != "Authorization"}
        more = "\r\n".join(f"{name}: {value}" for name, value in headers.items())
        what = f"{case.method} {path} {body[:200]!r}"
        self.raw(Ask(what, Line(self.shown)(case.method, path, body, more), good=True))

    def raw(self, ask: Ask) -> None:
        """Send bytes, and take the first answer to them."""
        line = ask.line.replace(b"KEY", uuid4().hex.encode(), 1)
        method = line.partition(b" ")[0].decode("latin-1")
        waited, began = self.waited(), time.perf_counter()
        status, body = self.exchange(line, method)
        taken = time.perf_counter() - began
        self.seen.take(
            ask.what, Answer(status, body, taken, taken - self.waited() + waited), good=ask.good
        )

    def half(self, ask: Ask) -> None:
        """Send what never ends: it must be cut in time."""
        waited, began = self.waited(), time.perf_counter()
        with closing(self.connected()) as line, suppress(ConnectionResetError):
            line.sendall(ask.line.replace(b"KEY", uuid4().hex.encode(), 1))
            while line.recv(65_536):
                pass
        over = time.perf_counter() - began - self.waited() + waited - self.cut_seconds
        self.seen.take(f"half: {ask.what}", Answer(0, b"", over, over), good=True)

    def exchange(self, line: bytes, method: str) -> tuple[int, bytes]:
        """Return status and body of the first answer; 0 if there is none."""
        with closing(self.connected()) as connection:
            with suppress(ConnectionResetError, BrokenPipeError):  # it may have answered before
                connection.sendall(line)
            answer = http.client.HTTPResponse(connection, method=method)
            try:
                answer.begin()
                return answer.status, answer.read()
            except (http.client.HTTPException, ConnectionError):
                return 0, b""

    def connected(self) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def waited(self) -> float:
        """Return the seconds for which the server's loop and this thread were ready, and waited."""
        return waited(self.seen.worker.pid) + waited("thread-self")


def not_kept(folder: Path, given: Iterable[str]) -> list[str]:
    """Return what is wrong with the ledger once the server has ended."""
    store = SqliteStore(folder / "ledger.db")
    held = Held(folder / "ledger/checkpoint").note()
    found = audit(store.reader, None, {"checkpoint": held} if held else {})
    kept = {row.quote_id for row in store.reader.rows() if row.kind == QUOTE}
    store.close()
    print(f"ledger: {found.size:,} entries, {len(kept):,} quotes, {len(found.faults)} faults")
    lost = set(given) - kept
    return [*found.faults, *[f"{len(lost)} quotes were given and not kept"] * bool(lost)]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else BODIES)
