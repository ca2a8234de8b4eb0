"""The console as people meet it: in a real Chromium, on a real server, with real quotes."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from serving.app import Server
from serving.console.words import catalogue
from tests.serving.console.conftest import enter
from tests.serving.console.test_house import key_of

SCREENS = os.environ.get("SEEDRATE_SCREENS")  # a folder: what is seen is kept there
Open = Callable[..., Page]
EXAMPLES = (  # one of each kind
    "good", "revolving_line", "rd_loan", "ma_loan", "guarantee", "insurance", "venture_debt",
    "equity", "subsidy",
)  # fmt: skip
PHONE = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 900}
SERIOUS = {"serious", "critical"}


@pytest.fixture
def opened(chromium: Browser, signed_in: dict[str, Any], url: str) -> Iterator[Open]:
    """Open a page as somebody signed in; at the end nothing was wrong and nobody else was asked."""
    wrong: list[str] = []
    contexts = []

    def open_(path: str, **how: Any) -> Page:
        context = chromium.new_context(
            **{"storage_state": signed_in, "viewport": WIDE, "locale": "en-GB", **how}
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: wrong.append(m.text) if m.type in BAD else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(url) else wrong.append(r.url))
        page.goto(url + path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [one for one in wrong if "status of 4" not in one] == []


BAD = {"error", "warning"}


def kept(page: Page, name: str) -> None:
    """Keep a picture of a page, if that is asked for."""
    if SCREENS:
        page.screenshot(path=Path(SCREENS) / f"{name}.png", full_page=True)


def findings(page: Page) -> list[str]:
    """Return what axe finds seriously wrong."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


