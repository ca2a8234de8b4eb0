"""Promotions, rollbacks, a dead registry and bad candidates, under a steady load. `make soak`.

python -m benchmarks.swaps [--quotes 50000] [--acts 20] [--per-second 100] [--down-seconds 600]

An MLflow server and a server of ours, both of its own, below var/swaps. The champion of var/ and
others (each with a level of the cycle that is a tenth higher) take turns, promoted and sent back by
the ways of `training/promote.py`: another is promoted, sent back, promoted again and sent back
again, then the next. So of four swaps one is to a model that the server has never seen; that and
the three to models that it served before are told of apart. Each reply is held against what the
model that it names says in this process of the same body, price and explanation. Then candidates
that must not serve, then the registry is stopped, and a second server is started without it. A swap
is from when the server sees what the alias names until half a second after it serves that. Who
promotes needs a processor too: so does a process that only imports MLflow, the control. Fails if a
quote fails or is of two models, if a bad candidate serves, or if p99 during swaps of either kind is
above twice p99 otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import orjson

from benchmarks.shelf import ALIAS, NAME, Registry, mlflow, raised
from benchmarks.soak import ROOT, apart, bodies, free_port, key, server
from models import artifact, keys, registry
from models.hazard import HazardModel
from models.keys import SigningKey
from models.pricer import Pricer
from pricing import policy
from serving import app
from serving.access.caller import LOCAL
from serving.champion import champion
from serving.client import CallError, Client
from serving.client.patience import Patience
from serving.gauges import Gauges
from serving.ledger.none import NoLedger
from serving.settings import Settings
from tests.serving.shelf import cut, one_bit, wide
from training.promote import Act, Desk, Office
from training.rules import Rules

SCOPES = ("price", "metrics")
CALLERS, POLL_SECONDS, LOOK_SECONDS = 4, 1.0, 0.1
OWN = ("quote_id", "time", "recorded")  # of one quote, whichever model made it
WAIT_SECONDS = 300.0
REST_SECONDS = 0.5  # after a swap, in which the old model is let go
CALM = "otherwise"
FIRST, AGAIN = SWAPS = "during a swap to a new model", "during a swap to one that served"
TURNS = 4  # for each model beside the first
PROMOTING, CONTROL = "while a version is judged and promoted", "while somebody imports MLflow"
BUSY = "import mlflow.tracking"  # what the control does


@dataclass(frozen=True)
class Span:
    """What went on from when to when, in seconds since 1970."""

    phase: str
    began: float
    ended: float


@dataclass
class Load:
    """Callers at a steady pace, and what they saw."""

    client: Client
    asked: Sequence[bytes]
    expected: Mapping[str, Sequence[Mapping[str, Any]]]  # by digest of the model
    per_second: float
    taken: list[tuple[float, float]] = field(default_factory=list)  # when, and seconds it took
    spans: list[Span] = field(default_factory=list)  # the first that a quote falls into counts
    failed: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    ended: Event = field(default_factory=Event)

    @property
    def quotes(self) -> int:
        """Return how many quotes were asked for."""
        return len(self.taken)

    def run(self) -> None:
        """Ask until the end."""
        with ThreadPoolExecutor(CALLERS) as callers:
            began, at = time.monotonic(), 0
            while not self.ended.is_set():
                callers.submit(self.one, at % len(self.asked))
                at += 1
                time.sleep(max(0.0, began + at / self.per_second - time.monotonic()))
            callers.shutdown(cancel_futures=True)  # a machine too slow for the pace has a queue

    def one(self, at: int) -> None:
        """Ask once, and hold the reply against the model that it names."""
        when, began = time.time(), time.perf_counter()
        try:
            body = self.client.quote(self.asked[at]).body
        except CallError as error:
            self.failed.append(str(error)[:300])
            return
        finally:
            self.taken.append((when, time.perf_counter() - began))
        reply = apart_from_its_own(body)
        if self.expected[reply["model"]["digest"]][at] != reply:
            self.mixed.append(body.decode()[:300])

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Note when something goes on."""
        began = time.time()
        yield
        self.spans.append(Span(phase, began, time.time()))

    def taken_ms(self) -> dict[str, list[float]]:
        """Return what quotes took, by what went on meanwhile."""
        found: dict[str, list[float]] = {CALM: []}
        for when, took in self.taken:
            phases = (s.phase for s in self.spans if when <= s.ended and s.began <= when + took)
            found.setdefault(next(phases, CALM), []).append(1e3 * took)
        return found


def swapped(log: Path) -> list[Span]:
    """Return when a server swapped, as its log tells."""
    spans, began, known = [], 0.0, set()
    for line in log.read_text("utf-8").splitlines():
        if not line.startswith("{"):
            continue
        says = orjson.loads(line)
        at = datetime.fromisoformat(says["time"]).timestamp()
        if f"{ALIAS} names version" in says["message"]:
            began = at
        elif f"{ALIAS} is version" in says["message"]:
            digest = says["message"].split()[-1]
            if began:
                phase = AGAIN if digest in known else FIRST
                spans.append(Span(phase, began, at + REST_SECONDS))
            known.add(digest)
    return spans


