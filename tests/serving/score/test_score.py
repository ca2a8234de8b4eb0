"""A book scored from file to file: the endpoint's numbers, whatever is killed in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from pricing import policy
from pricing.errors import InputError, ModelError
from serving.access.caller import LOCAL
from serving.app import Server
from serving.score import run
from serving.score.run import Task
from serving.score.table import E2
from serving.settings import Settings
from tests.conftest import ROOT
from tests.serving.fakes import NOON
from tests.serving.test_instruments import BODIES as EXAMPLES

ON = NOON.date()
BODIES = {  # overrides are a whole book's: its defaults say them
    name: {key: part for key, part in body.items() if key != "overrides"}
    for name, body in EXAMPLES.items()
}


def row(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request as a row of a file; what is within a field as JSON."""
    terms = {
        name: json.dumps(value) if isinstance(value, list | dict) else value
        for name, value in body["instrument"].items()
    }
    kind = terms.pop("kind")
    return {"reference": body["reference"], "instrument": kind, **body["project"], **terms}


ROWS = [row(body) for body in BODIES.values()]
WRONG = {**row(BODIES["good"]), "runway_months": -1, "amount": None, "reference": "wrong"}


@pytest.fixture
def task(tmp_path: Path, settings: Settings, server: Server) -> Task:
    book = tmp_path / "book.parquet"
    pl.from_dicts([*ROWS, WRONG], infer_schema_length=None).write_parquet(book)
    model = server.office.served.desk.pricer.model  # type: ignore[attr-defined]  # a real one
    rules = policy.text(currency="CNY")
    out = tmp_path / "scored.parquet"
    return Task(book, out, settings.models, model.digest, rules, {}, ON, part_rows=4)


def scored(task: Task, jobs: int = 1) -> pl.DataFrame:
    run.begin(task, "code")
    scorer = task.scorer()
    run.score(task, scorer, task.read(scorer.contract), jobs, lambda rows, wrong: None)
    return pl.read_parquet(task.out)


def test_a_row_has_the_numbers_of_the_endpoint(task: Task, server: Server) -> None:
    desk = replace(server.office.served.desk, now=lambda: NOON)
    for told, body in zip(scored(task).to_dicts(), BODIES.values(), strict=False):
        quote = json.loads(desk.what_if(body, LOCAL).body)
        why = quote["explanation"]
        assert told["problem"] is None
        assert told[f"price{E2}"] == round(100 * float(quote[told["figure"]]))
        assert told["rate"] == (float(quote["rate"]) if "rate" in quote else None)
        for month in ("12", "36", "60"):
            assert told[f"pd_{month}"] == float(quote["pd"][month])
        assert (told["lgd"], told["grade"]) == (float(quote["lgd"]), quote["grade"])
        assert told["reasons"] == [reason["code"] for reason in why["reasons"]]
        assert told["model"] == quote["model"]["digest"]
        for item in why["items"]:
            assert told[f"column:{item['column']}{E2}"] == round(100 * float(item["bps"]))
        for group in why["groups"]:
            assert told[f"group:{group['group']}{E2}"] == round(100 * float(group["bps"]))


def test_the_parts_of_a_row_add_up_to_its_price_exactly(task: Task) -> None:
    priced = scored(task).filter(pl.col("problem").is_null())
    parts = [name for name in priced.columns if name.startswith(("column:", "line:"))]
    groups = [name for name in priced.columns if name.startswith("group:")]
    columns = [name for name in parts if name.startswith("column:")]
    total = priced.select(pl.sum_horizontal(*parts, f"base{E2}")).to_series()
    assert (total == priced[f"price{E2}"]).all()
    sums = priced.select(g=pl.sum_horizontal(groups), c=pl.sum_horizontal(columns))
    assert (sums["g"] == sums["c"]).all()


def test_a_row_without_a_price_names_its_fields_and_stops_nobody(task: Task) -> None:
    last = scored(task).row(-1, named=True)
    assert "project.runway_months must be" in last["problem"]
    assert "instrument.amount must be" in last["problem"]
    assert (last["row"], last["reference"], last[f"price{E2}"]) == (len(ROWS) + 1, "wrong", None)


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(task: Task, tmp_path: Path) -> None:
    scored(task)
    again = replace(task, out=tmp_path / "again.parquet")
    done = 0

    def killed(rows: int, wrong: int) -> None:
        nonlocal done
        done += rows
        if done > 6:
            raise KeyboardInterrupt

    run.begin(again, "code")
    scorer = again.scorer()
    book = again.read(scorer.contract)
    with pytest.raises(KeyboardInterrupt):
        run.score(again, scorer, book, 1, killed)
    assert len(run.undone(again, book)) < len(range(0, book.rows, 4))
    assert not again.out.exists()
    scored(again)
    assert again.out.read_bytes() == task.out.read_bytes()
    assert not again.folder.exists()


