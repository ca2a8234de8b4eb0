"""What pages say when something is erased, gone, altered or out of order."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from serving.access.caller import LOCAL
from serving.app import Server
from serving.console.pages import quotes
from serving.console.words import catalogue
from serving.ledger import erasure
from serving.ledger.listing import Sought
from serving.settings import Settings
from tests.conftest import ROOT
from tests.serving import known_key, small_model
from tests.serving.console.test_house import Browser
from tests.serving.http import HOST, ask

SAYS = catalogue("en")
GOOD = json.loads((ROOT / "examples" / "good.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("console")
    small_model.write(folder / "models")
    known_key.write(folder)
    return folder


@pytest.fixture(scope="module")
def own(home: Path) -> Iterator[Server]:
    """A server that a test may harm."""
    environ = {"SEEDRATE_VAR": str(home), "SEEDRATE_TRACKING_URI": "off"}
    server = Server.open(Settings.read({**environ, "SEEDRATE_AUDIT_SHARE": "1"}))
    assert server.ledger.wait_open(10)
    server.load()
    yield server
    server.close()


@pytest.fixture
def browser(own: Server) -> Browser:
    made = Browser(own)
    made.sign_in()
    return made


def quoted(server: Server, reference: str, **more: Any) -> str:
    body = {**GOOD, "reference": reference, **more}
    reply = asyncio.run(server.office.served.desk.quote(body, LOCAL, f"key-{reference[1:9]}"))
    return str(reply.quote_id)


def seq_of(server: Server, quote_id: str) -> int:
    kept = server.ledger.store.reader.find(LOCAL.tenant, quote_id)
    assert kept is not None
    return kept.seq


def page(browser: Browser, quote_id: str) -> str:
    answer = browser.get(f"/console/quotes/{quote_id}")
    assert answer.status == 200
    return answer.body.decode()


def test_what_a_request_says_is_text_and_never_markup_or_formula(
    own: Server, browser: Browser
) -> None:
    evil = '=cmd|"/c calc"!A1<script>alert(1)</script>'
    quote_id = quoted(own, evil)
    for told in (page(browser, quote_id), browser.get("/console/quotes").body.decode()):
        assert "<script" not in told
        assert "&lt;script&gt;" in told
    sheet = browser.get("/console/quotes.csv").body.decode("utf-8-sig")
    rows = {row["quote_id"]: row for row in csv.DictReader(io.StringIO(sheet))}
    assert rows[quote_id]["reference"] == f"'{evil}"


def test_an_audited_quote_shows_published_beside_exact(own: Server, browser: Browser) -> None:
    told = page(browser, quoted(own, "audited"))
    assert SAYS("quote.audit") in told
    assert SAYS("proof.repriced") in told


def test_the_receipt_and_the_reply_are_those_of_the_interface(
    own: Server, browser: Browser
) -> None:
    quote_id = quoted(own, "receipts")
    api = own.gate()
    sent = [HOST, known_key.BEARER]
    reply = ask(api, "GET", f"/v1/quotes/{quote_id}", b"", sent).body
    assert browser.get(f"/console/quotes/{quote_id}/reply.json").body == reply
    mine = browser.get(f"/console/quotes/{quote_id}/receipt.json").document
    theirs = ask(api, "GET", f"/v1/quotes/{quote_id}/receipt", b"", sent).document
    assert {**mine, "checkpoint": "", "path": ""} == {**theirs, "checkpoint": "", "path": ""}
    verifier = browser.get("/console/verify_receipt.py").body
    assert verifier == (ROOT / "deploy" / "verify_receipt.py").read_bytes()


def test_an_erased_quote_keeps_what_is_public_and_its_proof(own: Server, browser: Browser) -> None:
    quote_id = quoted(own, "a-name-to-be-forgotten")
    asyncio.run(erasure.erase(own.ledger, [seq_of(own, quote_id)], "as asked"))
    told = page(browser, quote_id)
    assert SAYS("quote.erased") in told
    assert SAYS("proof.tag_good") in told
    assert "a-name-to-be-forgotten" not in told
    assert browser.get(f"/console/quotes/{quote_id}/reply.json").status == 410
    assert browser.get(f"/console/quotes/{quote_id}/receipt.json").document["openings"] == {}
    assert SAYS("quotes.erased") in browser.get("/console/quotes").body.decode()
    assert b"None" not in browser.get("/console/quotes?project=a-name").body


def test_an_altered_quote_is_not_shown_as_good(own: Server, browser: Browser, home: Path) -> None:
    quote_id = quoted(own, "altered")
    with closing(sqlite3.connect(home / "ledger.db")) as database, database:
        database.execute("DROP TRIGGER private_no_update")
        sql = "UPDATE private SET reply = CAST(replace(reply, '\"grade\":', '\"grade\":1') AS BLOB)"
        database.execute(f"{sql} WHERE seq = ?", (seq_of(own, quote_id),))
    told = page(browser, quote_id)
    assert SAYS("proof.tag_broken") in told
    assert SAYS("proof.tag_good") not in told
    assert 'role="alert"' in told


def test_without_its_model_a_quote_shows_what_was_recorded(
    own: Server, browser: Browser, home: Path
) -> None:
    quote_id, bundle = quoted(own, "outlived"), own.office.bundle
    own.console.rooms._desks.clear()
    own.console.rooms._cohorts.clear()
    shutil.move(home / "models", home / "away")
    own.office.bundle = None
    try:
        told = page(browser, quote_id)
        assert SAYS("quote.model_gone") in told
        assert SAYS("proof.not_repriced") in told
        assert SAYS("proof.tag_good") in told
        assert "outlived" in browser.get("/console/quotes").body.decode()
    finally:
        shutil.move(home / "away", home / "models")
        own.office.bundle = bundle


def test_a_ledger_that_cannot_be_read_is_told_as_not_ready(
    own: Server, browser: Browser, home: Path
) -> None:
    own.ledger.store.reader.close()
    away = (home / "ledger.db").rename(home / "away.db")
    try:
        answer = browser.get("/console/quotes")
    finally:
        away.rename(home / "ledger.db")
    assert answer.status == 503
    assert SAYS("refusal.503.title") in answer.body.decode()
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("after", ["x", "1.2.3", "-1.0", "9" * 40 + ".1", "1'--.1"])
def test_a_place_that_is_none_begins_at_the_top(own: Server, browser: Browser, after: str) -> None:
    assert browser.get(f"/console/quotes?after={after}").status == 200


def test_pages_hold_every_quote_once(
    own: Server, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotes, "ROWS", 2)
    seen: list[str] = []
    path = "/console/quotes"
    while True:
        told = browser.get(path).body.decode()
        seen += re.findall(r'<a href="/console/quotes/([0-9a-f-]{36})"', told)
        onward = re.search(r'rel="next" href="([^"]+)"', told)
        if onward is None:
            break
        path = onward[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == own.ledger.store.reader.count("local", Sought())
    back = re.search(r'rel="prev" href="([^"]+)"', told)
    assert back is not None
    assert browser.get(back[1].replace("&amp;", "&")).status == 200
