"""Take away what the ledger or the keys lie on, under a steady load, and give it back. `make soak`.

python -m benchmarks.outages [ROUNDS]

A PostgreSQL of its own is stopped in order, its postmaster killed, all of it frozen; the disk of a
SQLite ledger is full; the database of the keys is stopped and frozen; last, the server itself is
told to stop. Quotes are asked for 30 times a second all the while, /livez and /readyz ten times.
Fails if a price was given that the ledger has not, byte for byte, if the ledger does not verify, if
anything but a quote or a 503 with Retry-After comes, if a caller waits for more than 2 s, if a
refusal or "not ready" comes later than 1 s after the stop (or what is written at the fault), if
/livez once does not answer, if quotes are back later than 5 s, or if what was refused gets no quote
under its key.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import httpx
import orjson
import psutil

from benchmarks.soak import ROOT, apart, bodies, key, server, waited, worker
from serving.champion import champion
from serving.ledger.audit import audit
from serving.ledger.entry import QUOTE
from serving.ledger.held import Held
from serving.ledger.postgres import PostgresStore
from serving.ledger.sqlite import SqliteStore
from serving.settings import Settings
from tests.serving.ledger import cluster
from tests.serving.ledger.cluster import Cluster

ROUNDS, CALM_SECONDS, AWAY_SECONDS = 3, 3.0, 12.0  # longer than the server's own patience
PER_SECOND, LOOKS_PER_SECOND, CALLERS = 30, 10, 96
SOON_SECONDS, WAIT_SECONDS, BACK_SECONDS = 1.0, 2.0, 5.0
BELIEVED_SECONDS = 5.0  # for which a known key is not asked about again
STOP_SECONDS = 45.0  # deploy/: after which a stop is a kill
HEARD = (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


@dataclass(frozen=True)
class Answer:
    """One request and what came of it; times are of the monotonic clock."""

    path: str
    key: str
    asked: bytes
    began: float
    ended: float
    status: int  # 0: no answer
    code: str
    again: bool  # it says when to come again
    body: bytes

    @property
    def seconds(self) -> float:
        """Return how long the caller waited."""
        return self.ended - self.began

    @property
    def is_right(self) -> bool:
        """Say whether it is a quote, or a refusal as promised."""
        return self.status == 201 or (self.status == 503 and self.again)


@dataclass
class Load:
    """A steady load on a server, and what came back."""

    url: str
    shown: str
    asked: Sequence[bytes]
    pid: int  # of the process that answers
    quotes: list[Answer] = field(default_factory=list)
    looks: list[Answer] = field(default_factory=list)
    over: Event = field(default_factory=Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ask for as long as the block lasts, then wait for every answer."""
        with httpx.Client(base_url=self.url, timeout=30, limits=httpx.Limits()) as self.http:
            pace = Thread(target=self._paced, args=(PER_SECOND, CALLERS, self._quote))
            look = Thread(target=self._paced, args=(LOOKS_PER_SECOND, 2 * CALLERS, self._look))
            pace.start()
            look.start()
            try:
                yield
            finally:
                self.over.set()
                pace.join()
                look.join()

    def ask(self, path: str, name: str = "", body: bytes = b"") -> Answer:
        """Return the answer to one request."""
        headers = {"Authorization": f"Bearer {self.shown}", "Content-Type": "application/json"}
        if name:
            headers["Idempotency-Key"] = name
        began, status, code, again, came = time.monotonic(), 0, "", False, b""
        with suppress(*HEARD):
            reply = self.http.request(
                "POST" if body else "GET", path, content=body, headers=headers
            )
            status, came, again = reply.status_code, reply.content, "Retry-After" in reply.headers
            code = "" if reply.is_success else str(orjson.loads(came)["code"])
        return Answer(path, name, body, began, time.monotonic(), status, code, again, came)

    def _quote(self, number: int) -> None:
        body = self.asked[number % len(self.asked)]
        self.quotes.append(self.ask("/v1/quotes", str(uuid4()), body))

    def _look(self, number: int) -> None:
        self.looks.append(self.ask(("/livez", "/readyz")[number % 2]))

    def _paced(self, per_second: float, callers: int, act: Callable[[int], None]) -> None:
        began, flying = time.monotonic(), list[Future[None]]()
        with ThreadPoolExecutor(callers) as pool:
            while not self.over.wait(max(0.0, began + len(flying) / per_second - time.monotonic())):
                flying.append(pool.submit(act, len(flying)))
        for one in flying:
            one.result()


@dataclass(frozen=True)
class Fault:
    """What is taken away, and how it is given back.

    Attributes:
        what: for the table.
        strike: takes it away.
        mend: gives it back, and returns once it is there.
        soon: seconds in which refusals must have begun, and readiness ended.
        unready: whether the server must say that it is not ready.
    """

    what: str
    strike: Callable[[], object]
    mend: Callable[[], object]
    soon: float = SOON_SECONDS
    unready: bool = True


