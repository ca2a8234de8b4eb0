"""Dictionary, ledger, models and promotions as people meet them, in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from serving.app import Server
from serving.console.words import catalogue
from tests.serving.console.conftest import enter
from tests.serving.console.test_browser import PHONE, WIDE, findings, kept
from tests.serving.console.test_house import key_of

PATHS = ("columns", "ledger", "models", "promotions")


@pytest.fixture(scope="module")
def page(chromium: Browser, signed_in: dict[str, Any], url: str) -> Iterator[Page]:
    """A page of somebody who may do everything, without scripts; nobody else was asked."""
    wrong: list[str] = []
    how: dict[str, Any] = {"storage_state": signed_in, "viewport": WIDE, "locale": "en-GB"}
    context = chromium.new_context(**how, base_url=url)
    made = context.new_page()
    made.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    made.on("request", lambda r: None if r.url.startswith(url) else wrong.append(r.url))
    yield made
    context.close()
    assert [one for one in wrong if "status of 4" not in one] == []


def weighed(page: Page) -> None:
    """Open the model that serves, and wait as a person does: the page looks again by itself."""
    page.goto("/console/models")
    page.locator("tbody th a").first.click()
    expect(page.locator("#h-dependence")).to_be_visible(timeout=60_000)


def test_the_dictionary_is_searched_and_linked_to(page: Page) -> None:
    page.goto("/console/columns")
    page.get_by_label("Text in name or meaning").fill("runway")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tr[id]")).to_have_count(1)
    page.goto("/console/columns#c-sector")
    assert page.locator("tr:target").count() == 1
    page.emulate_media(media="print")
    expect(page.get_by_role("search")).to_be_hidden()
    expect(page.locator("#c-sector")).to_be_visible()
    page.emulate_media(media="screen")


def test_the_ledger_is_verified_by_a_click(page: Page) -> None:
    page.goto("/console/ledger")
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_role("status")).to_contain_text("Nothing was changed")
    expect(page.locator(".verdicts .tag.good")).to_have_count(3)
    with page.expect_download() as download:
        page.goto("/console/ledger")
        page.get_by_role("link", name="Download checkpoint").click()
    assert download.value.suggested_filename == "checkpoint.txt"


def test_a_model_says_what_moves_its_prices(page: Page) -> None:
    weighed(page)
    rows = page.locator("#importance table").first.locator("tbody tr")
    shown = [float(text.replace(",", "")) for text in rows.locator("td.num").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] > 0
    page.get_by_label("How the price depends on").select_option("runway_months")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("column=runway_months"))
    page.wait_for_load_state()
    assert page.locator("circle.dot").count() > 50
    kept(page, "model")


@pytest.mark.parametrize("path", PATHS)
def test_nothing_keeps_people_out_and_nothing_is_wider_than_a_phone(page: Page, path: str) -> None:
    page.goto(f"/console/{path}")
    if path == "models":
        weighed(page)
    kept(page, path)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert findings(page) == []
    page.emulate_media(color_scheme="dark")
    assert findings(page) == []
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    kept(page, f"phone-{path}")
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    assert wide <= 0


@pytest.mark.parametrize("path", PATHS)
def test_they_speak_chinese(page: Page, path: str) -> None:
    page.goto(f"/console/{path}?language=zh")
    told = page.locator("main").inner_text()
    page.goto("/console/ledger?language=en")
    english = set(catalogue("en").texts.values())
    assert catalogue("zh")("promotions.title" if path == "promotions" else f"{path}.title") in told
    assert [line for line in told.splitlines() if len(line) > 12 and line in english] == []


def test_two_persons_promote_without_scripts(server: Server, chromium: Browser, url: str) -> None:
    persons = []
    for _ in range(2):
        context = chromium.new_context(locale="en-GB", java_script_enabled=False, base_url=url)
        enter(context, url, key_of(server, {"console:read", "promote"}))
        persons.append(context.new_page())
    ann, bob = persons
    ann.goto("/console/promotions")
    ann.get_by_label("Version, its number").fill("8")
    ann.get_by_label("Reason").fill("yearly refit")
    ann.get_by_role("button", name="Propose").click()
    expect(ann.get_by_role("button", name="Agree")).to_have_count(0)
    bob.goto(ann.url)
    bob.get_by_role("button", name="Agree").click()
    expect(bob.locator("pre").first).to_contain_text("python -m training promote 8")
    expect(bob.locator("h1")).to_contain_text(re.compile("agreed"))
    for person in persons:
        person.context.close()
