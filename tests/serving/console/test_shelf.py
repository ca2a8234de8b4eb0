"""Where uploaded books lie and what prices them: bounds, days, kills and restarts."""

from __future__ import annotations

import io
import os
import signal
import time
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.access.caller import Caller
from serving.app import Server
from serving.console.books import kept as kept_
from serving.console.books import shelf
from serving.console.books.job import Clerk
from serving.console.books.kept import DONE, EXPIRED, INTERRUPTED, RUNNING, WAITING, Progress
from serving.console.books.runner import Runner
from serving.console.books.shelf import NoRoomError, Shelf
from serving.score.book import Book
from tests.serving.console.test_books import EN, ended, form, send, token
from tests.serving.console.test_house import Browser
from tests.serving.console.test_rooms import Notes
from tests.serving.score.test_score import ROWS, WRONG

ANN, BOB = (Caller("bank", name, frozenset()) for name in ("ann", "bob"))
TOLD: dict[str, Any] = {
    "name": "b.csv", "kind": "csv", "size_bytes": 4, "digest": "d", "instrument": "term_loan",
    "model": "m", "version": "7", "policy": "p", "on": "2026-01-01",
}  # fmt: skip


@pytest.fixture
def laid(tmp_path: Path) -> Shelf:
    """A shelf whose clock stands still."""
    ids = (f"{number:032x}" for number in range(100))
    return Shelf(tmp_path / "books", 7, lambda: 1_000_000.0, lambda: next(ids))


def lay(laid: Shelf, caller: Caller = ANN) -> kept_.Kept:
    arriving = laid.arriving(caller, 1)
    (arriving / "upload").write_bytes(b"a,b\n")
    return laid.keep(arriving, caller, **TOLD)


def test_a_queue_is_bounded_for_all_and_for_each(laid: Shelf) -> None:
    for _ in range(shelf.MOST_OF_A_TENANT):
        lay(laid)
    with pytest.raises(NoRoomError, match="queue"):
        lay(laid, BOB)  # of the same tenant
    other = Caller("another", "eve", frozenset())
    for _ in range(shelf.MOST_UNDER_WAY - shelf.MOST_OF_A_TENANT):
        lay(laid, other)
    with pytest.raises(NoRoomError, match="queue"):
        lay(laid, Caller("a third", "eve", frozenset()))
    assert laid.before(laid.all_of(other)[0]) == shelf.MOST_UNDER_WAY - 1


def test_a_person_keeps_so_many(laid: Shelf) -> None:
    for _ in range(shelf.MOST_KEPT):
        laid.change(lay(laid).id, (WAITING,), state=DONE)
    with pytest.raises(NoRoomError, match="kept"):
        lay(laid)
    lay(laid, BOB)


def test_what_has_lain_for_its_days_is_erased_and_then_forgotten(laid: Shelf) -> None:
    notes, book = Notes(), lay(laid)
    runner = Runner(laid, notes, {})
    (laid.place(book.id) / "scored.parquet.parts").mkdir()
    now = laid.now()
    laid.now = lambda: now + 7 * shelf.DAY_SECONDS - 1
    runner.expire()
    assert notes.kinds == []
    laid.now = lambda: now + 7 * shelf.DAY_SECONDS
    runner.expire()
    assert notes.kinds == ["book_erased"]
    gone = laid.find(book.id)
    assert gone is not None
    assert (gone.state, gone.name) == (EXPIRED, "")
    assert [path.name for path in laid.place(book.id).iterdir()] == ["book.json"]
    laid.now = lambda: now + 14 * shelf.DAY_SECONDS
    runner.expire()
    assert laid.all() == []


def test_what_a_killed_server_left_is_interrupted_and_halves_are_swept(laid: Shelf) -> None:
    book, half = lay(laid), laid.arriving(ANN, 1)
    laid.change(book.id, (WAITING,), state=RUNNING)
    runner = Runner(laid, Notes(), {})
    runner._closing.set()  # its thread looks once and ends
    runner.start()
    found = laid.find(book.id)
    assert found is not None
    assert (found.state, found.why, half.exists()) == (INTERRUPTED, "server", False)
    assert runner.go_on(book.id)
    assert not runner.go_on(book.id)
    assert runner.cancel(book.id)
    assert not runner.cancel(book.id)


def test_an_id_leads_nowhere_else_and_to_nobody_elses(laid: Shelf) -> None:
    assert laid.find("../" + "0" * 29) is None
    assert laid.mine(BOB, lay(laid).id) is None


