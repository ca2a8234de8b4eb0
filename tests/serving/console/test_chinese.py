"""Every page in Chinese, in a real Chromium: what is left in Latin letters are names."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from features.column import Kind
from features.sets import load
from serving.app import Server
from serving.console.phrases import FOLDER, phrase
from serving.contract import Contract
from serving.fields import Field
from tests.conftest import ROOT
from tests.serving.console.conftest import enter
from tests.serving.console.test_browser import WIDE
from tests.serving.console.test_house import key_of

CHINESE = re.compile("[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]{2,}")
SETS = ("early_stage", "sba")
SHOWN = """() => {
  const apart = 'code, pre, .mono, [lang=en], .languages, .brand, script, style';
  const found = [];
  const walk = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walk.nextNode())
    if (!walk.currentNode.parentElement.closest(apart)) found.push(walk.currentNode.data);
  for (const one of document.querySelectorAll('*'))
    for (const name of ['aria-label', 'alt', 'title', 'placeholder'])
      if (one.hasAttribute(name) && !one.closest(apart)) found.push(one.getAttribute(name));
  return found;
}"""
NAMES = re.compile(  # that stay as they are in Chinese, longest first
    r"python -m serving [a-z:\- ]*[a-z]|GET /v1/columns|SEEDRATE_[A-Z_]+(?:=off)?|"
    r"verify_receipt\.py|localhost/seedrate|ledger anchor|[a-z]+(?:_[a-z0-9]+)+|console:read|"
    r"\b[0-9a-f]{12}\b|\b(?:seedrate|bp|UTC|CNY|CSV|JSON|HHI|AUC|ICI|PSI|PD|LGD|RAROC|TabM|IFRS|Shapley|NAICS|SBA|"
    r"LowDoc|movable = true)\b"
)
DATA = ("champion", "small", "ann", "a test", "local", "tests", "nonsense", "no-such-quote")


def left(text: str, references: tuple[str, ...] = ()) -> str:
    """Return what is left of a text in Latin letters, but for names and what people wrote."""
    for one in (*references, *DATA):
        text = re.sub(rf"(?<![A-Za-z]){re.escape(one)}(?![A-Za-z])", "", text)
    return " ".join(LATIN.findall(NAMES.sub("", text)))


@pytest.fixture(scope="module")
def page(chromium: Browser, server: Server, url: str, quotes: dict[str, str]) -> Iterator[Page]:
    """A page of somebody who may do everything and reads Chinese."""
    how: dict[str, Any] = {"viewport": WIDE, "locale": "zh-CN", "base_url": url}
    context = chromium.new_context(**how)
    enter(context, url, key_of(server, {"console:read", "explain", "promote"}, tenant="local"))
    made = context.new_page()
    made.goto("/console/quotes?language=zh")
    yield made
    context.close()


@pytest.fixture(scope="module")
def references(server: Server, quotes: dict[str, str]) -> tuple[str, ...]:
    """What the examples call themselves, the longest first."""
    bodies = [json.loads(path.read_text("utf-8")) for path in (ROOT / "examples").glob("*.json")]
    told = [body.get("reference") for body in bodies]
    return tuple(sorted((one for one in told if one), key=len, reverse=True))


def english(page: Page, references: tuple[str, ...]) -> list[str]:
    """Return the texts of a page that are not Chinese."""
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    texts = [" ".join(text.split()) for text in page.evaluate(SHOWN)]
    return [text for text in texts if left(text, references)]


PATHS = (
    "quotes", "quotes?least=x&from=z", "quotes?project=zzz", "portfolio", "portfolio?to=1999-01-01",
    "columns", "columns?text=zzz", "ledger", "models", "promotions", "what-if", "compare",
    "no-such-page", "quotes/no-such-quote", "compare?a={good}&b={poor}",
    "compare?a={good}&by=today", "compare?a={good}&b={equity}", "compare?a={good}&b=no-such-quote",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_page_in_chinese_has_no_english(
    page: Page, quotes: dict[str, str], references: tuple[str, ...], path: str
) -> None:
    page.goto("/console/" + path.format_map(quotes))
    assert english(page, references) == []


def test_quotes_of_every_instrument_and_their_forms_have_none(
    page: Page, quotes: dict[str, str], references: tuple[str, ...]
) -> None:
    for name, quote_id in quotes.items():
        for path in (f"quotes/{quote_id}", f"what-if?quote={quote_id}"):
            answer = page.goto(f"/console/{path}")
            assert answer is not None
            assert answer.status == 200, (name, path)
            assert english(page, references) == [], (name, path)


def test_what_must_be_mended_is_said_in_chinese(
    page: Page, quotes: dict[str, str], references: tuple[str, ...]
) -> None:
    for name in ("good", "rd_loan", "equity", "venture_debt"):
        page.goto(f"/console/what-if?quote={quotes[name]}")
        page.evaluate(
            "document.querySelectorAll('.bench input:not([type=hidden])')"
            ".forEach(one => one.value = 'nonsense')"
        )
        page.locator(".bench button.primary").click()
        expect(page.get_by_role("alert")).to_contain_text("须改正")
        assert english(page, references) == []


def test_a_model_and_a_verified_log_have_none(page: Page, references: tuple[str, ...]) -> None:
    page.goto("/console/ledger")
    page.locator("form[action='/console/ledger/verify'] button").click()
    assert english(page, references) == []
    page.goto("/console/models")
    page.locator("tbody th a").first.click()
    expect(page.locator("#h-dependence")).to_be_visible(timeout=60_000)
    assert english(page, references) == []


def test_the_walk_would_find_english(page: Page, references: tuple[str, ...]) -> None:
    page.goto("/console/compare")
    for spoil in ("textContent = 'One word'", "setAttribute('title', 'One word')"):
        page.evaluate(f"document.querySelector('h1').{spoil}")
        assert english(page, references) == ["One word"]
        page.reload()
    assert left("bp", ()) == ""
    assert left("a loan with a warrant · seedrate", references) == ""


@pytest.mark.parametrize("name", SETS)
def test_every_word_of_a_column_set_that_ships_is_there_in_chinese(name: str) -> None:
    declared = load(name)
    for titles in (*declared.groups.values(), *declared.sources.values()):
        assert CHINESE.search(titles[1]), titles
    for column in declared.columns:
        told = {"label": column.label_zh, "meaning": column.meaning_zh}
        told |= {"reason": column.reason_zh} if column.reason else {}
        told |= {"unit": column.unit_zh} if column.unit else {}
        told |= dict(zip(column.levels, column.levels_zh, strict=True))
        for of, text in told.items():
            assert CHINESE.search(text) or text.startswith("%"), (column.name, of)
        assert column.kind is Kind.CATEGORY or not column.levels_zh


def fields(some: tuple[Field, ...]) -> Iterator[Field]:
    for field in some:
        yield field
        yield from fields(field.within)


@pytest.mark.parametrize("name", SETS)
def test_what_every_field_must_be_is_known_in_chinese(name: str) -> None:
    contract = Contract.of(load(name))
    asked = [*contract.project, *contract.envelope]
    asked += [field for kind in contract.kinds.values() for field in kind.fields]
    said = {field.expected for field in fields(tuple(asked))}
    assert {text for text in said if left(phrase(text, "zh").partition("以下之一")[0])} == set()


def test_a_sentence_nobody_knows_stays_and_every_shape_keeps_its_holes() -> None:
    assert phrase("who knows", "zh") == "who knows"
    told = tomllib.loads((FOLDER / "phrases_zh.toml").read_text("utf-8"))
    holes = re.compile(r"\{(\w+)\}")
    for english_, chinese in told.items():
        assert set(holes.findall(chinese)) <= set(holes.findall(english_)), english_
        assert CHINESE.search(chinese) or "、" in chinese, english_
        example = holes.sub("7", english_)
        assert not left(phrase(example, "zh")), example
