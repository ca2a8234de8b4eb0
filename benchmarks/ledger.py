"""How many quotes a second become durable: in SQLite, and in PostgreSQL from two server processes.

python -m benchmarks.ledger [SECONDS]

Each client records one entry of a quote (1 kB public, 8 kB private) after the other and waits
until it is durable, as a request does; entries are made beforehand, pricing is not part of it.
PostgreSQL is Debian's, started here in a folder of its own, with fsync and synchronous_commit on.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson

from benchmarks.soak import ROOT
from serving.ledger.entry import Entry
from serving.ledger.ledger import Ledger
from serving.ledger.postgres import PostgresStore
from serving.ledger.sqlite import SqliteStore
from serving.ledger.store import Store
from serving.quote_id import uuid7
from tests.serving.ledger import cluster
from tests.serving.ledger.books import entry, opened

CLIENTS = (1, 16, 64, 256)


def main(seconds: float) -> None:
    """Measure both databases and print a line each."""
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        for clients in CLIENTS:
            folder = Path(name) / str(clients)
            store = SqliteStore(folder / "ledger.db")
            shown("SQLite", clients, measured(folder, store, clients, seconds))
    programs = cluster.binaries()
    if programs is None:
        sys.exit("no PostgreSQL server: deploy/postgresql.sh installs Debian's")
    with cluster.running(programs) as server:
        for processes in (1, 2):
            for clients in (32, 128):
                across(server.database(), processes, clients, seconds)


def measured(folder: Path, store: Store, clients: int, seconds: float) -> list[float]:
    """Return the seconds that each row took to become durable."""
    books = opened(folder, store=store, most_waiting=100_000)
    try:
        return asyncio.run(load(books, clients, seconds))
    finally:
        books.close()


async def load(books: Ledger, clients: int, seconds: float) -> list[float]:
    """Let clients record for a while."""
    one, taken = sample(), []
    end = time.perf_counter() + seconds

    async def client() -> None:
        while (began := time.perf_counter()) < end:
            quote_id = uuid7(datetime.now(UTC), secrets.token_bytes)
            await books.record(replace(one, quote_id=quote_id, key=secrets.token_hex(16)))
            taken.append(time.perf_counter() - began)

    await asyncio.gather(*[client() for _ in range(clients)])
    return taken


def sample() -> Entry:
    """Return an entry as large as a real one, of JSON with as many figures."""
    one = entry("x")
    assert one.private is not None
    asked, said = ([figure() for _ in range(count)] for count in (41, 120))
    private = replace(one.private, request=orjson.dumps(asked), reply=orjson.dumps(said))
    return replace(one, private=private)


def figure() -> dict[str, str]:
    """Return one of the figures of a request or a reply."""
    digits = str(secrets.randbelow(10**6))
    return {"column": secrets.token_hex(6), "unit": "bps", "bps": f"{digits}.00"}


def across(url: str, processes: int, clients: int, seconds: float) -> None:
    """Measure several processes that share one PostgreSQL database."""
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        opened(Path(name), store=PostgresStore(url)).close()  # makes tables and key
        command = [sys.executable, "-m", "benchmarks.ledger", "client", name, url]
        command += [str(clients), str(seconds)]
        runs = [
            subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(processes)
        ]
        taken = [each for run in runs for each in orjson.loads(run.communicate()[0])]
        store = PostgresStore(url)
        size = store.reader.head().size
        store.close()
        if size != 1 + len(taken):
            sys.exit(f"{len(taken)} rows were acknowledged, however: {size - 1} are there")
        shown(f"PostgreSQL, {processes} processes", processes * clients, taken)


def shown(what: str, clients: int, taken: list[float]) -> None:
    """Print one line."""
    p50, p99 = 1e3 * np.percentile(taken, (50, 99))
    rate = clients / float(np.mean(taken))
    print(
        f"{what:<26} {clients:>4} clients {rate:>8,.0f} rows/s   p50 {p50:6.1f} ms   "
        f"p99 {p99:6.1f} ms   (asked: 2,000/s)",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        where, address, many, long = sys.argv[2:]
        done = measured(Path(where), PostgresStore(address), int(many), float(long))
        sys.stdout.buffer.write(orjson.dumps(done))
    else:
        os.makedirs(ROOT / "var", exist_ok=True)
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