def of_postgres(made: Cluster, soon: float, *, unready: bool) -> Iterator[Fault]:
    """Give the ways in which a database goes."""
    ways = {
        "stopped in order": (made.stop, made.start),
        "postmaster killed": (made.kill, made.start),
        "frozen": (made.freeze, made.thaw),
    }
    for what, (strike, mend) in ways.items():
        yield Fault(what, strike, mend, soon, unready)


def of_disk(process: psutil.Process) -> Fault:
    """Return a disk that is full: no file of a process may grow."""
    hard = process.rlimit(resource.RLIMIT_FSIZE)[1]
    return Fault(
        "disk full",
        lambda: process.rlimit(resource.RLIMIT_FSIZE, (0, hard)),
        lambda: process.rlimit(resource.RLIMIT_FSIZE, (hard, hard)),
    )


def struck(load: Load, fault: Fault, round_: int) -> list[str]:
    """Let a fault happen and end, print what callers saw, and return what was wrong."""
    time.sleep(CALM_SECONDS)
    began, before = time.monotonic(), waited(load.pid)
    fault.strike()
    time.sleep(max(0.0, began + AWAY_SECONDS - time.monotonic()))
    mending = time.monotonic()
    fault.mend()
    mended = time.monotonic()
    given = first(load.quotes, mended, lambda one: one.status == 201, 30)
    ready = first(load.looks, mended, lambda one: one.path == "/readyz" and one.status == 200, 30)
    time.sleep(1)  # what was on its way has come
    quotes = [one for one in load.quotes if began <= one.ended and one.began < mending]
    looks = [one for one in load.looks if began <= one.began < mended]
    seen = {
        **{name: at - began for name, at in ends(quotes, looks, began, mending).items()},
        "longest wait": max(one.seconds for one in quotes),
        "longest /livez": max(one.seconds for one in looks if one.path == "/livez"),
        "quotes back": given - mended,
        "ready again": ready - mended,
    }
    lacked = waited(load.pid) - before
    answers = Counter(one.code or str(one.status) for one in quotes)
    print(f"{fault.what}, {round_ + 1}: {dict(answers)}, {lacked:.1f} s without a processor")
    print("   " + ", ".join(f"{name} {seconds:.2f}" for name, seconds in seen.items()), flush=True)
    return [*wrong(fault, seen, quotes, looks)]


def ends(
    quotes: Sequence[Answer], looks: Sequence[Answer], began: float, mending: float
) -> dict[str, float]:
    """Return when refusals began, prices ended, and the server said that it was not ready."""
    refused = [one.ended for one in quotes if one.status != 201]
    prices = [one.ended for one in quotes if one.status == 201 and one.ended < mending]
    told = [one.ended for one in looks if one.path == "/readyz" and one.status == 503]
    return {
        "refusals from": min(refused, default=mending),
        "last price": max(prices, default=began),
        "not ready from": min(told, default=mending),
    }


def wrong(
    fault: Fault, seen: Mapping[str, float], quotes: Sequence[Answer], looks: Sequence[Answer]
) -> Iterator[str]:
    """Give what was not as promised."""
    most = {
        "refusals from": fault.soon,
        "last price": fault.soon + WAIT_SECONDS,
        "longest wait": WAIT_SECONDS,
        "not ready from": fault.soon + WAIT_SECONDS if fault.unready else float("inf"),
        "longest /livez": SOON_SECONDS,
        "quotes back": BACK_SECONDS,
        "ready again": BACK_SECONDS,
    }
    for name, seconds in seen.items():
        if seconds > most[name]:
            yield f"{fault.what}: {name} {seconds:.1f} s, asked: {most[name]:g}"
    for one in quotes:
        if not one.is_right:
            yield f"{fault.what}: {one.status} {one.code} after {one.seconds:.1f} s"
    for one in looks:
        if one.path == "/livez" and one.status != 200:
            yield f"{fault.what}: /livez said {one.status}"


def first(
    answers: Sequence[Answer], after: float, fits: Callable[[Answer], bool], seconds: float
) -> float:
    """Return when the first answer came that fits, to a request made after a time."""
    while time.monotonic() < after + seconds:
        for one in answers[:]:
            if one.began >= after and fits(one):
                return one.ended
        time.sleep(0.01)
    return float("inf")


def tried(
    folder: Path,
    more: Mapping[str, str],
    faults: Callable[[psutil.Process], Iterator[Fault]],
    rounds: int,
    *,
    postgres: str = "",
    last: Fault | None = None,
) -> list[str]:
    """Try faults on a server of their own; then let it stop, and audit what it kept.

    Args:
        folder: for what the server writes.
        more: settings of the server.
        faults: that may strike its worker, or what it needs.
        rounds: how often each does.
        postgres: address of the ledger; empty is SQLite.
        last: strikes before the server is told to stop, and is mended once it has.
    """
    settings = Settings.read(os.environ)
    asked = [*bodies(champion(settings).column_set, random.Random(0))]
    environment = {**apart(settings, folder), **more}
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(settings.models, folder / "models")
    found = list[str]()
    with server(environment, folder) as (url, supervisor):
        load = Load(url, key(environment), asked, worker(supervisor).pid)
        with load.running():
            for fault in faults(worker(supervisor)):
                for round_ in range(rounds):
                    found += struck(load, fault, round_)
        found += [*unanswered(load)]
        if last:
            last.strike()
        found += stopped(load, supervisor)
    if last:
        last.mend()
    found += not_kept(load, folder, postgres)
    shutil.rmtree(folder)
    return found


