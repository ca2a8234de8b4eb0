"""States that pages seldom have, as people meet them: real Chromium, with scripts off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from models import artifact, keys, statement
from models.copies import Pointer
from serving import comparisons, watch
from serving.access.caller import LOCAL
from serving.app import Server, clock
from serving.console.words import catalogue
from serving.doors import PAGES, PUBLIC
from serving.ledger import erasure
from serving.settings import Settings
from serving.watch import Refusal
from tests.conftest import ROOT
from tests.serving import known_key, small_model
from tests.serving.console.conftest import enter, listening
from tests.serving.console.test_browser import PHONE, WIDE, findings, kept
from tests.serving.console.test_followed import OFF, row
from tests.serving.console.test_house import key_of
from tests.serving.http import address
from tests.serving.shelf import resealed

GOOD = json.loads((ROOT / "examples" / "good.json").read_text("utf-8"))
BY_HAND = {  # of the fields that a form without them asks for; of a choice, the first is taken
    "project.firm_age_months": "48",
    "project.policy_rate_percent": "3.1",
    "instrument.amount": "2000000",
    "instrument.term_months": "36",
}
ROLES = ({"price"}, {"explain"}, {"console:read"}, {"console:read", "explain"})


@pytest.fixture(scope="module")
def page(chromium: Browser, signed_in: dict[str, Any], url: str) -> Iterator[Page]:
    how: dict[str, Any] = {"storage_state": signed_in, "viewport": WIDE, "locale": "en-GB"}
    context = chromium.new_context(**how, base_url=url, java_script_enabled=False)
    yield context.new_page()
    context.close()


def priced(page: Page) -> None:
    page.get_by_role("button", name="Price it").last.click()


def filled(page: Page, values: dict[str, str]) -> None:
    """Fill in, by hand, what an empty form asks for when it is sent."""
    page.goto("/console/what-if?kind=term_loan")
    expect(page.get_by_text("Nothing is priced yet")).to_be_visible()
    priced(page)
    asked = [str(one.get_attribute("href"))[1:] for one in page.locator("#faults a").all()]
    assert set(values) <= set(asked)
    for name in asked:
        if page.locator(f'select[name="{name}"]').count():
            page.locator(f'select[name="{name}"]').select_option(index=1)
        else:
            page.locator(f'input[name="{name}"]').fill(values[name])
    priced(page)
    expect(page.get_by_role("heading", name="Price", exact=True)).to_be_visible()


def test_an_empty_form_is_filled_by_hand_until_it_has_a_price(page: Page) -> None:
    filled(page, BY_HAND)
    expect(page.get_by_role("status")).to_contain_text("As it was")
    expect(page.get_by_label("Amount required")).to_have_value("2000000")
    kept(page, "what-if-by-hand")
    page.get_by_label("Amount required").fill("1000000")
    priced(page)  # now there is something to compare with
    expect(page.get_by_role("status")).to_contain_text("1 changed")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("project.runway_months", "-3", "Runway"),
        ("project.sector", "alchemy", "Sector"),
        ("instrument.term_months", "12000", "Term"),
    ],
)
def test_a_value_that_is_refused_is_named_with_its_field(
    page: Page, quotes: dict[str, str], field: str, value: str, says: str
) -> None:
    page.goto(f"/console/what-if?quote={quotes['good']}")
    form = {one: page.locator(f'[name="{one}"]').first.input_value() for one in HIDDEN}
    told = dict(flat(GOOD), **form)
    answer = page.request.post("/console/what-if", form={**told, field: value})
    assert answer.status == 422
    page.set_content(answer.text())
    expect(page.locator("#faults li")).to_have_count(1)
    expect(page.locator("#faults li a")).to_contain_text(says)
    at = page.locator(f'[name="{field}"]')
    expect(at).to_have_attribute("aria-invalid", "true")
    expect(at).to_have_value(value)


HIDDEN = ("token", "original", "instrument.kind")


def flat(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for part in ("project", "instrument"):
        for name, value in body[part].items():
            yield f"{part}.{name}", str(value).lower() if isinstance(value, bool) else str(value)


def test_an_erased_quote_says_so_and_is_neither_changed_nor_compared(
    page: Page, server: Server, quotes: dict[str, str], signed_in: dict[str, Any]
) -> None:
    async def erased() -> str:
        reply = await server.office.served.desk.quote(
            {**GOOD, "reference": "to-be-forgotten"}, LOCAL, "states-erased"
        )
        found = server.ledger.store.reader.find(LOCAL.tenant, str(reply.quote_id))
        assert found is not None
        await erasure.erase(server.ledger, [found.seq], "as asked")
        return str(reply.quote_id)

    quote_id = apart(lambda: asyncio.run(erased()))
    page.goto(f"/console/quotes/{quote_id}")
    expect(page.get_by_role("heading", name="Request and reply were erased")).to_be_visible()
    expect(page.locator("#proof .tag.good")).to_be_visible()
    assert "to-be-forgotten" not in page.content()
    expect(page.get_by_role("link", name="What if", exact=True)).to_have_count(1)  # the nav's
    kept(page, "quote-erased")
    browser = page.context.browser
    assert browser is not None
    how: dict[str, Any] = {"storage_state": signed_in, "viewport": PHONE, "locale": "en-GB"}
    context = browser.new_context(**how)
    on_phone = context.new_page()  # with scripts: axe is one
    on_phone.goto(page.url)
    assert findings(on_phone) == []
    wide = on_phone.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    context.close()
    assert wide <= 0
    answer = page.goto(f"/console/what-if?quote={quote_id}")
    assert answer is not None
    assert answer.status == 410
    page.goto(f"/console/compare?a={quote_id}&b={quotes['good']}")
    expect(page.get_by_text("What was private of this quote was erased.")).to_be_visible()


def apart(act: Callable[[], Any]) -> Any:
    """Return what an act gives in a thread of its own: a browser's loop runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(act).result()


