"""What if, compare and portfolio as people use them: real Chromium, with scripts off."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from serving.access.caller import LOCAL
from serving.app import Server
from serving.ledger.listing import Sought
from tests.serving.console.conftest import enter
from tests.serving.console.test_house import key_of

SCREENS = os.environ.get("SEEDRATE_SCREENS")  # a folder: what is seen is kept there
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
Open = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, signed_in: dict[str, Any], url: str) -> Iterator[Open]:
    """Open a page as somebody signed in whose browser runs no script."""
    contexts = []

    def open_(path: str, **how: Any) -> Page:
        usual = {"storage_state": signed_in, "viewport": WIDE, "locale": "en-GB"}
        context = chromium.new_context(**{**usual, "java_script_enabled": False, **how})
        contexts.append(context)
        page = context.new_page()
        page.goto(url + path)
        return page

    yield open_
    for context in contexts:
        context.close()


def kept(page: Page, name: str) -> None:
    if SCREENS:
        page.screenshot(path=Path(SCREENS) / f"{name}.png", full_page=True)


def test_a_change_is_priced_beside_the_original_and_an_alternative_taken(
    opened: Open, quotes: dict[str, str], server: Server
) -> None:
    counted = server.ledger.store.reader.count
    before = counted(LOCAL.tenant, Sought())
    page = opened("/console/what-if")
    kept(page, "what-if-start")
    page.goto(page.url + f"?quote={quotes['good']}")
    expect(page.get_by_role("heading", name="What if: good")).to_be_visible()
    expect(page.get_by_text("As it was", exact=False)).to_be_visible()
    page.locator("summary", has_text="Funding").click()
    page.get_by_label("Runway").fill("30")
    page.get_by_role("button", name="Price it").last.click()
    expect(page.get_by_role("status")).to_contain_text("1 changed")
    expect(page.get_by_text("was 15 months")).to_be_visible()
    expect(page.get_by_role("heading", name="What makes the difference, by group")).to_be_visible()
    kept(page, "what-if")
    row = page.get_by_role("row").filter(has=page.get_by_role("button", name="Try it")).last
    price = re.search(r"of 100\s+([\d,.]+)", row.inner_text())
    assert price
    row.get_by_role("button", name="Try it").click()
    stats = page.locator(".stats.moved div").filter(has_text="Changed").first
    expect(stats).to_contain_text(f"{price[1]} bp")
    assert counted(LOCAL.tenant, Sought()) == before  # nothing was recorded


def test_what_is_wrong_is_said_at_its_field_and_kept_as_typed(
    opened: Open, quotes: dict[str, str]
) -> None:
    page = opened(f"/console/what-if?quote={quotes['good']}")
    page.get_by_label("Term required").fill("lots")
    page.get_by_role("button", name="Price it").last.click()
    expect(page.get_by_role("alert")).to_contain_text("a whole number of months")
    field = page.get_by_label("Term required")
    expect(field).to_have_value("lots")
    expect(field).to_have_attribute("aria-invalid", "true")
    kept(page, "what-if-faults")


def test_an_empty_form_is_filled_and_priced(opened: Open) -> None:
    page = opened("/console/what-if?kind=term_loan")
    expect(page.get_by_text("Nothing is priced yet")).to_be_visible()
    page.get_by_role("button", name="Price it").last.click()
    expect(page.get_by_role("alert")).to_contain_text("to mend")


def test_two_quotes_and_then_and_now(opened: Open, quotes: dict[str, str]) -> None:
    page = opened("/console/compare")
    expect(page.get_by_text("Nothing to compare yet")).to_be_visible()
    page.get_by_label("First quote").fill(quotes["good"])
    page.get_by_label("Second quote").fill(quotes["poor"])
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="good → poor")).to_be_visible()
    kept(page, "compare")
    page.get_by_label("Against").select_option("today")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("no difference")).to_be_visible()
    page.get_by_label("First quote").fill("nonsense")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_text("There is no quote with this id.")).to_be_visible()


def test_the_book_is_added_up_and_narrowed(opened: Open, quotes: dict[str, str]) -> None:
    page = opened("/console/portfolio")
    expect(page.get_by_role("heading", name="Concentration")).to_be_visible()
    kept(page, "portfolio")
    page.get_by_label("Instrument", exact=True).select_option("guarantee")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row").filter(has_text="Term loan")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="Guarantee").first).to_be_visible()
    page.goto(page.url.partition("?")[0] + "?to=1999-01-01")
    expect(page.get_by_text("No quote is in this book")).to_be_visible()


PATHS = ("/console/what-if", "/console/what-if?quote={good}", "/console/compare?a={good}&b={poor}",
         "/console/portfolio")  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_pages_can_be_used_by_everybody_and_fit_a_phone(
    opened: Open, quotes: dict[str, str], path: str
) -> None:
    page = opened(path.format_map(quotes), viewport=PHONE, java_script_enabled=True)
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_another_tenant_sees_nothing_of_it(
    chromium: Browser, server: Server, url: str, quotes: dict[str, str]
) -> None:
    context = chromium.new_context(locale="en-GB", java_script_enabled=False)
    enter(context, url, key_of(server, {"console:read", "explain"}, tenant="rival"))
    page = context.new_page()
    for path in (f"/console/what-if?quote={quotes['good']}", "/console/portfolio"):
        page.goto(url + path)
        assert "good" not in page.inner_text("main")
    page.goto(f"{url}/console/compare?a={quotes['good']}&b={quotes['poor']}")
    expect(page.get_by_text("There is no quote with this id.")).to_be_visible()
    context.close()
