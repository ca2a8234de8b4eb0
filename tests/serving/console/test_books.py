"""Uploaded books without a browser: what is taken in, what is refused, and who sees what."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from serving.access.caller import Caller
from serving.app import Server
from serving.console.book import LOSSES, TAKEN
from serving.console.books import shelf
from serving.console.words import catalogue
from serving.score.table import E2
from tests.serving.console.test_house import Browser, key_of, token_of
from tests.serving.http import Answer, ask
from tests.serving.score.test_score import BODIES, ROWS, WRONG

HERE = "/console/portfolio/books"
EN = catalogue("en")
BOUNDARY = b"----a-browser-makes-this"


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
    place = server.settings.books / here.rpartition("/")[2]
    sums = json.loads((place / "summary.json").read_text())
    assert sums["whole"]["loss"] == pytest.approx(
        loss_of([*BODIES.values(), next(iter(BODIES.values()))], desk)
    )
    noted = (server.settings.var / "audit.jsonl").read_text("utf-8")
    assert '"kind":"book_uploaded"' in noted
    assert noted.count('"kind":"book_downloaded"') == 2


def loss_of(bodies: list[dict[str, Any]], desk: Any) -> float:
    """Return the loss a year by the very replies of the endpoint, as the page of quotes has it."""
    loss = 0.0
    for body in bodies:
        told = json.loads(desk.what_if(body, Caller("bank", "ann", frozenset())).body)
        lines = {line["name"]: float(line["bps"]) for line in told["waterfall"]}
        bps = sum(lines.get(name, 0.0) for name in (*LOSSES, TAKEN))
        asked = body["instrument"]
        loss += asked["amount"] * asked.get("utilisation", 1.0) * bps / 1e4
    return loss


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


def test_a_file_has_more_time_than_a_page(server: Server, ann: Browser) -> None:
    body = form(token(ann), csv_of(ROWS[:1]))
    ann.gate = replace(ann.gate, timeout_seconds=0.001)
    assert ann.get(HERE).status == 504
    assert send(ann, body).status == 303