@pytest.fixture(scope="module")
def unmoved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose model's columns do not say what a firm can move."""
    var = tmp_path_factory.mktemp("unmoved")

    def fixed(folder: Path) -> None:
        told = (folder / "columns.toml").read_text("utf-8")
        assert "movable = true" in told
        (folder / "columns.toml").write_text(told.replace("movable = true\n", ""), "utf-8")

    small_model.make(var / "made", seed=7)
    folder = resealed(var / "made", var / "models" / "staging", fixed)
    digest = artifact.verify(folder)
    folder.rename(var / "models" / digest)
    signed = statement.sign(small_model.said(digest), keys.create(var / "keys", "a test"))
    Pointer(digest, "seedrate", "7", signed).write(var / "models")
    known_key.write(var)
    made = Server.open(Settings.read({"SEEDRATE_VAR": str(var), "SEEDRATE_TRACKING_URI": "off"}))
    assert made.ledger.wait_open(10)
    made.load()
    yield made
    made.close()


def test_where_no_column_is_movable_the_page_says_what_is_missing(
    chromium: Browser, unmoved: Server
) -> None:
    with listening(unmoved) as url:
        context = chromium.new_context(locale="en-GB", base_url=url, java_script_enabled=False)
        enter(context, url)
        page = context.new_page()
        page.goto("/console/what-if?example=good")
        priced(page)
        expect(page.get_by_text("do not say what a firm can move")).to_be_visible()
        expect(page.get_by_role("button", name="Try it")).to_have_count(0)
        context.close()


def test_where_nothing_known_can_be_moved_there_is_no_alternative(page: Page) -> None:
    filled(page, {**BY_HAND, **LEAST})
    expect(page.get_by_text("Nothing the firm can move by itself")).to_be_visible()


LEAST = {"instrument.amount": "10000", "instrument.term_months": "1"}


def test_the_page_of_a_challenger_is_for_everybody(
    shadowed: Server, other: Path, chromium: Browser
) -> None:
    shadowed.shadow.serve(artifact.read(other))
    rows = [row(shadowed, other, at, bps) for at, bps in enumerate(np.linspace(-90, 300, 60))]
    comparisons.write(shadowed.settings.shadow, rows)
    seen = replace(OFF, registry=watch.STALE, asked=clock(), named="3", version="3", swaps=2)
    refused = Refusal("3", "a" * 64, clock(), "3 must be signed, however: ''")
    seen = replace(seen, refused=refused, stands=True, served_since=clock())
    shadowed.office.standing = lambda: {"champion": seen.document()}
    with listening(shadowed) as url:
        context = chromium.new_context(locale="en-GB", base_url=url)
        enter(context, url)
        page = context.new_page()
        for language, scheme in (("en", "light"), ("en", "dark"), ("zh", "light")):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(f"/console/models?language={language}")
            expect(page.locator("#challenger circle.dot")).to_have_count(60)
            assert findings(page) == []
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        told = page.locator("main").inner_text().splitlines()
        context.close()
    assert wide <= 0
    english = set(catalogue("en").texts.values())
    assert [line for line in told if len(line) > 12 and line in english] == []


@pytest.mark.parametrize("scopes", ROLES, ids=lambda scopes: "+".join(sorted(scopes)))
def test_of_a_page_that_a_role_does_not_open_there_is_nothing(
    server: Server, chromium: Browser, url: str, scopes: set[str]
) -> None:
    key = key_of(server, scopes)
    headers = {"Authorization": f"Bearer {key}"}
    context = chromium.new_context(extra_http_headers=headers, base_url=url, locale="en-GB")
    page = context.new_page()
    closed = [one for one in PAGES if one.scope != PUBLIC and one.scope not in scopes]
    assert closed
    for door in closed:
        answer = page.request.fetch(address(door), method=door.method)
        assert answer.status == 404, door.path
        assert "There is nothing here" in answer.text(), door.path
    page.goto("/console/quotes" if "console:read" in scopes else "/console/models")
    links = [one.get_attribute("href") for one in page.locator("nav.nav a").all()]
    assert not {door.path for door in closed} & set(links)
    context.close()