MANY = 9_000  # rows: more than a part of 8,192


@pytest.fixture
def long_book(tmp_path: Path) -> bytes:
    rows = pl.from_dicts([*ROWS, WRONG], infer_schema_length=None)
    path = tmp_path / "long.parquet"
    pl.concat([rows] * (MANY // rows.height + 1)).head(MANY).write_parquet(path)
    return path.read_bytes()


def test_a_killed_process_is_shown_and_goes_on_from_where_it_was(
    server: Server, ann: Browser, long_book: bytes
) -> None:
    here = send(ann, form(token(ann), long_book, "long.parquet"), 65_536).headers["location"]
    place = server.settings.books / here.rpartition("/")[2]
    first = place / "scored.parquet.parts" / f"{0:012d}.parquet"
    pid = process_of(place)
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    waiting(lambda: os.getpriority(os.PRIO_PROCESS, pid) > ours)  # it is told once it runs
    waiting(lambda: first.exists())
    written = first.stat().st_mtime_ns
    page = ann.get(here).body.decode()
    assert f"of {MANY:,} rows" in page
    os.kill(pid, signal.SIGKILL)
    page = ended(ann, here)
    assert EN("books.why_signal", signal="SIGKILL") in page.replace("&#39;", "'")
    assert ann.post(here, token=token(ann), act="go_on").status == 303
    waiting(lambda: (place / "progress.json").exists())
    process_of(place)
    assert first.stat().st_mtime_ns == written  # it was not priced again
    assert ann.post(here, token=token(ann), act="cancel").status == 303
    assert EN("books.state_cancelled") in ended(ann, here)
    assert ann.post(here, token=token(ann), act="go_on").status == 303
    assert EN("books.text_done") in ended(ann, here, 300)
    scored = pl.read_parquet(ann.get(f"{here}/scored.parquet").body)
    assert scored["row"].to_list() == [*range(1, MANY + 1)]


def test_a_file_that_grows_without_measure_ends_its_own_process(ann: Browser) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 8192, pa.int32()), ["x" * 1_000_000])
    file = io.BytesIO()
    pq.write_table(pa.table({"reference": texts, "runway_months": [12.0] * 8192}), file)
    assert len(file.getvalue()) < 100_000  # 8 GB when it is read
    here = send(ann, form(token(ann), file.getvalue(), "bomb.parquet")).headers["location"]
    page = ended(ann, here)
    assert EN("books.state_interrupted") in page
    assert EN("books.text_done") not in page


def test_a_server_that_ends_in_order_leaves_the_book_to_the_next(
    server: Server, ann: Browser, laid: Shelf, long_book: bytes
) -> None:
    pricer: Any = server.office.served.desk.pricer
    told = {**TOLD, "kind": "parquet", "model": pricer.model.digest}
    arriving = laid.arriving(ANN, 1)
    (arriving / "upload").write_bytes(long_book)
    book = laid.keep(arriving, ANN, **{**told, "policy": pricer.policy.digest})
    place, environ = laid.place(book.id), {"SEEDRATE_VAR": str(server.settings.var)}
    one, next_ = (Runner(laid, Notes(), environ) for _ in range(2))
    one.start()
    waiting(lambda: (place / kept_.PROGRESS).exists())
    one.close()
    left = laid.find(book.id)
    assert left is not None
    assert left.state == WAITING
    next_.start()
    waiting(lambda: state_of(laid, book.id) == DONE, 300)
    next_.close()
    assert pl.scan_parquet(place / "scored.parquet").select(pl.len()).collect().item() == MANY


def state_of(laid: Shelf, book: str) -> str | None:
    found = laid.find(book)
    return found.state if found else None


def test_a_process_leaves_when_its_server_has_gone(server: Server, tmp_path: Path) -> None:
    book = Book(tmp_path, 10, {}, {}, (), (), {})
    clerk = Clerk(tmp_path, os.getppid(), book, (0, 0))
    clerk.advance(5, 1)
    assert Progress.read(tmp_path) is not None
    with pytest.raises(SystemExit, match="has gone"):
        Clerk(tmp_path, 1 if os.getppid() != 1 else 2, book, (0, 0)).advance(5, 1)


def waiting(for_: Any, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not for_():
        assert time.monotonic() < until
        time.sleep(0.05)


def process_of(place: Path, seconds: float = 60) -> int:
    """Return the process that prices the book of a folder."""
    found: list[int] = []

    def look() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if str(place).encode() in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return bool(found)

    waiting(look, seconds)
    return found[0]
