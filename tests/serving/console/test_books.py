"""Uploaded books without a browser: what is taken in, what is refused, and who sees what."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from serving.access.caller import Caller
from serving.app import Server
from serving.console.books import kept as kept_
from serving.console.books import shelf
from serving.console.books.job import Clerk
from serving.console.books.kept import DONE, EXPIRED, INTERRUPTED, RUNNING, WAITING, Progress
from serving.console.books.runner import Runner
from serving.console.books.shelf import NoRoomError, Shelf
from serving.console.words import catalogue
from serving.score.book import Book
from serving.score.table import E2
from tests.serving.console.test_house import Browser, key_of, token_of
from tests.serving.console.test_rooms import Notes
from tests.serving.http import Answer, ask
from tests.serving.score.test_score import BODIES, ROWS, WRONG

HERE = "/console/portfolio/books"
EN = catalogue("en")
BOUNDARY = b"----a-browser-makes-this"
ANN, BOB = (Caller("bank", name, frozenset()) for name in ("ann", "bob"))
TOLD: dict[str, Any] = {
    "name": "b.csv", "kind": "csv", "size_bytes": 4, "digest": "d", "instrument": "term_loan",
    "model": "m", "version": "7", "policy": "p", "on": "2026-01-01",
}  # fmt: skip


def form(token: str, data: bytes, name: str = "book.csv", *, last: bool = True) -> bytes:
    """Return a form as a browser writes it, its file last or first."""
    field = b'Content-Disposition: form-data; name="token"\r\n\r\n' + token.encode()
    file = b'Content-Disposition: form-data; name="book"; filename="%s"\r\n' % name.encode()
    file += b"Content-Type: application/octet-stream\r\n\r\n" + data
    parts = (field, file) if last else (file, field)
    return (
        b"".join(b"--%s\r\n%s\r\n" % (BOUNDARY, part) for part in parts) + b"--%s--\r\n" % BOUNDARY
    )


def send(browser: Browser, body: bytes, size: int = 1000) -> Answer:
    """Send a form in pieces, as a network does."""
    headers = [
        *browser._sent(),
        (b"content-type", b"multipart/form-data; boundary=" + BOUNDARY),
        (b"content-length", b"%d" % len(body)),
    ]
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return ask(browser.gate, "POST", HERE, b"", headers, chunks=chunks)


def csv_of(rows: list[dict[str, Any]]) -> bytes:
    return pl.from_dicts(rows, infer_schema_length=None).write_csv().encode()


@pytest.fixture
def ann(server: Server) -> Browser:
    browser = Browser(server)
    browser.sign_in(key_of(server, {"console:read", "price"}))
    return browser


def token(browser: Browser) -> str:
    return token_of(browser.get(HERE))


def ended(browser: Browser, here: str, seconds: float = 120) -> str:
    """Wait until a book neither waits nor runs; return its page."""
    until = time.monotonic() + seconds
    while True:
        page = browser.get(here).body.decode()
        if 'http-equiv="refresh"' not in page:
            return page
        assert time.monotonic() < until, page
        time.sleep(0.3)


def books_in(server: Server) -> list[Path]:
    folder = server.settings.books
    return sorted(folder.iterdir()) if folder.is_dir() else []


def test_a_book_comes_back_priced_with_the_endpoints_numbers(server: Server, ann: Browser) -> None:
    hostile = {**ROWS[0], "reference": "=HYPERLINK(1)"}
    answer = send(ann, form(token(ann), csv_of([*ROWS, WRONG, hostile]), "../../etc/a <b>.csv"))
    assert answer.status == 303, answer.body
    here = answer.headers["location"]
    assert re.fullmatch(HERE + "/[0-9a-f]{32}", here)
    page = ended(ann, here)
    assert EN("books.text_done") in page
    assert "a &lt;b&gt;.csv" in page
    assert "project.runway_months must be" in page
    assert f"{len(ROWS) + 1:,} <small>of {len(ROWS) + 2:,}" in page
    told = ann.get(f"{here}/scored.parquet")
    assert told.headers["content-disposition"].startswith("attachment; filename=")
    scored = pl.read_parquet(told.body)
    desk = server.office.served.desk
    body = BODIES["good"]
    at = [*BODIES].index("good")
    quote = json.loads(desk.what_if(body, Caller("bank", "ann", frozenset())).body)
    row = scored.row(at, named=True)
    assert row[f"price{E2}"] == round(100 * float(quote["spread_bps"]))
    lines = ann.get(f"{here}/scored.csv").body.decode("utf-8-sig")
    read = pl.read_csv(lines.encode(), infer_schema=False)
    assert read["reference"].to_list()[-1] == "'=HYPERLINK(1)"
    for line, exact in zip(read.to_dicts(), scored.to_dicts(), strict=True):
        parts = [n for n in line if n.startswith(("column:", "line:", "base_bps"))]
        if line["price_bps"] is not None:
            assert sum(hundredths(line[n]) for n in parts) == hundredths(line["price_bps"])
            assert hundredths(line["price_bps"]) == exact[f"price{E2}"]
    noted = (server.settings.var / "audit.jsonl").read_text("utf-8")
    assert '"kind":"book_uploaded"' in noted
    assert noted.count('"kind":"book_downloaded"') == 2


def hundredths(text: str) -> int:
    whole, _, part = text.removeprefix("-").partition(".")
    assert len(part) == 2
    return int(whole + part) * (-1 if text.startswith("-") else 1)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"a,b\n1,2\n", "with columns of the model"),
        (b"runway_months,b\n1,2\n1,2,3\n", "<code>book row 2</code> must be 2 cells"),
        (b"runway_months,b\n1,\xff\n", "<code>book row 1</code> must be in UTF-8"),
        (b"runway_months,runway_months\n1,2\n", "names each column once"),
        (b"PAR1" + bytes(60) + b"PAR1", "a readable Parquet or CSV file"),
    ],
    ids=["headers", "ragged", "latin", "twice", "parquet"],
)
def test_rubbish_fails_and_says_where(ann: Browser, data: bytes, says: str) -> None:
    data = data if len(data) > 4096 or b"\xff" not in data else data.replace(b"1,\xff", b"1,\xff")
    if b"\xff" in data:  # beyond what is looked at when it comes
        data = b"runway_months,b\n" + b"1,2\n" * 2000 + b"1,\xff\n"
        says = "<code>book row 2001</code> must be in UTF-8"
    answer = send(ann, form(token(ann), data))
    assert answer.status == 303
    page = ended(ann, answer.headers["location"])
    assert EN("books.text_failed") in page
    assert says in page
    assert str(Path.cwd()) not in page
    assert "/books/book" not in page


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PK\x03\x04" + bytes(500), "wrong_kind"),
        (b"\x1f\x8b" + bytes(500), "wrong_kind"),
        (b"no comma\n1\n", "wrong_kind"),
        (b"PAR1" + bytes(500), "wrong_kind"),
        (b"", "wrong_kind"),
        (b"a,b\n" * (1 << 19), "too_large"),
    ],
    ids=["zip", "gzip", "text", "cut", "empty", "large"],
)
def test_what_is_no_book_is_refused_and_not_kept(
    server: Server, ann: Browser, monkeypatch: pytest.MonkeyPatch, data: bytes, why: str
) -> None:
    (page,) = (one for one in server.console.pages if ("POST", HERE) in one.answers)
    monkeypatch.setattr(page.answers["POST", HERE].__self__, "_most_mib", 1)  # type: ignore[attr-defined]
    before = books_in(server)
    answer = send(ann, form(token(ann), data), 65_536)
    assert answer.status == {"too_large": 413, "wrong_kind": 415}[why]
    assert EN(f"books.refused_{why}") in answer.body.decode()
    if why == "too_large":
        assert "at most 1 MiB" in answer.body.decode()
    assert books_in(server) == before


def test_a_form_must_be_ours_before_anything_of_its_file_is_kept(
    server: Server, ann: Browser
) -> None:
    data, before = csv_of(ROWS), books_in(server)
    good = token(ann)
    assert send(ann, form("0" * 64, data)).status == 403
    assert send(ann, form(good, data, last=False)).status == 403  # the file before the token
    assert send(ann, form(good, data)[:-40]).status == 400  # cut
    assert send(ann, form(good, data) + form(good, data)).status in (400, 303)
    other = Browser(server)
    other.sign_in(key_of(server, {"console:read", "price"}))
    assert send(other, form(good, data)).status == 403
    plain = ann.post(HERE, token=good)
    assert plain.status == 415
    left = [path for path in books_in(server) if path not in before]
    assert all(not path.name.startswith(shelf.ARRIVING) for path in left)


def test_only_its_owner_sees_a_book(server: Server, ann: Browser) -> None:
    answer = send(ann, form(token(ann), csv_of(ROWS[:1])))
    here = answer.headers["location"]
    ended(ann, here)
    others = (
        key_of(server, {"console:read", "price"}),
        key_of(server, {"console:read", "price"}, tenant="another"),
    )
    for key in others:
        other = Browser(server)
        other.sign_in(key)
        for path in (here, f"{here}/scored.parquet", f"{here}/scored.csv"):
            assert other.get(path).status == 404
        assert other.post(here, token=token(other), act="delete").status == 404
        assert here not in other.get(HERE).body.decode()
    reader = Browser(server)
    reader.sign_in(key_of(server, {"console:read"}))
    assert 'type="file"' not in reader.get(HERE).body.decode()
    assert 'type="file"' not in reader.get("/console/portfolio").body.decode()
    assert send(reader, form(token_of(reader.get(HERE)), b"a,b\n")).status == 404
    assert ann.get(f"{here}/scored.csv").status == 200
    assert ann.post(here, token=token(ann), act="delete").status == 303
    assert ann.get(here).status == 404
    assert not server.settings.books.joinpath(here.rpartition("/")[2]).exists()


# the shelf and the runner


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


MANY = 12_000  # rows: more than a part of 8,192


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
    assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
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
