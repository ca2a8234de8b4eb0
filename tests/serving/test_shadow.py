"""A challenger prices a share of the quotes, and no caller waits for it or sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from uuid import uuid4

import numpy as np
import orjson
import pytest
from rich.console import Console

from models import artifact
from pricing import policy
from pricing.errors import InputError
from serving import comparisons
from serving.access.caller import LOCAL
from serving.app import Server
from serving.comparisons import Comparison
from serving.settings import Settings
from serving.shadow import WAITING, Shadow
from tests.serving import known_key, small_model
from tests.serving.conftest import ROOT

GOOD = json.loads((ROOT / "examples" / "good.json").read_text("utf-8"))
OTHER = 10  # a seed whose trees may serve


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("other") / "model"
    small_model.make(folder, seed=OTHER)
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that prices every quote twice, as soon as it has a challenger."""
    small_model.write(tmp_path / "models")
    known_key.write(tmp_path)
    made = Server.open(
        Settings.read(
            {
                "SEEDRATE_VAR": str(tmp_path),
                "SEEDRATE_TRACKING_URI": "off",
                "SEEDRATE_SHADOW_SHARE": "1",
            }
        )
    )
    assert made.ledger.wait_open(10)
    made.champion.first()
    yield made
    made.close()


def quoted(server: Server, count: int = 1) -> list[bytes]:
    async def all_of_them() -> list[bytes]:
        desk = server.office.served.desk
        replies = [desk.quote(GOOD, LOCAL, uuid4().hex) for _ in range(count)]
        return [reply.body for reply in await asyncio.gather(*replies)]

    return asyncio.run(all_of_them())


def test_the_challengers_price_is_what_it_would_quote(server: Server, other: Path) -> None:
    challenger = artifact.read(other)
    server.shadow.serve(challenger)
    (reply,) = map(orjson.loads, quoted(server))
    server.shadow.turn()
    (row,) = comparisons.read(server.settings.shadow)
    server.serve(challenger)  # now it answers itself
    (again,) = map(orjson.loads, quoted(server))
    assert (row.quote_id, row.instrument, row.grade) == (
        reply["quote_id"],
        "term_loan",
        reply["grade"],
    )
    assert (row.champion, row.challenger) == (reply["model"]["digest"], challenger.digest)
    assert row.champion_bps == float(reply["spread_bps"])
    assert row.challenger_bps == float(again["spread_bps"]) != row.champion_bps
    text = server.shadow.metrics()
    assert next(iter(text)).samples[0].value == 1.0
    server.shadow.turn()  # a model is not compared with itself
    assert len(comparisons.read(server.settings.shadow)) == 1


def test_what_does_not_fit_is_dropped_and_counted_and_nobody_waits(
    server: Server, other: Path
) -> None:
    quoted(server)  # without a challenger nothing is drawn
    server.shadow.serve(artifact.read(other))
    assert len(quoted(server, WAITING + 10)) == WAITING + 10
    counts, _ = server.shadow.metrics()
    assert {one.labels["result"]: one.value for one in counts.samples if one.value} == {
        "dropped": 10
    }


def test_a_what_if_is_not_priced_twice_and_a_refusal_is_counted(
    server: Server, other: Path, tmp_path: Path
) -> None:
    server.shadow.serve(artifact.read(other))
    server.office.served.desk.what_if(GOOD, LOCAL)
    document = orjson.loads(quoted(server)[0])
    server.shadow.offer({"project": {}}, "local", document, datetime.now(UTC))
    server.shadow.turn()
    counts, _ = server.shadow.metrics()
    found = {one.labels["result"]: one.value for one in counts.samples if one.value}
    assert found == {"priced": 1, "refused": 1}


def test_no_share_draws_no_quote(other: Path, tmp_path: Path) -> None:
    shadow = Shadow(tmp_path / "f.db", share=0, policy_in=lambda c: policy.load(None, currency=c))
    shadow.serve(artifact.read(other))
    shadow.offer(GOOD, "local", {"quote_id": uuid4().hex}, datetime.now(UTC))
    shadow.turn()
    assert not (tmp_path / "f.db").exists()


def compared(number: int, difference_bps: float, **more: object) -> Comparison:
    row = {"quote_id": str(number), "at": "t", "instrument": "term_loan", "grade": 3}
    row |= {"champion": "a" * 64, "challenger": "b" * 64, "champion_bps": 500.0}
    return Comparison(**{**row, "challenger_bps": 500.0 + difference_bps, **more})  # type: ignore[arg-type]  # of the right types


def test_the_file_is_bounded_and_takes_a_quote_once(tmp_path: Path) -> None:
    rows = [compared(number, 1.0) for number in range(30)]
    comparisons.write(tmp_path / "f.db", rows, most=20)
    comparisons.write(tmp_path / "f.db", rows[-1:], most=20)
    assert [row.quote_id for row in comparisons.read(tmp_path / "f.db")] == [
        str(number) for number in range(10, 30)
    ]


def test_the_table_tells_mean_and_percentiles_by_segment() -> None:
    """Differences of 1 to 100 bp and back: numpy's percentiles of their sizes."""
    signed = np.arange(1.0, 101.0) * np.where(np.arange(100) % 2, 1, -1)
    rows = [compared(number, bps) for number, bps in enumerate(signed)]
    rows.append(
        compared(100, 7.0, instrument="guarantee", champion_bps=100.0, challenger_bps=107.0)
    )
    console = Console(width=120, file=StringIO(), record=True)
    console.print(comparisons.render([compared(101, 1.0, challenger="c" * 64), *rows]))
    text = console.export_text()
    lines = {" ".join(line.split()[:-6]): line.split()[-6:] for line in text.splitlines()}
    assert lines["guarantee"] == ["1", "7.00", "7.00", "7.00", "7.00", "7.00"]
    assert lines["below 300 bp"] == lines["guarantee"]
    p50, p95 = np.percentile(np.abs(signed), (50, 95))
    assert lines["300 to 800 bp"] == ["100", "0.50", "50.50", f"{p50:.2f}", f"{p95:.2f}", "100.00"]
    assert "1 rows of other pairs are left out" in text


def test_without_a_file_it_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SEEDRATE_SHADOW_SHARE above 0"):
        comparisons.read(tmp_path / "shadow.db")
