"""Explained prices a second of one core: alone, in a batch, from a book; one run, in process.

python -m benchmarks.batch [--rows 20000]

Processor time of this process, its ledger's thread too. Single quotes and batches of 500 go through
the desk with a ledger in SQLite, from the parsed request to the durable reply; a book goes through
`python -m serving score`'s own steps, from Parquet to Parquet. Every request is a variation of an
example with terms drawn by chance; the best of three rounds counts.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from benchmarks.soak import ROOT, apart, bodies
from pricing import policy
from serving.access.caller import LOCAL
from serving.app import Server
from serving.collector import spare
from serving.desk import Desk
from serving.score import run
from serving.score.run import Task
from serving.settings import Settings

SINGLE, BATCH, ROUNDS = 500, 500, 3


def main(rows: int) -> None:
    """Print the three rates, how long others wait beside a batch, and the memory."""
    folder = ROOT / "var/bench-batch"
    shutil.rmtree(folder, ignore_errors=True)
    settings = Settings.read(os.environ)
    shutil.copytree(settings.models, folder / "models")
    server = Server.open(Settings.read(apart(settings, folder)))
    try:
        server.ledger.wait_open(10)
        server.load()
        desk = server.office.served.desk
        asked = list(requests(desk))
        spare()
        single = best(lambda at: asyncio.run(alone(desk, asked, at)), len(asked))
        print(f"single quotes      {single:>8,.0f}/s of a core")
        many = best(lambda at: asyncio.run(together(desk, asked, at)), len(asked))
        print(f"batches of {BATCH}     {many:>8,.0f}/s of a core, {many / single:.2f} times")
        waits = sorted(asyncio.run(beside(desk, asked)))
        print(f"the loop beside a batch: median stall {waits[len(waits) // 2]:.1f} ms", end="")
        print(f", longest {waits[-1]:.1f} ms")
        for size in (rows // 10, rows):
            rate = book(server, asked, size, folder)
            print(
                f"book of {size:>9,} {rate:>9,.0f}/s of a core, {rate / single:.2f} times", end=""
            )
            print(f", memory at most {peak_mb():,.0f} MB")
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def requests(desk: Desk) -> Iterator[dict[str, Any]]:
    """Yield the requests, each a term loan of its own terms."""
    dice = random.Random(0)
    column_set = desk.pricer.model.column_set  # type: ignore[attr-defined]  # a real one
    varied = [*bodies(column_set, dice)] * 2
    for body in varied[:SINGLE]:
        request = orjson.loads(body)
        repayment = dice.choice(("bullet", "linear", "annuity"))
        terms = {
            "kind": "term_loan",
            "amount": dice.randrange(1, 40) * 1e5,
            "term_months": 12 * dice.randint(1, 9),
            "repayment": repayment,
            "grace_months": 0 if repayment == "bullet" else dice.choice((0, 6)),
            "payment_months": dice.choice((1, 3)),
        }
        yield {**request, "instrument": terms}


async def alone(desk: Desk, asked: list[dict[str, Any]], at: int) -> None:
    """Ask for each by itself, 32 at a time as callers do."""
    for first in range(0, len(asked), 32):
        some = enumerate(asked[first : first + 32], first)
        await asyncio.gather(*(desk.quote(body, LOCAL, f"a{at}-{key}") for key, body in some))


async def together(desk: Desk, asked: list[dict[str, Any]], at: int) -> None:
    """Ask for all in one batch."""
    await desk.batch({"quotes": asked}, LOCAL, f"b{at}")


async def beside(desk: Desk, asked: list[dict[str, Any]]) -> list[float]:
    """Return the milliseconds that the event loop took for each of its turns during a batch."""
    batch, waits = asyncio.create_task(together(desk, asked, ROUNDS)), []
    while not batch.done():
        began = time.perf_counter()
        await asyncio.sleep(0)
        waits.append(1e3 * (time.perf_counter() - began))
    return [wait for wait in waits if wait > 0.1]  # turns in which something was done


def book(server: Server, asked: list[dict[str, Any]], rows: int, folder: Path) -> float:
    """Score a book and return its rows a second of a core."""
    told = [{**body["project"], **body["instrument"]} for body in asked]
    frame = pl.from_dicts(told, infer_schema_length=None).rename({"kind": "instrument"})
    path = folder / f"book{rows}.parquet"
    repeated = frame.select(pl.all().gather(pl.int_range(rows, eager=True) % frame.height))
    repeated.write_parquet(path)
    model = server.office.served.desk.pricer.model  # type: ignore[attr-defined]  # a real one
    rules = policy.text(server.settings.policy, currency=model.currency)
    on = datetime.now(UTC).date()
    out = folder / f"scored{rows}.parquet"
    task = Task(path, out, server.settings.models, model.digest, rules, {}, on)
    run.begin(task, "benchmark")
    scorer = task.scorer()
    began = time.process_time()
    run.score(task, scorer, task.read(scorer.contract), 1, lambda rows, wrong: None)
    return rows / (time.process_time() - began)


def best(call: Callable[[int], None], rows: int) -> float:
    """Return rows a second of processor time, in the best of a few rounds."""
    taken = []
    for at in range(ROUNDS):
        began = time.process_time()
        call(at)
        taken.append(time.process_time() - began)
    return rows / min(taken)


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    main(parser.parse_args().rows)
