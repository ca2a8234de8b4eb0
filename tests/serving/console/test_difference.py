"""Two replies of a real model: the parts of their difference, and requests as forms and back."""

from __future__ import annotations

import itertools
import json
from typing import Any

import orjson
import pytest

from models.pricer import Pricer
from serving.access.caller import LOCAL
from serving.alternatives import alternatives, moved
from serving.app import Server
from serving.console.book import Book, Holding, newest
from serving.console.difference import Difference, hundredths
from serving.console.inputs import Sheet, request_of, typed
from serving.console.words import catalogue
from serving.desk import Desk
from serving.examples import EXAMPLES, askable
from tests.serving.console.test_house import Browser, token_of

NAMES = ("good", "poor", "missing_sources", "scheme", "equity")


@pytest.fixture(scope="module")
def desk(server: Server) -> Desk:
    return server.office.served.desk


@pytest.fixture(scope="module")
def replies(desk: Desk) -> dict[str, Any]:
    examples = askable(desk.contract)
    return {name: orjson.loads(desk.what_if(examples[name], LOCAL).body) for name in NAMES}


def test_parts_sum_to_the_difference_of_the_prices_exactly(replies: dict[str, Any]) -> None:
    for one, other in itertools.permutations(NAMES, 2):
        d = Difference(replies[one], replies[other], catalogue("en"))
        for rows in (d.groups, d.columns, d.most_moved(3)):
            assert sum(round(100 * row.change) for row in rows) == round(100 * d.change)
        assert round(100 * d.change) == _figure(replies[other]) - _figure(replies[one])


def _figure(reply: dict[str, Any]) -> int:
    return hundredths(reply["explanation"]["total_bps"])


def test_both_waterfalls_end_where_the_prices_do_on_one_scale(replies: dict[str, Any]) -> None:
    d = Difference(replies["good"], replies["poor"], catalogue("en"))
    for steps, reply in zip(d.waterfalls, (replies["good"], replies["poor"]), strict=True):
        assert steps[-1].bps == pytest.approx(float(reply["rate"]) * 1e4, abs=1e-6)
        assert sum(step.bps for step in steps[:-1]) == pytest.approx(steps[-1].bps)
    longest = max(steps[-1].bar.length for steps in d.waterfalls)
    shortest = min(steps[-1].bar.length for steps in d.waterfalls)
    rates = sorted(float(reply["rate"]) for reply in (d.before, d.after))
    assert shortest / longest == pytest.approx(rates[0] / rates[1], rel=1e-3)


def test_a_request_comes_back_from_its_form_as_it_went_in(desk: Desk) -> None:
    for name, asked in askable(desk.contract).items():
        back = request_of(typed(asked), desk.contract)
        sections = {"project": asked["project"], "instrument": asked["instrument"]}
        assert back == json.loads(json.dumps(sections)), name


def test_every_column_and_every_term_has_a_field(desk: Desk) -> None:
    asked = json.loads((EXAMPLES / "rd_loan.json").read_text("utf-8"))
    assert isinstance(desk.pricer, Pricer)
    column_set = desk.pricer.model.column_set
    sheet = Sheet(desk.contract, column_set, catalogue("en"), typed(asked), typed(asked), {})
    shown = [one.name for group in sheet.groups() for one in group.inputs]
    assert len(shown) == len(set(shown))
    assert {f"project.{column.name}" for column in column_set.asked} <= set(shown)
    assert {name for name in typed(asked) if name != "instrument.kind"} <= set(shown)
    assert all(one.was is None for group in sheet.groups() for one in group.inputs)


@pytest.mark.parametrize("name", ["good", "poor", "guarantee", "equity"])
def test_an_alternatives_price_is_what_the_endpoint_gives(desk: Desk, name: str) -> None:
    asked = askable(desk.contract)[name]
    assert isinstance(desk.pricer, Pricer)
    terms = {c.name: c.terms for c in desk.pricer.model.column_set.columns if c.terms}
    found = alternatives(desk, asked, LOCAL, desk.now())
    for one in found:
        reply = orjson.loads(desk.what_if(moved(asked, one.values, terms), LOCAL).body)
        sign = -1 if "value_bps" in reply else 1
        assert sign * _figure(reply) == one.price
    assert found or name != "good"


def test_a_book_adds_up_and_knows_how_concentrated_it_is() -> None:
    """HHI of shares 1/2, 1/4, 1/4: 0.375, as 8/3 equal ones (Herfindahl's definition)."""
    held = [
        Holding("a", "term_loan", "2026-10", 3, "x", 200.0, 200.0, 50.0, 20.0, 300.0),
        Holding("b", "revolving_line", "2026-11", 4, "x", 100.0, 50.0, 200.0, 80.0, 450.0),
        Holding("c", "equity", "2026-11", 4, "", 100.0, 100.0, 0.0, 0.0, None),
    ]
    book = Book(newest([*held, Holding("a", "term_loan", "2026-09", 9, "x", 9e9, 9e9, 0, 0, 0)]))
    whole = book.whole
    assert (whole.count, whole.amount, whole.loss, whole.capital) == (3, 400.0, 2.0, 0.8)
    assert whole.spread_bps == 330.0  # (200 x 300 + 50 x 450) / 250
    for totals in (book.by(lambda one: one.grade), book.by(lambda one: one.month)):
        assert sum(one.amount for one in totals) == whole.amount
        assert sum(one.share for one in totals) == pytest.approx(1)
    concentration = book.concentration(lambda one: one.name)
    assert concentration.hhi == pytest.approx(0.375)
    assert concentration.effective == pytest.approx(8 / 3)
    assert concentration.largest[0] == ("a", 0.5)


def test_a_forged_form_is_refused(server: Server) -> None:
    browser = Browser(server)
    browser.sign_in()
    page = browser.get("/console/what-if?example=good")
    for original in ("", "[]", "{", '{"project": 1, "instrument": 2}'):
        fields = {"original": original, "instrument.kind": "term_loan"}
        answer = browser.post("/console/what-if", token=token_of(page), **fields)
        assert answer.status == 400, original
    assert browser.post("/console/what-if", original="{}").status == 403
