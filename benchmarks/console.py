"""How long the console's pages take with 100,000 quotes in the ledger, and what listing them costs.

python -m benchmarks.console [QUOTES]

Quotes are recorded through the real ledger (copies of one reply with ids, times, prices, grades and
references of their own), the small model of the tests serves, and pages are asked for over the real
gate in this process, signed in by a session. Times are of a whole answer, in milliseconds.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.soak import ROOT
from serving.access.caller import LOCAL
from serving.app import Server
from serving.ledger.entry import Entry, of_quote
from serving.quote_id import uuid7
from serving.settings import Settings
from tests.serving import known_key, small_model
from tests.serving.console.test_house import Browser

BATCH = 5000
ROUNDS = 30
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def main(quotes: int) -> None:
    """Fill a ledger and measure."""
    (ROOT / "var").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        var = Path(name)
        small_model.write(var / "models")
        known_key.write(var)
        most = str(10_000_000)
        environ = {"SEEDRATE_VAR": name, "SEEDRATE_TRACKING_URI": "off"}
        environ |= {"SEEDRATE_LIMIT_LEDGER": most, "SEEDRATE_LEDGER_QUEUE": "100000"}
        server = Server.open(Settings.read(environ))
        server.ledger.wait_open(10)
        server.load()
        try:
            one = asyncio.run(filled(server, quotes))
            shown(server, one)
        finally:
            server.close()


async def filled(server: Server, quotes: int) -> str:
    """Record quotes; return the id of a real one among them."""
    body = orjson.loads((ROOT / "examples/good.json").read_bytes())
    real = await server.office.served.desk.quote(body, LOCAL, "real")
    reply, began = orjson.loads(real.body), time.perf_counter()
    for first in range(0, quotes, BATCH):
        made = [copy(body, reply, at) for at in range(first, min(first + BATCH, quotes))]
        await asyncio.gather(*[server.ledger.record(entry) for entry in made])
    taken = time.perf_counter() - began
    print(f"{quotes:,} quotes recorded, {quotes / taken:,.0f} a second with making them")
    return str(real.quote_id)


def copy(body: dict[str, Any], reply: dict[str, Any], at: int) -> Entry:
    """Return an entry like that of a real quote, with facts of its own."""
    now = FIRST + timedelta(minutes=3 * at)
    kind = ("term_loan", "guarantee", "insurance", "equity")[at % 4]
    document = {
        **reply,
        "quote_id": uuid7(now, secrets.token_bytes),
        "spread_bps": f"{100 + at % 900}.00",
        "grade": 1 + at % 9,
        "instrument": {**reply["instrument"], "kind": kind},
        "model": {**reply["model"], "version": str(1 + at // 20_000)},
    }
    explanation = orjson.dumps(document["explanation"])
    return of_quote(
        document={**document, "explanation": orjson.Fragment(explanation)},
        explanation=explanation,
        reply=orjson.dumps(document),
        asked={**body, "reference": f"P-{at:06}"},
        tenant=LOCAL.tenant,
        key=f"k{at}",
        salt=secrets.token_bytes(32),
        now=now,
        code="0" * 64,
    )


def shown(server: Server, quote_id: str) -> None:
    """Print what each page takes."""
    browser = Browser(server)
    browser.sign_in()
    list_, year = "/console/quotes", "from=2026-03-01&to=2026-03-31"
    pages = {
        "first page": list_,
        "an instrument": f"{list_}?instrument=insurance",
        "a month": f"{list_}?{year}",
        "a project": f"{list_}?project=P-0500",
        "grade and price": f"{list_}?grade=9&least=900&most=910",
        "an old model": f"{list_}?model=1",
        "nothing found": f"{list_}?model=none",
        "deep in the list": f"{list_}?after=1767400000000000.1",
        "a quote": f"{list_}/{quote_id}",
    }
    for name, path in pages.items():
        answer = browser.get(path)
        assert answer.status == 200, (name, answer.status)
        taken = timed(lambda path=path: browser.get(path))  # type: ignore[misc]  # bound at once
        told = np.percentile(taken, (50, 99))
        print(f"{name:18} p50 {told[0]:7.1f} ms   p99 {told[1]:7.1f} ms")
    began = time.perf_counter()
    sheet = browser.get(f"{list_}.csv")
    lines = sheet.body.count(b"\n") - 1
    print(f"{'all as a sheet':18} {lines:,} rows in {time.perf_counter() - began:.2f} s")


def timed(ask: Callable[[], object]) -> list[float]:
    """Return how long some rounds took, in milliseconds."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        ask()
        taken.append(1000 * (time.perf_counter() - began))
    return taken


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