def test_a_person_signs_in_and_out(chromium: Browser, url: str, quotes: dict[str, str]) -> None:
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{url}/console/quotes/{quotes['good']}")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Access key").fill("sr_live_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("opens nothing")
    context.close()
    context = chromium.new_context(locale="en-GB")
    enter(context, url)
    page = context.new_page()
    page.goto(f"{url}/console")
    expect(page).to_have_url(f"{url}/console/quotes")
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{url}/console/quotes")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    context.close()


def test_quotes_are_found_filtered_and_opened(opened: Open, quotes: dict[str, str]) -> None:
    page = opened("/console/quotes")
    kept(page, "quotes")
    rows = page.locator("tbody tr")
    assert rows.count() >= len(quotes)
    page.get_by_label("Instrument").select_option("equity")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text("Equity")
    page.get_by_label("Price from").fill("10")
    page.get_by_label("Price to").fill("1")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Price to")).to_have_attribute("aria-invalid", "true")
    page.get_by_role("link", name="Clear").click()
    page.get_by_label("Project or quote id").fill(quotes["poor"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(quotes["poor"]))


def test_the_sheet_holds_what_the_list_finds(opened: Open, quotes: dict[str, str]) -> None:
    page = opened("/console/quotes?instrument=guarantee")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    rows = [*csv.DictReader(io.StringIO(text))]
    assert [row["quote_id"] for row in rows] == [quotes["guarantee"]]
    assert rows[0]["figure"] == "fee_bps"


@pytest.mark.parametrize("example", ["scheme", "equity"])
def test_a_quote_says_why_and_proves_itself(
    opened: Open, quotes: dict[str, str], example: str
) -> None:
    page = opened(f"/console/quotes/{quotes[example]}")
    kept(page, f"quote-{example}")
    expect(page.locator("#proof")).to_contain_text("Priced again by its own model and policy")
    expect(page.locator("#proof .checks li")).to_have_count(5)
    waterfall = page.locator("[aria-labelledby=h-waterfall] tbody td.num").all_inner_texts()
    *parts, total = (number(text) for text in waterfall)
    assert sum(parts) == pytest.approx(total, abs=1e-9)
    groups = page.locator(".why .third tbody td.num").all_inner_texts()
    *parts, total = (number(text) for text in groups)
    assert sum(parts) == pytest.approx(total, abs=1e-9)


def number(text: str) -> float:
    return float(text.replace("−", "-").replace(",", ""))


def test_every_instrument_has_its_page(opened: Open, quotes: dict[str, str]) -> None:
    page = opened("/console/quotes")
    for example in EXAMPLES:
        answer = page.request.get(page.url + f"/{quotes[example]}")
        told = answer.text()
        assert answer.status == 200, example
        assert told.count('svg class="chart lines"') == 2, example
        assert catalogue("en")("proof.repriced") in told, example


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path", ["/console/quotes", "quote", "/console/quotes?least=x", "/console/x"]
)
def test_nothing_keeps_people_with_disabilities_out(
    opened: Open, quotes: dict[str, str], path: str, scheme: str
) -> None:
    path = f"/console/quotes/{quotes['scheme']}" if path == "quote" else path
    page = opened(path, color_scheme=scheme)
    if scheme == "dark" and "?" not in path:
        kept(page, "dark" + path.replace("/", "-")[8:16])
    if scheme == "light":
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert findings(page) == []


def test_axe_would_find_something(opened: Open) -> None:
    page = opened("/console/quotes")
    page.evaluate("document.querySelector('label').remove()")
    assert any(one.startswith(("label", "select-name")) for one in findings(page))


def test_chinese_speaks_chinese_throughout(opened: Open, quotes: dict[str, str]) -> None:
    page = opened(f"/console/quotes/{quotes['scheme']}", locale="zh-CN", storage_state=None)
    expect(page.get_by_role("heading", name="登录")).to_be_visible()
    page = opened(f"/console/quotes/{quotes['scheme']}?language=zh")
    kept(page, "quote-zh")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    told = page.locator("main").inner_text()
    assert "预期损失" in told
    assert "基点" in page.locator(".reasons").inner_text()  # the reply's own were English
    assert "Expected loss" not in told


@pytest.mark.parametrize("path", ["/console/quotes", "quote"])
def test_a_phone_scrolls_one_way(opened: Open, quotes: dict[str, str], path: str) -> None:
    name, path = path, f"/console/quotes/{quotes['scheme']}" if path == "quote" else path
    page = opened(path, viewport=PHONE)
    kept(page, f"phone-{name.split('/')[-1]}")
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0


def test_pages_work_without_scripts(opened: Open, quotes: dict[str, str]) -> None:
    page = opened("/console/quotes", java_script_enabled=False)
    page.get_by_label("Instrument").select_option("guarantee")
    page.get_by_role("button", name="Search").click()
    page.locator("tbody th a").first.click()
    expect(page.locator("#proof .tag.good")).to_be_visible()
    page.locator("details summary").first.click()
    expect(page.locator("details").first).to_have_attribute("open", "")


def test_the_keyboard_reaches_the_content_first(opened: Open) -> None:
    page = opened("/console/quotes")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.locator("main :focus").count() == 1


def test_paper_has_the_figures_and_not_the_controls(opened: Open, quotes: dict[str, str]) -> None:
    page = opened(f"/console/quotes/{quotes['good']}")
    page.emulate_media(media="print")
    expect(page.locator("header.bar")).to_be_hidden()
    expect(page.locator("[aria-labelledby=h-waterfall] table")).to_be_visible()
    assert len(page.pdf()) > 10_000


def test_who_may_not_see_it_sees_that_there_is_nothing(
    server: Server, chromium: Browser, url: str, quotes: dict[str, str]
) -> None:
    context = chromium.new_context(
        extra_http_headers={"Authorization": f"Bearer {key_of(server, {'price'})}"}
    )
    page = context.new_page()
    answer = page.goto(f"{url}/console/quotes")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    context.close()
    other = chromium.new_context(locale="en-GB")
    enter(other, url, key_of(server, {"console:read"}, tenant="another"))
    page = other.new_page()
    answer = page.goto(f"{url}/console/quotes/{quotes['good']}")
    assert answer is not None
    assert answer.status == 404
    page.goto(f"{url}/console/quotes")
    expect(page.get_by_role("heading", name="No quote is recorded yet")).to_be_visible()
    other.close()
