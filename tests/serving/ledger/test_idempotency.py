"""Retries: under one key there is one quote, whatever is sent again and whatever crashes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import orjson
import pytest

from pricing.errors import PolicyError
from serving.access.caller import LOCAL
from serving.gauges import Gauges
from serving.ledger.anchors import Anchors
from serving.ledger.counter import Counter
from serving.ledger.entry import Entry
from serving.ledger.ledger import Ledger
from serving.ledger.sqlite import SqliteStore
from serving.ledger.tree import Edge
from serving.office import Bundle, Office
from serving.problem import KEY_IN_USE, RefusedError
from tests.serving.fakes import COLUMN_SET, PlainPricer, PlainQuote, desk, request
from tests.serving.http import HOST, JSON, Answer, ask, gate
from tests.serving.ledger.books import ledger, rows


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Ledger]:
    with ledger(tmp_path) as made:
        yield made


@pytest.fixture
def app(books: Ledger, tmp_path: Path) -> Any:
    office = Office(Counter(books, Anchors(tmp_path / "anchors")), Gauges())
    office.bundle = Bundle(desk(books), COLUMN_SET, {"anyone": b"{}"}, b"{}", b"{}")
    return gate(office)


def post(app: Any, key: str, body: Any, path: str = "/v1/quotes") -> Answer:
    headers = [HOST, JSON, (b"idempotency-key", key.encode())]
    return ask(app, "POST", path, body, headers)


def test_the_same_request_again_gets_the_same_bytes(app: Any, tmp_path: Path) -> None:
    first, again = post(app, "k", request()), post(app, '"k"', request())
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert first.headers["location"] == again.headers["location"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(rows(tmp_path, "SELECT 1 FROM entry WHERE kind = 'quote'")) == 1


def test_white_space_and_order_make_no_other_request(app: Any) -> None:
    first = post(app, "k", request())
    turned = dict(reversed(request().items()))
    assert post(app, "k", orjson.dumps(turned, option=orjson.OPT_INDENT_2)).body == first.body


def test_another_request_under_the_same_key_is_refused(app: Any, tmp_path: Path) -> None:
    for number in range(100):
        assert post(app, f"k{number}", request()).status == 201
        answer = post(app, f"k{number}", request(reference=f"other {number}"))
        assert (answer.status, answer.document["code"]) == (422, "key_reused")
    assert len(rows(tmp_path, "SELECT 1 FROM entry WHERE kind = 'quote'")) == 100


def test_a_key_that_is_missing_or_malformed_is_refused(app: Any) -> None:
    assert ask(app, "POST", "/v1/what-if", request()).status == 200
    for key, code in (("", "malformed_request"), ("a b", "malformed_request"),
                      ("x" * 201, "malformed_request"), ("a#1", "malformed_request")):  # fmt: skip
        answer = post(app, key, request())
        assert (answer.status, answer.document["code"]) == (400, code)


def test_a_refusal_is_not_recorded_and_may_be_mended_under_its_key(app: Any) -> None:
    assert post(app, "k", request(instrument__amount=-1)).status == 422
    assert post(app, "k", request()).status == 201


def test_fifty_at_once_get_one_quote(app: Any, books: Ledger, tmp_path: Path) -> None:
    desk_ = desk(books)

    async def patient() -> bytes:
        while True:
            try:
                return (await desk_.quote(request(), LOCAL, "same")).body
            except RefusedError as refusal:
                if refusal.problem is not KEY_IN_USE:
                    raise
                await asyncio.sleep(0)

    async def crowd() -> list[bytes]:
        return [*await asyncio.gather(*[patient() for _ in range(50)])]

    bodies = [body for _ in range(20) for body in asyncio.run(crowd())]
    assert (len(bodies), len(set(bodies))) == (1000, 1)
    assert len(rows(tmp_path, "SELECT 1 FROM entry WHERE kind = 'quote'")) == 1


def test_a_crash_between_commit_and_reply_leaves_the_quote_for_the_retry(tmp_path: Path) -> None:
    class StruckError(Exception):
        """The process dies here, as far as the caller can tell."""

    with ledger(tmp_path) as books:

        async def dies() -> None:
            commit = books.record

            async def record_and_die(entry: Any) -> Any:
                await commit(entry)
                raise StruckError

            books.record = record_and_die  # type: ignore[method-assign]  # the crash
            await desk(books).quote(request(), LOCAL, "k")

        with pytest.raises(StruckError):
            asyncio.run(dies())
    with ledger(tmp_path) as books:
        reply = asyncio.run(desk(books).quote(request(), LOCAL, "k"))
        assert reply.replayed
        assert len(rows(tmp_path, "SELECT 1 FROM entry WHERE kind = 'quote'")) == 1


def test_what_the_policy_would_refuse_today_is_still_replayed(books: Ledger) -> None:
    class Refuses(PlainPricer):
        def quote_checked(self, *asked: Any, caller: str, audit: bool) -> PlainQuote:
            raise PolicyError("no loans any more")

    first = asyncio.run(desk(books).quote(request(), LOCAL, "k"))
    today = replace(desk(books), pricer=Refuses())
    assert asyncio.run(today.quote(request(), LOCAL, "k")).body == first.body
    with pytest.raises(PolicyError):
        asyncio.run(today.quote(request(), LOCAL, "fresh"))


def test_a_batch_names_its_requests_after_itself(app: Any) -> None:
    batch = {"quotes": [request(reference="a"), request(instrument__amount=-1), request()]}
    first, again = (post(app, "b", batch, "/v1/quotes/batch") for _ in range(2))
    assert first.body == again.body
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    results = first.document["results"]
    assert [result["status"] for result in results] == [201, 422, 201]
    found = ask(app, "GET", "/v1/keys/b#2")
    assert found.document == results[2]["quote"]
    assert ask(app, "GET", "/v1/keys/b#1").document["code"] == "key_not_found"


def test_one_quote_a_batch_and_a_longer_batch_are_different_requests(app: Any) -> None:
    batch = {"quotes": [request(), request(reference="b")]}
    assert post(app, "b", batch, "/v1/quotes/batch").status == 200
    assert post(app, "s", request()).status == 201
    for answer in (
        post(app, "b", request()),
        post(app, "b", {"quotes": [request()]}, "/v1/quotes/batch"),
        post(app, "s", {"quotes": [request()]}, "/v1/quotes/batch"),
    ):
        assert (answer.status, answer.document["code"]) == (422, "key_reused")


class Slow(SqliteStore):
    """A database whose commits wait for a sign."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun, self.goes = Event(), Event()

    def insert(self, entries: Sequence[Entry], seen: int) -> Edge:
        if any(one.kind == "quote" for one in entries):
            self.begun.set()
            assert self.goes.wait(10)
        return super().insert(entries, seen)


