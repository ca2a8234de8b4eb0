"""Four times what a server can do, for a minute: does it go on doing what it can?

python -m benchmarks.overload [SECONDS]

Starts a server of its own as `make soak` does. First as many callers as there are places ask one
quote after the other: the peak. Then requests are sent at four times that rate, whether answers
come or not. Fails if less than 80 % of the peak is given, if the 99th percentile of what is given
is above twice that at the peak, or if anything but a quote or a refusal with Retry-After comes. The
load comes from one thread on the same cores, and others may work on them: quotes are counted by the
second in which the server had a processor or needed none, and by the clock beside it.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast
from uuid import uuid4

import numpy as np
import uvloop

from benchmarks.soak import ROOT, apart, bodies, key, server, waited, worker
from serving.champion import champion
from serving.settings import Settings

PLACES, TIMES = 64, 4  # the default of SEEDRATE_AT_ONCE; how much too much
PEAK_SECONDS, LEAST_GIVEN, MOST_SLOWER = 20.0, 0.8, 2.0
CONNECTIONS = 1000
IDLE_SECONDS = 3.0  # after which a connection is not used again: the server ends them after 5
UNLIMITED = {"SEEDRATE_LIMIT_AT_ONCE": "100000"}  # of a tenant: it is the server that is tried


@dataclass
class Seen:
    """What came back in a stretch of time."""

    seconds: float = 0.0
    waited: float = 0.0  # of them the server was ready and had no processor
    given: list[float] = field(default_factory=list)  # milliseconds of each quote
    refused: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0  # neither a quote nor a refusal that says when to come again
    unsent: int = 0  # no connection was free

    @property
    def per_second(self) -> float:
        """Return the quotes given in a second."""
        return len(self.given) / self.seconds

    @property
    def per_own_second(self) -> float:
        """Return the quotes given in a second in which the server did not wait for a processor."""
        return len(self.given) / (self.seconds - self.waited)

    def take(self, status: int, retry: bool, milliseconds: float) -> None:
        """Count one answer."""
        self.statuses[status] += 1
        if status == 201:
            self.given.append(milliseconds)
        elif status in (429, 503) and retry:
            self.refused.append(milliseconds)
        else:
            self.wrong += 1

    def __str__(self) -> str:
        """Return a row of the table."""
        said = f"{self.per_second:>7,.0f} quotes/s   {_percentiles(self.given)}"
        said += f"   {self.per_own_second:,.0f}/s but for {self.waited:.1f} s without a processor"
        if self.refused:
            rate = len(self.refused) / self.seconds
            said += f"   refused {rate:,.0f}/s, {_percentiles(self.refused)}"
        return said + f"   unsent {self.unsent}   wrong {self.wrong}"


def main(seconds: float) -> None:
    """Overload a server, and exit with what went wrong."""
    folder = ROOT / "var/overload"
    shutil.rmtree(folder, ignore_errors=True)
    settings = Settings.read(os.environ)
    asked = list(bodies(champion(settings).column_set, random.Random(0)))
    environment = apart(settings, folder) | UNLIMITED
    try:
        shutil.copytree(settings.models, folder / "models")
        with server(environment, folder) as (url, supervisor):
            port, shown = int(url.rpartition(":")[2]), key(environment)
            heads, pid = [head(one, shown) for one in asked], worker(supervisor).pid
            peak, over = uvloop.run(_both(port, pid, heads, seconds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(verdict(peak, over))


def verdict(peak: Seen, over: Seen) -> str | None:
    """Return what went wrong, or None."""
    given = over.per_own_second / peak.per_own_second
    slower = float(np.percentile(over.given, 99) / np.percentile(peak.given, 99))
    by_clock = over.per_second / peak.per_second
    print(f"{given:.2f} of the peak (asked: {LEAST_GIVEN}), {by_clock:.2f} by the clock;")
    print(f"99th percentile {slower:.2f} times that of the peak (asked: at most {MOST_SLOWER:g})")
    if given < LEAST_GIVEN or slower > MOST_SLOWER or peak.wrong or over.wrong:
        return f"{dict(over.statuses)}, {peak.wrong + over.wrong} wrong"
    return None


async def _both(port: int, pid: int, asked: Sequence[bytes], seconds: float) -> tuple[Seen, Seen]:
    await closed(port, asked, 5.0)
    before = waited(pid)
    peak = await closed(port, asked, PEAK_SECONDS)
    peak.waited = waited(pid) - before
    print(f"peak, {PLACES} callers   {peak}", flush=True)
    before = waited(pid)
    over = await opened(port, asked, TIMES * peak.per_second, seconds)
    over.waited = waited(pid) - before
    print(f"{TIMES} times as much   {over}", flush=True)
    return peak, over


async def closed(port: int, asked: Sequence[bytes], seconds: float) -> Seen:
    """Let each caller ask again as soon as it has its answer."""
    seen, until = Seen(seconds), time.perf_counter() + seconds

    async def caller(at: int) -> None:
        line = await Line.to(port)
        while (began := time.perf_counter()) < until:
            status, retry = await line.ask(asked[at % len(asked)])
            seen.take(status, retry, 1e3 * (time.perf_counter() - began))
            at += PLACES
        line.close()

    await asyncio.gather(*map(caller, range(PLACES)))
    return seen


async def opened(port: int, asked: Sequence[bytes], per_second: float, seconds: float) -> Seen:
    """Send at a rate, whether answers come or not."""
    seen = Seen(seconds)
    free = [await Line.to(port) for _ in range(CONNECTIONS)]
    began = time.perf_counter()
    flying: set[asyncio.Task[None]] = set()

    async def one(line: Line, body: bytes) -> None:
        if line.stale:
            line.close()
            line = await Line.to(port)
        sent = time.perf_counter()
        status, retry = await line.ask(body)
        seen.take(status, retry, 1e3 * (time.perf_counter() - sent))
        free.append(line)

    for number in range(int(per_second * seconds)):
        due = began + number / per_second
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        elif number % 16 == 0:
            await asyncio.sleep(0)  # lets answers in
        if not free:
            seen.unsent += 1
            continue
        task = asyncio.create_task(one(free.pop(), asked[number % len(asked)]))
        flying.add(task)
        task.add_done_callback(flying.discard)
    await asyncio.gather(*flying)
    seen.seconds = time.perf_counter() - began
    return seen


class Line(asyncio.Protocol):
    """One connection, with at most one request on its way."""

    def __init__(self) -> None:
        """Wait to be connected."""
        self.broken = False
        self._came, self._used = b"", time.perf_counter()
        self._answer: asyncio.Future[tuple[int, bool]] | None = None

    @classmethod
    async def to(cls, port: int) -> Line:
        """Return a connection to a port of this machine."""
        _, line = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._out = cast("asyncio.WriteTransport", transport)

    async def ask(self, head_and_body: bytes) -> tuple[int, bool]:
        """Return the status of the answer, and whether it says when to come again; 0: none came."""
        self._answer = asyncio.get_running_loop().create_future()
        self._out.write(head_and_body.replace(b"KEY", uuid4().hex.encode(), 1))
        answer = await self._answer
        self._used = time.perf_counter()
        return answer

    @property
    def stale(self) -> bool:
        """Say whether the other side may be about to end it."""
        return self.broken or time.perf_counter() > self._used + IDLE_SECONDS

    def data_received(self, data: bytes) -> None:
        """Collect an answer."""
        self._came += data
        head, end, body = self._came.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        if len(body) >= length:
            self._came = b""
            self._tell(int(head[9:12]), b"retry-after" in head.lower())

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self.broken = True
        self._tell(0, retry=False)

    def close(self) -> None:
        """Let go."""
        self._out.close()

    def _tell(self, status: int, retry: bool) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, retry))


def head(body: bytes, shown: str) -> bytes:
    """Return a request for a quote; KEY stands where each puts its own."""
    lines = (
        "POST /v1/quotes HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"Authorization: Bearer {shown}",
        "Idempotency-Key: KEY",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


def _percentiles(milliseconds: Sequence[float]) -> str:
    if not milliseconds:
        return "none"
    p50, p99 = np.percentile(milliseconds, (50, 99))
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