def unanswered(load: Load) -> Iterator[str]:
    """Give what gets no quote under the key under which it was refused."""
    refused = [one for one in load.quotes if one.status != 201]
    with (
        httpx.Client(base_url=load.url, timeout=30) as load.http,
        ThreadPoolExecutor(4) as callers,
    ):
        again = [*callers.map(lambda one: load.ask("/v1/quotes", one.key, one.asked), refused)]
    load.quotes += again
    given = sum(one.status == 201 for one in again)
    print(f"{len(again):,} refused, {given:,} given when asked again")
    for one in again:
        if one.status != 201:
            yield f"{one.status} {one.code} under the key of what was refused"


def stopped(load: Load, supervisor: subprocess.Popen[bytes]) -> list[str]:
    """Tell the server to stop, under load; return what was wrong."""
    ends, last = Load(load.url, load.shown, load.asked, load.pid), Event()
    with httpx.Client(base_url=load.url, timeout=30) as ends.http, ThreadPoolExecutor(8) as callers:
        asking = [callers.submit(_until, last, ends) for _ in range(8)]
        time.sleep(CALM_SECONDS)
        told = time.monotonic()
        supervisor.send_signal(signal.SIGTERM)
        supervisor.wait(2 * STOP_SECONDS)
        took = time.monotonic() - told
        last.set()
        for one in asking:
            one.result()
    late = [one for one in ends.quotes if one.ended >= told]
    given = [one for one in late if one.status == 201]
    lost = [one for one in late if one.status == 0 and one.began < told]
    refused = Counter(one.code or str(one.status) for one in late if one.status != 201)
    print(
        f"told to stop: ended after {took:.1f} s; {len(given)} quotes given after, {len(lost)} lost"
    )
    print(f"   not given after: {dict(refused)}", flush=True)
    load.quotes += ends.quotes
    wrong = [f"{len(lost)} requests of before the stop have no answer"] * bool(lost)
    return wrong + [f"the stop took {took:.1f} s"] * (took > STOP_SECONDS)


def _until(last: Event, load: Load) -> None:
    while not last.is_set():
        load._quote(random.randrange(len(load.asked)))
        if load.quotes[-1].status == 0:
            time.sleep(0.02)


def not_kept(load: Load, folder: Path, postgres: str) -> list[str]:
    """Return what is wrong with the ledger once the server has ended."""
    store = PostgresStore(postgres) if postgres else SqliteStore(folder / "ledger.db")
    note = Held(folder / "ledger/checkpoint").note()
    found = audit(store.reader, None, {"checkpoint": note} if note else {})
    kept = {row.idem_key: bytes(row.reply) for row in store.reader.rows() if row.kind == QUOTE}
    store.close()
    given = {one.key: one.body for one in load.quotes if one.status == 201}
    lost = [name for name, body in given.items() if kept.get(name) != body]
    never = {one.key for one in load.quotes if one.status == 0} & kept.keys() - given.keys()
    print(
        f"{len(given):,} prices given, {len(kept):,} kept, {len(lost)} given and not kept;", end=" "
    )
    print(f"{len(never)} kept without an answer; {len(found.faults)} faults", flush=True)
    return [*found.faults, *[f"{len(lost)} prices were given and not kept"] * bool(lost)]


def main(rounds: int) -> None:
    """Take everything away in turn, and exit with what went wrong."""
    programs = cluster.binaries()
    if programs is None:
        sys.exit("no PostgreSQL server: deploy/postgresql.sh installs Debian's")
    folder, found = ROOT / "var/outages", list[str]()
    with cluster.running(programs) as made:
        print("the ledger in PostgreSQL")
        url = made.database()
        there = of_postgres(made, SOON_SECONDS, unready=True)
        found += tried(folder, {"SEEDRATE_LEDGER": url}, lambda _: there, rounds, postgres=url)
        print("the same, told to stop while the database is frozen")
        *_, frozen = of_postgres(made, SOON_SECONDS, unready=True)
        url = made.database()
        with_it = {"SEEDRATE_LEDGER": url}
        found += tried(folder, with_it, lambda _: iter(()), 0, postgres=url, last=frozen)
        print("the keys in PostgreSQL, the ledger in SQLite")
        keys = {"SEEDRATE_ACCESS": made.database().replace("://", "+psycopg://", 1)}
        there = of_postgres(made, BELIEVED_SECONDS + SOON_SECONDS, unready=False)
        found += tried(folder, keys, lambda _: there, rounds)
    print("the ledger in SQLite")
    found += tried(folder, {}, lambda process: iter([of_disk(process)]), rounds)
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
