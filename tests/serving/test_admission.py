from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from itertools import count
from typing import Any

import orjson
import pytest

from serving.admission import A_ROUND, Admission
from serving.doors import DOORS, Door
from serving.problem import OVERLOADED, TOO_MANY_REQUESTS, RefusedError
from tests.serving.fakes import REQUEST, Open
from tests.serving.http import ask, gate, office

DOOR = {door.path: door for door in DOORS}
QUOTE = DOOR["/v1/quotes"]


def filled(places: int, taken: int) -> Admission:
    admission = Admission(places)
    for _ in range(taken):
        admission.enter(QUOTE)
    return admission


@pytest.mark.parametrize(
    ("taken", "open_doors"),
    [
        (31, {"/v1/quotes", "/quote", "/v1/quotes/batch", "/v1/what-if"}),
        (32, {"/v1/quotes", "/quote", "/v1/quotes/batch"}),
        (48, {"/v1/quotes", "/quote"}),
        (64, set()),
    ],
)
def test_what_ifs_go_first_then_batches_and_quotes_last(taken: int, open_doors: set[str]) -> None:
    admission = filled(64, taken)

    def lets_in(door: Door) -> bool:
        try:
            admission.check(door)
        except RefusedError as refused:
            return (refused.problem, refused.headers) != (OVERLOADED, {"Retry-After": "1"})
        return True

    assert {door.path for door in DOORS if door.up_to and lets_in(door)} == open_doors
    assert all(lets_in(door) for door in DOORS if not door.up_to)


def test_every_address_that_prices_needs_a_place() -> None:
    pricing = {door.path for door in DOORS if door.most_bytes}
    assert {door.path for door in DOORS if door.up_to} == pricing


def test_audits_are_left_out_and_counted_before_anybody_is_refused() -> None:
    assert filled(64, 16).audits()
    busy = filled(64, 17)
    assert not busy.audits()
    assert busy.unaudited == 1


def test_a_full_server_refuses_before_it_reads_and_counts_nobody_twice() -> None:
    admission = filled(2, 2)
    app = gate(office(), admission=admission)
    answer = ask(app, "POST", "/v1/quotes", b"not JSON at all")
    assert (answer.status, answer.document["code"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert ask(app, "GET", "/livez").status == 200
    admission.leave(QUOTE)
    bodies: tuple[Any, ...] = (b"not JSON", {"project": {}}, REQUEST)
    for body in bodies:
        ask(app, "POST", "/v1/quotes", body)
        assert admission.taken == 1
    assert ask(app, "POST", "/v1/quotes", REQUEST).status == 201


def test_a_tenant_that_is_the_reason_is_told_so() -> None:
    class Strict(Open):
        def check(self, door: Door, caller: Any) -> None:
            raise RefusedError(TOO_MANY_REQUESTS, "the tenant must have less under way")

    app = gate(office(), admission=filled(1, 1), guard=Strict())
    assert ask(app, "POST", "/v1/quotes", REQUEST).status == 429


def test_prices_take_turns_so_that_callers_are_heard_in_between() -> None:
    admission, order = Admission(64), list[str]()

    async def price(number: int) -> None:
        await admission.turn(QUOTE)
        order.append("price")

    async def all_at_once() -> None:
        together = asyncio.gather(*map(price, range(3 * A_ROUND)))
        for _ in range(4):
            await asyncio.sleep(0)
            order.append("heard")
        await together

    asyncio.run(all_at_once())
    rounds = "".join("p" if one == "price" else "h" for one in order).strip("h").split("h")
    assert [len(one) for one in rounds if one] == [A_ROUND] * 3


def test_whoever_comes_first_is_priced_first_however_many_come_after() -> None:
    admission, dice = Admission(64), random.Random(0)
    arrived, priced = count(), list[int]()

    async def caller() -> None:
        for _ in range(20):
            number = next(arrived)
            await admission.turn(QUOTE)
            priced.append(number)
            for _ in range(dice.choice([1, 1, 2, 3, 8])):  # until it asks again
                await asyncio.sleep(0)

    async def callers() -> None:
        gone = asyncio.create_task(caller())  # runs out of time
        asking = [asyncio.create_task(caller()) for _ in range(64)]
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(*asking)

    asyncio.run(callers())
    assert priced == sorted(priced)
    assert len(priced) >= 64 * 20


def test_who_is_heard_in_one_round_counts_until_each_has_a_place() -> None:
    admission = filled(4, 1)

    async def rounds() -> tuple[list[bool], list[bool]]:
        first = [admission.is_full() for _ in range(5)]
        await asyncio.sleep(0)
        admission.enter(QUOTE)  # the others were refused
        return first, [admission.is_full() for _ in range(3)]

    first, then = asyncio.run(rounds())
    assert first == [False, False, False, True, True]
    assert then == [False, False, True]


def test_who_is_turned_away_is_told_what_the_gate_would_say() -> None:
    ours = ask(gate(office(), admission=filled(1, 1)), "POST", "/v1/quotes", REQUEST)
    admission = Admission(1)
    said, _, body = admission.turn_away().partition(b"\r\n\r\n")
    first, *lines = said.decode().split("\r\n")
    headers = dict(line.split(": ") for line in lines)
    theirs = orjson.loads(body)
    assert (first.split()[1], theirs["code"]) == (str(ours.status), ours.document["code"])
    assert set(theirs) == set(ours.document)
    assert headers.items() <= {**ours.headers, "content-length": str(len(body))}.items()
    assert admission.turned_away == 1


def test_a_door_without_a_share_needs_no_place() -> None:
    admission = Admission(1)
    free = replace(QUOTE, up_to=0)
    admission.enter(free)
    admission.enter(free)
    assert admission.taken == 0
