"""A risk analyst's way with a book of their own, in a real Chromium: uploaded, priced, fetched."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from playwright.sync_api import Browser, Page, expect

from serving.access.caller import LOCAL
from serving.app import Server
from serving.score.table import E2
from tests.serving.console.conftest import enter
from tests.serving.console.test_books import HERE, hundredths
from tests.serving.console.test_browser import PHONE, WIDE, findings, kept
from tests.serving.console.test_house import key_of
from tests.serving.console.test_shelf import process_of, waiting
from tests.serving.score.test_score import BODIES, ROWS, WRONG

LONG = 9_000  # rows: more than a part of 8,192
DONE = 300_000  # milliseconds that a book may take on a machine that is busy
Files = Callable[[str, list[dict[str, Any]]], Path]


@pytest.fixture
def page(chromium: Browser, signed_in: dict[str, Any], url: str) -> Iterator[Page]:
    """A page of somebody signed in, without scripts; nothing was wrong, nobody else was asked."""
    wrong: list[str] = []
    how: dict[str, Any] = {"storage_state": signed_in, "viewport": WIDE, "locale": "en-GB"}
    context = chromium.new_context(**how, base_url=url, java_script_enabled=False)
    made = context.new_page()
    made.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    made.on("request", lambda r: None if r.url.startswith(url) else wrong.append(r.url))
    yield made
    context.close()
    assert [one for one in wrong if "status of 4" not in one] == []


@pytest.fixture
def file(tmp_path: Path) -> Files:
    """Write rows into a file of a name; many rows where that is asked for."""

    def write(name: str, rows: list[dict[str, Any]]) -> Path:
        frame, path = pl.from_dicts(rows, infer_schema_length=None), tmp_path / name
        (frame.write_csv if name.endswith(".csv") else frame.write_parquet)(path)
        return path

    return write


def upload(page: Page, path: Path, start: str = HERE) -> None:
    """Choose a file and send it."""
    page.goto(start)
    page.get_by_label("Parquet or CSV file").set_input_files(path)
    page.get_by_role("button", name="Upload and price").click()


def test_a_book_is_uploaded_watched_and_fetched(server: Server, page: Page, file: Files) -> None:
    page.goto(HERE)
    expect(page.get_by_text("You have uploaded no book")).to_be_visible()
    kept(page, "books-empty")
    many = (ROWS * (LONG // len(ROWS) + 1))[:LONG]
    upload(page, file("portfolio.parquet", [*many, WRONG]), "/console/portfolio")
    expect(page).to_have_url(re.compile(HERE + "/[0-9a-f]{32}$"))
    expect(page.get_by_role("status")).to_contain_text("It ")
    expect(page.locator("progress[max]")).to_be_visible(timeout=DONE)
    expect(page.get_by_text(f"of {LONG + 1:,} rows")).to_be_visible()
    page.get_by_role("link", name="Hold it still").click()
    kept(page, "book-running")
    page.get_by_role("link", name="Look again by itself").click()
    expect(page.get_by_role("link", name="Results as Parquet")).to_be_visible(timeout=DONE)
    kept(page, "book")
    expect(page.get_by_text("Indications, not quotes")).to_be_visible()
    expect(page.locator("#h-wrong ~ .scroll tbody tr")).to_have_count(1)
    expect(page.locator("#h-wrong ~ .scroll")).to_contain_text("project.runway_months must be")
    with page.expect_download() as download:
        page.get_by_role("link", name="Results as Parquet").click()
    scored = pl.read_parquet(download.value.path())
    assert scored.height == LONG + 1
    parts = [name for name in scored.columns if name.startswith(("column:", "line:", "base_"))]
    sums = scored.select(s=pl.sum_horizontal(*parts), p=f"price{E2}", no="problem")
    assert sums.filter(pl.col("no").is_null() & (pl.col("s") != pl.col("p"))).height == 0
    at = [*BODIES].index("good")
    told = json.loads(server.office.served.desk.what_if(BODIES["good"], LOCAL).body)
    assert scored[f"price{E2}"][at] == round(100 * float(told["spread_bps"]))
    for item in told["explanation"]["items"]:
        part = scored[f"column:{item['column']}{E2}"][at]
        assert part == round(100 * float(item["bps"]))
    with page.expect_download() as download:
        page.get_by_role("link", name="Results as CSV").click()
    line = pl.read_csv(download.value.path(), infer_schema=False).row(at, named=True)
    names = [name for name in line if name.startswith(("column:", "line:", "base_"))]
    assert sum(hundredths(line[name]) for name in names) == hundredths(line["price_bps"])


def test_what_cannot_be_priced_says_why(
    server: Server, page: Page, file: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rubbish, zipped, large = (tmp_path / name for name in ("r.csv", "book.xlsx", "large.csv"))
    rubbish.write_bytes(b"runway_months,amount\n1,2\n1,2,3\n")
    upload(page, rubbish)
    expect(page.get_by_text("The file cannot be priced")).to_be_visible(timeout=DONE)
    expect(page.locator(".faults")).to_contain_text("book row 2 must be 2 cells")
    kept(page, "book-failed")
    page.get_by_role("button", name="Delete now").click()
    expect(page).to_have_url(re.compile(HERE + "$"))
    zipped.write_bytes(b"PK\x03\x04" + bytes(3000))
    upload(page, zipped)
    expect(page.get_by_role("alert")).to_contain_text("neither Parquet nor CSV")
    (one,) = (one for one in server.console.pages if ("POST", HERE) in one.answers)
    monkeypatch.setattr(one.answers["POST", HERE].__self__, "_most_mib", 1)  # type: ignore[attr-defined]
    large.write_bytes(b"a,b\n" * (1 << 20))
    upload(page, large)
    expect(page.get_by_role("alert")).to_contain_text("at most 1 MiB")
    kept(page, "books-refused")
    kinds = {path.suffix for path in server.settings.books.rglob("*")}
    assert ".xlsx" not in kinds


def test_a_killed_process_is_shown_and_gone_on_with(
    server: Server, page: Page, file: Files
) -> None:
    upload(page, file("long.parquet", (ROWS * (LONG // len(ROWS) + 1))[:LONG]))
    place = server.settings.books / page.url.rpartition("/")[2]
    waiting(lambda: (place / "progress.json").exists())
    os.kill(process_of(place), signal.SIGKILL)
    expect(page.get_by_role("button", name="Go on")).to_be_visible(timeout=DONE)
    expect(page.get_by_role("status")).to_contain_text("SIGKILL")
    kept(page, "book-interrupted")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("link", name="Results as CSV")).to_be_visible(timeout=DONE)


def test_another_tenant_sees_nothing_of_it(
    server: Server, chromium: Browser, url: str, page: Page, file: Files
) -> None:
    upload(page, file("one.csv", ROWS[:1]))
    expect(page.get_by_role("link", name="Results as CSV")).to_be_visible(timeout=DONE)
    other = chromium.new_context(locale="en-GB")
    enter(other, url, key_of(server, {"console:read", "price"}, tenant="another"))
    theirs = other.new_page()
    for path in (page.url, f"{page.url}/scored.csv"):
        answer = theirs.goto(path)
        assert answer is not None
        assert answer.status == 404
    other.close()


def test_nothing_keeps_people_out(chromium: Browser, signed_in: dict[str, Any], url: str) -> None:
    how: dict[str, Any] = {"storage_state": signed_in, "viewport": WIDE, "locale": "en-GB"}
    context = chromium.new_context(**how, base_url=url)
    page = context.new_page()
    page.goto(HERE)
    for row in range(page.locator("tbody th a").count() + 1):
        if row:
            page.goto(f"{HERE}?language=en")
            page.locator("tbody th a").nth(row - 1).click()
        page.emulate_media(color_scheme="dark")
        assert findings(page) == []
        page.emulate_media(color_scheme="light")
        assert findings(page) == []
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        kept(page, f"phone-book-{row}")
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        page.goto(f"{page.url}?language=zh")
        assert page.locator("h1").count() == 1
        assert "Rows" not in page.locator("main thead").all_inner_texts()
        kept(page, f"book-zh-{row}")
    page.goto(f"{HERE}?language=en")
    page.get_by_label("Rows that name no instrument").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Parquet or CSV file")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Upload and price")).to_be_focused()
    context.close()