def test_many_processes_make_the_same_bytes_as_one(task: Task, tmp_path: Path) -> None:
    scored(task)
    shared = replace(task, out=tmp_path / "shared.parquet")
    seen: list[int] = []
    run.begin(shared, "code")
    scorer = shared.scorer()
    book = shared.read(scorer.contract)
    run.score(shared, scorer, book, 2, lambda rows, wrong: seen.append(rows))
    assert (sum(seen), max(seen)) == (len(ROWS) + 1, 4)
    assert shared.out.read_bytes() == task.out.read_bytes()
    assert not shared.folder.exists()


RUN = """
import sys
from datetime import date
from pathlib import Path
from serving.score import run
book, out, models, digest, rules, on = sys.argv[1:]
task = run.Task(Path(book), Path(out), Path(models), digest, Path(rules).read_bytes(), {},
                date.fromisoformat(on), part_rows=4)
run.begin(task, "code")
scorer = task.scorer()
run.score(task, scorer, task.read(scorer.contract), 2, lambda rows, wrong: None)
"""


def test_two_processes_killed_with_their_parent_leave_nobody_and_go_on_in_the_same_bytes(
    task: Task, tmp_path: Path
) -> None:
    long = replace(task, book=tmp_path / "long.parquet")
    pl.concat([pl.read_parquet(task.book)] * 20).write_parquet(long.book)
    (tmp_path / "rules.toml").write_bytes(long.rules)
    killed = replace(long, out=tmp_path / "killed.parquet")
    told = [killed.book, killed.out, killed.models, killed.digest, tmp_path / "rules.toml", ON]
    process = subprocess.Popen([sys.executable, "-c", RUN, *map(str, told)], cwd=ROOT)
    until = time.monotonic() + 180
    while not (done := [*killed.folder.glob("0*.parquet")]):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait(30)
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    assert not killed.out.exists()
    left = run.undone(killed, killed.read(killed.scorer().contract))
    assert 0 < len(left)
    assert len(done) >= 1
    scored(killed, jobs=2)
    scored(long)
    assert killed.out.read_bytes() == long.out.read_bytes()


def test_the_command_takes_jobs(task: Task, settings: Settings, tmp_path: Path) -> None:
    for jobs in ("1", "2"):
        out = tmp_path / f"{jobs}.parquet"
        command = ["score", str(task.book), "--out", str(out), "--jobs", jobs, "--on", str(ON)]
        environ = {"SEEDRATE_VAR": str(settings.var), "SEEDRATE_TRACKING_URI": "off"}
        done = subprocess.run(
            [sys.executable, "-m", "serving", *command],
            cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


def test_a_process_that_dies_is_told_and_the_run_goes_on_later(task: Task) -> None:
    run.begin(task, "code")
    scorer = task.scorer()
    book = task.read(scorer.contract)
    gone = replace(task, digest="0" * 64)  # no process of the pool can open it
    with pytest.raises(ModelError, match="a process that prices must not die"):
        run.score(gone, scorer, book, 2, lambda rows, wrong: None)
    run.score(task, scorer, book, 2, lambda rows, wrong: None)
    assert task.out.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"rules": policy.text(currency="CNY") + b"\n"},
        {"defaults": {"overrides": {"margin_bps": 1.0}}},
        {"on": ON.replace(year=2025)},
    ],
    ids=["policy", "defaults", "on"],
)
def test_a_run_does_not_go_on_as_another(task: Task, change: dict[str, Any]) -> None:
    run.begin(task, "code")
    with pytest.raises(InputError, match="another"):
        run.begin(replace(task, **change), "code")
    with pytest.raises(InputError, match="program"):
        run.begin(task, "other code")


def test_a_run_does_not_go_on_with_another_book(task: Task) -> None:
    run.begin(task, "code")
    pl.from_dicts(ROWS, infer_schema_length=None).write_parquet(task.book)
    with pytest.raises(InputError, match="book"):
        run.begin(task, "code")


def test_a_file_that_is_there_is_not_written_over(task: Task) -> None:
    scored(task)
    with pytest.raises(InputError, match="new file"):
        run.begin(task, "code")


def test_a_csv_gives_what_its_parquet_gives(task: Task, tmp_path: Path) -> None:
    book, out = tmp_path / "book.csv", tmp_path / "of_csv.parquet"
    pl.read_parquet(task.book).write_csv(book)
    assert scored(replace(task, book=book, out=out)).equals(scored(task))


def test_what_rows_leave_out_comes_from_the_defaults(task: Task) -> None:
    plain = pl.read_parquet(task.book).drop("instrument", "payment_months")
    plain.head(1).write_parquet(task.book)
    given = {"instrument": {"kind": "term_loan", "payment_months": 1}}
    (told,) = scored(replace(task, defaults=given)).to_dicts()
    assert (told["problem"], told["instrument"]) == (None, "term_loan")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"runway_months,amount\n1,2\n1,2,3\n", "book row 2 must be 2 cells"),
        (b"runway_months,amount\n1,\xff\n", "book row 1 must be in UTF-8"),
    ],
)
def test_a_csv_that_cannot_be_read_says_where(
    task: Task, tmp_path: Path, text: bytes, says: str
) -> None:
    book = tmp_path / "book.csv"
    book.write_bytes(text)
    with pytest.raises(InputError, match=says):
        run.begin(replace(task, book=book), "code")
