"""Kill the process that answers, again and again, under load: how soon does another answer?

python -m benchmarks.restarts [KILLS]

Starts a server of its own as `make soak` does, lets callers ask one quote after the other, and
kills its worker with SIGKILL. Says beside how soon the new one was started, and how much of a
processor it took, since other work on the machine lengthens the rest. Fails if a new worker takes
more than 5 s to give a quote, if a request whose answer was lost has none under its key afterwards,
if a quote that was given is not there again byte for byte, or if the ledger does not verify.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from uuid import uuid4

import psutil

from benchmarks.fuzz import not_kept
from benchmarks.soak import ROOT, apart, bodies, key, server, worker
from serving.access.caller import SCOPES
from serving.champion import champion
from serving.client import CallError, Client, ProblemError
from serving.client.patience import Patience
from serving.settings import Settings

KILLS, CALLERS, MOST_SECONDS, CALM_SECONDS = 5, 8, 5.0, 3.0


@dataclass
class Seen:
    """What callers were given, and what they asked for in vain."""

    given: dict[str, bytes] = field(default_factory=dict)  # by key
    lost: dict[str, bytes] = field(default_factory=dict)  # key of a request without answer: body
    refused: Counter[str] = field(default_factory=Counter)


def main(kills: int) -> None:
    """Kill, and exit with what went wrong."""
    folder = ROOT / "var/restarts"
    shutil.rmtree(folder, ignore_errors=True)
    settings = Settings.read(os.environ)
    asked = [*bodies(champion(settings).column_set, random.Random(0))]
    environment = apart(settings, folder)
    shutil.copytree(settings.models, folder / "models")
    seen, over = Seen(), Event()
    with server(environment, folder) as (url, supervisor):
        shown = key(environment, SCOPES)
        with Client(url, shown, Patience(0)) as client, ThreadPoolExecutor(CALLERS) as callers:
            asking = [callers.submit(ask_on, client, asked, seen, over) for _ in range(CALLERS)]
            times = [killed(seen, lambda: worker(supervisor)) for _ in range(kills)]
            over.set()
            for one in asking:
                one.result()
        with Client(url, shown) as patient:
            wrong = [name for name, body in seen.lost.items() if not patient.quote(body, name).body]
            wrong += [name for name, body in seen.given.items() if again(patient, name) != body]
    print(f"{len(seen.given):,} quotes given, {len(seen.lost)} answers lost, {dict(seen.refused)}")
    for name, each in zip(
        ("to the next quote", "to its start", "of processor"), zip(*times, strict=True), strict=True
    ):
        print(f"seconds from a kill {name}: {', '.join(f'{one:.1f}' for one in each)}")
    wrong += not_kept(folder, ())
    wrong += [f"a restart took {one:.1f} s" for one, *_ in times if one > MOST_SECONDS]
    shutil.rmtree(folder)
    sys.exit("\n".join(wrong) or None)


def ask_on(client: Client, asked: list[bytes], seen: Seen, over: Event) -> None:
    """Ask one quote after the other."""
    while not over.is_set():
        name, body = str(uuid4()), random.choice(asked)
        try:
            seen.given[name] = client.quote(body, name).body
        except ProblemError as refused:
            seen.refused[refused.code] += 1
        except CallError:
            seen.lost[name] = body
            time.sleep(0.02)


def killed(seen: Seen, worker: Callable[[], psutil.Process]) -> tuple[float, float, float]:
    """Let callers have some calm, and kill.

    Returns:
        The seconds until one has a quote again, until a new worker was started, and what this one
        took of a processor until then.
    """
    time.sleep(CALM_SECONDS)
    old = worker()
    old.kill()
    began = time.monotonic()
    old.wait()  # for the supervisor, which starts the next one when it lets this one go
    started = time.monotonic() - began
    before = len(seen.given)
    while len(seen.given) == before:
        time.sleep(0.01)
    return time.monotonic() - began, started, sum(worker().cpu_times()[:2])


def again(client: Client, name: str) -> bytes:
    """Return what is recorded under a key."""
    found = client.by_key(name)
    return found.body if found else b""


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else KILLS)
