"""A server under steady load: does it err, slow down or grow? `make soak`, MINUTES=10.

python -m benchmarks.soak MINUTES

Starts a server of its own (the champion of var/, a ledger of its own in var/soak, on a free port),
asks it for explained quotes of 256 different projects at a steady pace, and prints a line every ten
seconds. It fails if a reply is no quote, or if the server's memory grows by 20 MB once it is warm.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psutil

from features.column import ColumnSet, Kind
from serving.access import root
from serving.champion import champion
from serving.client import CallError, Client
from serving.client.patience import Patience
from serving.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
BODIES, CALLERS, PER_SECOND, LINE_SECONDS = 256, 2, 60, 10
SHARED = {"SEEDRATE_ACCESS", "SEEDRATE_PEPPER"}  # not for benchmarks
WARM = 0.2  # share of the run after which the server is warm
GROWTH_MB = 20.0  # allowed from then to the end


def main(minutes: float) -> None:
    """Soak for some minutes, and exit with what went wrong."""
    folder = ROOT / "var/soak"
    shutil.rmtree(folder, ignore_errors=True)
    settings = Settings.read(os.environ)
    asked = list(bodies(champion(settings).column_set, random.Random(0)))
    environment = apart(settings, folder)
    try:
        shutil.copytree(settings.models, folder / "models")
        with server(environment, folder) as (url, process):
            watch = Watch(psutil.Process(process.pid))
            with Client(url, key(environment), Patience(0)) as client:
                soak(client, asked, minutes, watch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(watch.verdict())


def apart(settings: Settings, folder: Path) -> dict[str, str]:
    """Return the environment of a server with a `var` of its own, that limits nobody."""
    environment = {name: value for name, value in os.environ.items() if name not in SHARED}
    return environment | {
        "SEEDRATE_TRACKING_URI": "off",
        "SEEDRATE_VAR": str(folder),
        "SEEDRATE_TRUSTED_KEYS": str(settings.trusted_keys),
        "SEEDRATE_LIMIT_PRICE": "10000000",
        "SEEDRATE_LIMIT_EXPLAIN": "10000000",
        "SEEDRATE_LIMIT_LEDGER": "10000000",
    }


def key(environment: Mapping[str, str], scopes: Iterable[str] = ("price",)) -> str:
    """Return a new key of a server that reads this environment."""
    store = root.key_store(Settings.read(environment))
    try:
        expires = int(time.time()) + 24 * 3600
        return store.create("local", "benchmark", frozenset(scopes), expires).text
    finally:
        store.close()


@dataclass
class Watch:
    """What was seen of the server, ten seconds by ten seconds."""

    process: psutil.Process
    memory_mb: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    quotes: int = 0

    def line(self, milliseconds: list[float], errors: list[str]) -> str:
        """Take note of ten seconds and describe them."""
        family = [self.process, *self.process.children(recursive=True)]
        self.memory_mb.append(sum(one.memory_info().rss for one in family) / 2**20)
        self.failures += errors
        self.quotes += len(milliseconds)
        p50, p99 = np.percentile(milliseconds, (50, 99)) if milliseconds else (0, 0)
        return (
            f"{self.quotes:>8,} quotes   p50 {p50:5.1f} ms   p99 {p99:6.1f} ms   "
            f"memory {self.memory_mb[-1]:6.0f} MB   errors {len(self.failures)}"
        )

    def verdict(self) -> str | None:
        """Return what went wrong, or None."""
        if self.failures:
            return f"{len(self.failures)} replies were no quote, the first: {self.failures[0]}"
        warm, last = self.memory_mb[int(WARM * len(self.memory_mb))], self.memory_mb[-1]
        print(f"memory grew by {last - warm:.1f} MB once it was warm (asked: below {GROWTH_MB:g})")
        return f"{last - warm:.1f} MB is a leak" if last - warm >= GROWTH_MB else None


def soak(client: Client, asked: list[bytes], minutes: float, watch: Watch) -> None:
    """Ask at a steady pace until the time is up."""
    end, at = time.monotonic() + 60 * minutes, 0
    with ThreadPoolExecutor(CALLERS) as callers:
        while time.monotonic() < end:
            started, replies = time.monotonic(), []
            for beat in range(LINE_SECONDS * PER_SECOND):
                replies.append(callers.submit(one_quote, client, asked[at % len(asked)]))
                at += 1
                time.sleep(max(0.0, started + (beat + 1) / PER_SECOND - time.monotonic()))
            seen = [reply.result() for reply in replies]
            errors = [error for _, error in seen if error]
            print(watch.line([taken for taken, _ in seen], errors), flush=True)


def one_quote(client: Client, body: bytes) -> tuple[float, str]:
    """Return the milliseconds of one quote, and what was wrong with it."""
    began = time.perf_counter()
    wrong = ""
    try:
        client.quote(body)
    except CallError as error:
        wrong = str(error)[:300]
    return 1e3 * (time.perf_counter() - began), wrong


def bodies(column_set: ColumnSet, dice: random.Random) -> Iterator[bytes]:
    """Give variations of the example: every number moved, some values left out."""
    example = orjson.loads((ROOT / "examples/good.json").read_bytes())
    kinds = {column.name: column for column in column_set.columns}
    for _ in range(BODIES):
        project = {
            name: moved(value, kinds[name].kind, dice)
            for name, value in example["project"].items()
            if not kinds[name].optional or dice.random() > 0.1
        }
        yield orjson.dumps({**example, "project": project})


def moved(value: Any, kind: Kind, dice: random.Random) -> Any:
    """Return a value near the given one, of the same kind."""
    if kind in (Kind.MONEY, Kind.RATIO) and isinstance(value, int | float):
        return value * dice.uniform(0.5, 1.0)
    return value


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(
    environment: Mapping[str, str], folder: Path
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a server on a free port of this machine, for as long as the block lasts."""
    port = free_port()
    with (folder / "server.log").open("wb") as log:
        command = [sys.executable, "-m", "serving", "start", "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        if why := Client(url).wait_ready(300):
            raise SystemExit(f"the server is not ready: {why}")
        yield url, process
    finally:
        process.terminate()
        process.wait(30)


def worker(supervisor: subprocess.Popen[bytes]) -> psutil.Process:
    """Return the process that answers."""
    for one in psutil.Process(supervisor.pid).children(recursive=True):
        if "_bentoml_impl.worker.service" in one.cmdline():
            return one
    raise SystemExit("the server has no worker")


def waited(task: int | str) -> float:
    """Return the seconds for which a process's first thread was ready and had no processor."""
    return int(Path(f"/proc/{task}/schedstat").read_text("ascii").split()[1]) / 1e9


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
