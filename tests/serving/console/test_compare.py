"""One project priced by two models: the page's columns sum to the difference of the two prices."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from models import artifact
from serving.access.caller import LOCAL
from serving.app import Server
from serving.console.difference import hundredths
from serving.console.words import catalogue
from serving.examples import askable
from serving.settings import Settings
from tests.serving import known_key, small_model
from tests.serving.conftest import ROOT
from tests.serving.console.test_house import Browser

EN = catalogue("en")
EXAMPLES = ("good", "poor", "guarantee", "equity")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, other: Path) -> Iterator[Server]:
    """A server whose champion has another model's verified copy beside it, as its challenger."""
    var = tmp_path_factory.mktemp("two")
    small_model.write(var / "models")
    shutil.copytree(other, var / "models" / other.name)
    known_key.write(var)
    environ = {"SEEDRATE_VAR": str(var), "SEEDRATE_TRACKING_URI": "off"}
    made = Server.open(Settings.read(environ))
    assert made.ledger.wait_open(10)
    made.champion.first()
    made.shadow.serve(artifact.read(other))
    yield made
    made.close()


def recorded(server: Server, example: str) -> dict[str, object]:
    body = json.loads((ROOT / "examples" / f"{example}.json").read_text("utf-8"))
    reply = asyncio.run(server.office.served.desk.quote(body, LOCAL, f"two-{example}"))
    found: dict[str, object] = orjson.loads(reply.body)
    return found


def by_the_other(server: Server, other: Path, example: str) -> dict[str, object]:
    """Return what a server quotes with the other model as its champion."""
    body = json.loads((ROOT / "examples" / f"{example}.json").read_text("utf-8"))
    before = server.office.bundle
    server.serve(artifact.read(other))
    try:
        found: dict[str, object] = orjson.loads(server.office.served.desk.what_if(body, LOCAL).body)
    finally:
        server.office.bundle = before
    return found


def price(reply: dict[str, object]) -> int:
    """Return what a reply quotes, in 0.01 bp."""
    figure = next(k for k in ("spread_bps", "fee_bps", "value_bps") if k in reply)
    return hundredths(str(reply[figure]))


def rows(told: str, caption: str) -> list[list[int]]:
    """Return before, after and difference of each row of a table and then of its foot."""
    (table,) = re.findall(rf"<caption>{re.escape(caption)}</caption>(.*?)</table>", told, re.DOTALL)
    cells = [re.findall(r'<td class="num[^"]*">([^<]*)</td>', row) for row in table.split("<tr>")]
    return [[cents(text) for text in row] for row in cells if len(row) == 3]


def cents(text: str) -> int:
    return hundredths(text.replace("−", "-").replace(",", ""))


@pytest.mark.parametrize("example", EXAMPLES)
def test_columns_and_groups_sum_to_the_difference_of_two_models(
    two: Server, other: Path, example: str
) -> None:
    first = recorded(two, example)
    second = by_the_other(two, other, example)
    browser = Browser(two)
    browser.sign_in()
    answer = browser.get(f"/console/compare?a={first['quote_id']}&by={other.name}&language=en")
    assert answer.status == 200
    told = answer.body.decode()
    assert price(first) != price(second)
    for caption in (EN("beside.all"), EN("beside.by_group_caption")):
        *parts, foot = rows(told, caption)
        assert len(parts) > 5
        assert foot == [price(first), price(second), price(second) - price(first)]
        assert [sum(column) for column in zip(*parts, strict=True)] == foot


def test_the_challenger_is_offered_by_name_and_a_model_that_is_gone_is_refused(
    two: Server, other: Path
) -> None:
    first = recorded(two, "good")
    browser = Browser(two)
    browser.sign_in()
    told = browser.get(f"/console/compare?a={first['quote_id']}").body.decode()
    assert "seedrate 7</option>" in told
    assert f"seedrate {other.name[:12]} ({EN('challenger.tag')})</option>" in told
    linked = browser.get(f"/console/compare?by={other.name}").body.decode()
    assert f'<option value="{other.name}" selected>' in linked
    gone = browser.get(f"/console/compare?a={first['quote_id']}&by={'0' * 64}")
    assert gone.status == 422
    assert EN("compare.no_model") in gone.body.decode()


def test_every_instrument_can_be_asked_what_if(two: Server) -> None:
    browser = Browser(two)
    browser.sign_in()
    for example in askable(two.office.served.desk.contract):
        page = browser.get(f"/console/what-if?example={example}&language=en")
        assert page.status == 200, example
        assert EN("quote.waterfall") in page.body.decode(), example
