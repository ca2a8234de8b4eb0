"""Kill the ledger's writer again and again: is anything lost that was acknowledged?

python -m benchmarks.crashes [ROUNDS] [WRITERS]

Each round starts a process in which 1,000 writers record at once, kills it with SIGKILL at a random
moment, and compares what it was told is durable with what is there; then the whole log is audited:
dense numbers, leaves, tiles, head, every signed checkpoint. The same on PostgreSQL, where two
processes write and both are killed. A kill does not stand for a power cut: the kernel lives on.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.soak import ROOT
from serving.ledger.audit import audit
from serving.ledger.held import Held
from serving.ledger.postgres import PostgresStore
from serving.ledger.sqlite import SqliteStore
from serving.ledger.store import Store
from tests.serving.ledger import cluster
from tests.serving.ledger.books import entry, opened

ROUNDS, WRITERS = 12, 1000


def main(rounds: int, writers: int) -> None:
    """Crash both databases, and exit with what went wrong."""
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        crash(Path(name), "", 1, rounds, writers)
    programs = cluster.binaries()
    if programs is None:
        sys.exit("no PostgreSQL server: deploy/postgresql.sh installs Debian's")
    with cluster.running(programs) as server, tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        crash(Path(name), server.database(), 2, rounds, writers)


def crash(folder: Path, url: str, processes: int, rounds: int, writers: int) -> None:
    """Write, kill and compare, round by round."""
    dice, told = random.Random(rounds), set[str]()
    opened(folder, store=store(folder, url)).close()
    for round_ in range(rounds):
        told |= killed(folder, url, processes, writers, round_, 0.5 + 2 * dice.random())
        opened(folder, store=store(folder, url)).close()  # recovers, as a server's start does
        reader = store(folder, url).reader
        held = Held(folder / "ledger/checkpoint").note()
        kept = {row.quote_id for row in reader.rows()}
        found = audit(reader, None, {"checkpoint": held} if held else {})
        checkpoints = len(reader.checkpoints())
        reader.close()
        what = "PostgreSQL" if url else "SQLite"
        line = f"{what:<10} round {round_ + 1:>2}: {len(told):>8,} acknowledged"
        line += f", {len(told - kept)} lost, {found.size:>8,} entries"
        print(f"{line}, {checkpoints} checkpoints, {len(found.faults)} faults", flush=True)
        if told - kept or found.faults:
            sys.exit(f"lost: {sorted(told - kept)[:5]}, faults: {found.faults[:5]}")


def killed(
    folder: Path, url: str, processes: int, writers: int, round_: int, seconds: float
) -> set[str]:
    """Run writers for some seconds from the first answer on, kill them; return what they heard."""
    command = [sys.executable, "-m", "benchmarks.crashes", "write", str(folder), url]
    runs = [
        subprocess.Popen(
            [*command, f"r{round_}p{process}", str(writers)], stdout=subprocess.PIPE, cwd=ROOT
        )
        for process in range(processes)
    ]
    heard: list[bytes] = []
    threads = [threading.Thread(target=listen, args=(run, heard)) for run in runs]
    for thread in threads:
        thread.start()
    while not heard and all(run.poll() is None for run in runs):
        time.sleep(0.01)
    time.sleep(seconds)
    for run in runs:
        run.send_signal(signal.SIGKILL)
    for thread in threads:
        thread.join()
    if not heard:
        sys.exit("the writers must record something before they are killed, and did not")
    return {line.decode().strip() for line in heard if line.endswith(b"\n")}


def listen(run: subprocess.Popen[bytes], heard: list[bytes]) -> None:
    """Take down every line of a process until it ends."""
    with run:
        assert run.stdout is not None
        heard.extend(iter(run.stdout.readline, b""))


def write(folder: Path, url: str, name: str, writers: int) -> None:
    """Record without end, and say what is durable."""
    books = opened(folder, store=store(folder, url), most_waiting=100_000)

    async def writer(own: str) -> None:
        number = 0
        while True:
            await books.record(entry(f"{own}-{number}"))
            print(f"{own}-{number}", flush=True)
            number += 1

    async def together() -> None:
        await asyncio.gather(*[writer(f"{name}-{own}") for own in range(writers)])

    asyncio.run(together())


def store(folder: Path, url: str) -> Store:
    """Return the store of a round."""
    return PostgresStore(url) if url else SqliteStore(folder / "ledger.db")


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        at, address, who, many = sys.argv[2:]
        write(Path(at), address, who, int(many))
    else:
        given = [int(one) for one in sys.argv[1:3]]
        main(*[*given, *(ROUNDS, WRITERS)[len(given) :]])