def test_who_ran_out_of_time_is_not_told_not_recorded_before_it_is_decided(tmp_path: Path) -> None:
    store = Slow(tmp_path / "ledger.db")

    async def times_out(books: Ledger) -> None:
        asking = asyncio.create_task(desk(books).quote(request(), LOCAL, "k"))
        await asyncio.to_thread(store.begun.wait, 10)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        with pytest.raises(RefusedError, match="answered first"), books.flight("local", "k"):
            pass
        store.goes.set()
        while "k" not in await books.find_keys("local", ["k"]):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        with books.flight("local", "k"):
            pass
        assert (await desk(books).quote(request(), LOCAL, "k")).replayed

    with ledger(tmp_path, store=store) as books:
        asyncio.run(times_out(books))


def test_a_key_says_whether_anything_is_recorded_under_it(app: Any, books: Ledger) -> None:
    assert ask(app, "GET", "/v1/keys/k").document["code"] == "key_not_found"
    first = post(app, "k", request())
    found = ask(app, "GET", "/v1/keys/k")
    assert (found.status, found.body) == (200, first.body)
    assert found.headers["location"] == first.headers["location"]
    with books.flight("local", "other"):
        answer = ask(app, "GET", "/v1/keys/other")
        assert (answer.status, answer.document["code"]) == (409, "key_in_use")
        assert post(app, "other", request()).status == 409