def main(quotes: int, acts: int, per_second: float, down_seconds: float) -> None:
    """Run the phases one after the other, and exit with what went wrong."""
    folder = ROOT / "var/swaps"
    shutil.rmtree(folder, ignore_errors=True)
    settings = Settings.read(os.environ)
    model = champion(settings)
    asked = list(bodies(model.column_set, random.Random(0)))
    folder.mkdir(parents=True)
    versions = [settings.models / model.digest]
    for other in range(1, 1 + -(-acts // TURNS)):
        versions.append(folder / f"other-{other}")
        raised(versions[0], versions[other], 0.1 * other)
    try:
        wrong = phases(folder, versions, asked, quotes, acts, per_second, down_seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(wrong)


def phases(
    folder: Path,
    versions: Sequence[Path],
    asked: Sequence[bytes],
    quotes: int,
    acts: int,
    per_second: float,
    down_seconds: float,
) -> str | None:
    """Return what went wrong, or None."""
    signer = keys.create(folder / "keys", "benchmark")
    port = free_port()
    books = Registry(f"http://127.0.0.1:{port}", folder, signer)
    environment = {
        **apart(Settings.read(os.environ), folder),
        "SEEDRATE_TRACKING_URI": books.uri,
        "SEEDRATE_TRUSTED_KEYS": str(folder / "keys" / keys.TRUSTED),
        "SEEDRATE_POLL_SECONDS": str(POLL_SECONDS),
        "SEEDRATE_AUDIT_SHARE": "0",
        "SEEDRATE_LIMIT_AT_ONCE": "1000",
    }
    with mlflow(folder, port) as stop:
        with registry.client(books.uri) as client:
            client.create_registered_model(NAME)
        numbers = [books.add(version) for version in versions]
        act(environment, "promote", numbers[0])
        expected = dict(said_of(versions, numbers, asked))
        with server(environment, folder) as (url, _):
            load = Load(
                Client(url, key(environment, SCOPES), Patience(0)), asked, expected, per_second
            )
            thread = Thread(target=load.run)
            thread.start()
            try:
                swaps(load, environment, numbers, acts)
                load.spans[:0] = swapped(folder / "server.log")
                served = bad_candidates(load, books, versions)
                stop()
                without_registry(load, down_seconds)
                cold = cold_start(folder, environment, asked, expected)
                while load.quotes < quotes:
                    time.sleep(1)
            finally:
                load.ended.set()
                thread.join()
    return verdict(load, served, cold)


def swaps(load: Load, environment: Mapping[str, str], numbers: Sequence[str], acts: int) -> None:
    """Promote other versions and send them back, in turns, and wait for each to serve."""
    for turn in range(acts):
        other = numbers[1 + turn // TURNS]
        with load.during(PROMOTING):
            act(environment, *(("promote", other) if turn % 2 == 0 else ("rollback", "")))
        began = time.monotonic()
        until(load.client, "version", other if turn % 2 == 0 else numbers[0])
        took = time.monotonic() - began
        print(f"act {turn + 1:>2}: serves {took:4.1f} s later; {load.quotes:,} quotes", flush=True)
        time.sleep(3)
        with load.during(CONTROL):
            subprocess.run([sys.executable, "-c", BUSY], cwd=ROOT, check=True)
        time.sleep(3)


def act(environment: Mapping[str, str], verb: str, number: str) -> None:
    """Promote or send back in a process of its own, as a person does."""
    command = [sys.executable, "-m", "benchmarks.swaps", verb, number]
    subprocess.run(command, cwd=ROOT, env=dict(environment), check=True)


def decide(verb: str, number: str) -> None:
    """Do what `act` asks: the final gates, a signature, the alias."""
    settings = Settings.read(os.environ)
    key = SigningKey.read(settings.trusted_keys.with_name(keys.SIGNING))
    desk = Desk(Rules("final", "1", 36), key, keys.trusted(settings.trusted_keys))
    done = Act("benchmark", datetime.now(UTC), "a turn")
    with registry.client(str(settings.tracking_uri)) as client:
        copies = settings.var / "desk"
        office = Office(client, NAME, ALIAS, copies, lambda: datetime.now(UTC))
        if verb == "promote":
            office.promote(number, done, desk)
        else:
            office.rollback(done, desk)


def bad_candidates(load: Load, books: Registry, versions: Sequence[Path]) -> int:
    """Let the alias name six that must not serve; return how many did."""
    sound = until(load.client, "version", None)["version"]
    eve, served = keys.create(books.folder / "eve", "eve"), 0

    def named(change: Callable[[Path], None], seal: bool = True) -> str:
        into = books.folder / f"bad-{time.time_ns()}"
        shutil.copytree(versions[1], into)
        card = into / "card.json"
        card.write_text(card.read_text("utf-8") + " ", encoding="utf-8")
        digest = artifact.seal(into)  # of which no server has a copy
        change(into)
        return books.add(into, artifact.seal(into) if seal else digest)

    tries: list[tuple[str, str, SigningKey | None]] = [
        ("other bytes than were signed", named(cut, seal=False), books.key),
        ("signed by a stranger", "2", eve),
        ("not signed", "2", None),
        ("crashes at load", named(wide), books.key),
        ("a booster cut short", named(cut), books.key),
        ("a golden vector off by one bit", named(one_bit), books.key),
    ]
    for name, number, signer in tries:
        before = watched(load.client)["refusals"]
        books.point(number, books.signed(number, signer) if signer else "")
        while (seen := watched(load.client))["refusals"] == before and seen["version"] == sound:
            time.sleep(LOOK_SECONDS)
        served += seen["version"] != sound
        print(f"{name}: {(seen['refused'] or {}).get('reason', 'it serves')[:90]}", flush=True)
    books.point(sound, books.signed(sound, books.key))
    time.sleep(2 * POLL_SECONDS)
    return served


def without_registry(load: Load, down_seconds: float) -> None:
    """Wait while nobody answers where the registry was."""
    until(load.client, "registry", "stale")
    time.sleep(down_seconds)
    print(f"registry down for {down_seconds:.0f} s; {load.quotes:,} quotes", flush=True)


def cold_start(
    folder: Path,
    environment: Mapping[str, str],
    asked: Sequence[bytes],
    expected: Mapping[str, Sequence[Mapping[str, Any]]],
) -> int:
    """Start a second server without the registry; return how many of its quotes failed."""
    own = folder / "cold"
    shutil.copytree(folder / "models", own / "models")
    environment = {**environment, "SEEDRATE_VAR": str(own)}
    with server(environment, own) as (url, _):
        load = Load(Client(url, key(environment, SCOPES), Patience(0)), asked, expected, 0)
        for at in range(len(asked)):
            load.one(at)
    print(f"cold start without the registry: {load.quotes} quotes", flush=True)
    return len(load.failed) + len(load.mixed)


def verdict(load: Load, served: int, cold: int) -> str | None:
    """Print the figures; return what went wrong, or None."""
    p99_ms = {}
    for phase, taken in load.taken_ms().items():
        p50, p99_ms[phase] = np.percentile(taken, (50, 99))
        print(
            f"{phase:<40} {len(taken):>7,} quotes   p50 {p50:5.1f} ms   p99 {p99_ms[phase]:6.1f} ms"
        )
    ratios = [p99_ms[phase] / p99_ms[CALM] for phase in SWAPS if phase in p99_ms]
    print(
        f"{load.quotes:,} quotes, {len(load.failed)} failed, {len(load.mixed)} of two models; "
        f"p99 during swaps over otherwise {', '.join(f'{ratio:.2f}' for ratio in ratios)}; "
        f"bad candidates that served: {served}"
    )
    if load.failed or load.mixed or cold:
        return f"quotes failed or were of two models, the first: {(load.failed + load.mixed)[:1]}"
    if served:
        return "a bad candidate served"
    return "p99 during swaps is above twice p99 otherwise" if max(ratios) > 2 else None


def said_of(
    versions: Sequence[Path], numbers: Sequence[str], asked: Sequence[bytes]
) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Give for each model's digest what it says of every body, price and explanation."""
    for folder, number in zip(versions, numbers, strict=True):
        model = artifact.read(folder)
        model = replace(model, card={**model.card, "version": number})
        desk = desk_of(model)
        told = [desk.what_if(orjson.loads(body), LOCAL).body for body in asked]
        yield model.digest, [apart_from_its_own(body) for body in told]


def desk_of(model: HazardModel) -> Any:
    """Return the desk of a model, which audits nothing."""
    rules = policy.load(None, currency=model.currency)
    return app.desk(Pricer(model, rules), NoLedger(), Gauges(), audit_share=0.0)


def apart_from_its_own(body: bytes) -> dict[str, Any]:
    """Return a reply without what is one quote's own."""
    return {name: value for name, value in orjson.loads(body).items() if name not in OWN}


def watched(client: Client) -> Mapping[str, Any]:
    """Return what the server says of its registry."""
    told: Mapping[str, Any] = orjson.loads(client.get("/v1/registry"))[ALIAS]
    return told


def until(client: Client, name: str, value: str | None) -> Mapping[str, Any]:
    """Wait until the server says so; None waits for anything."""
    begun = time.monotonic()
    while time.monotonic() - begun < WAIT_SECONDS:
        told: Mapping[str, Any] = orjson.loads(client.get("/readyz"))
        if value is None or told.get(name) == value:
            return told
        time.sleep(LOOK_SECONDS)
    raise SystemExit(f"{name} must become {value}, however: {told}")


if __name__ == "__main__":
    if sys.argv[1:2] in (["promote"], ["rollback"]):
        decide(*sys.argv[1:3])
    else:
        parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
        parser.add_argument("--quotes", type=int, default=50_000)
        parser.add_argument("--acts", type=int, default=20)
        parser.add_argument("--per-second", type=float, default=100.0)
        parser.add_argument("--down-seconds", type=float, default=600.0)
        given = parser.parse_args()
        main(given.quotes, given.acts, given.per_second, given.down_seconds)
