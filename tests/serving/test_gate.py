from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import orjson
import pytest
from starlette.types import Receive, Scope, Send

from serving.answered import Answered
from serving.doors import BATCH, DOORS, SINGLE, doors_at
from serving.problem import PROBLEMS
from tests.serving.fakes import REQUEST, request
from tests.serving.http import HOST, JSON, Answer, address, ask, gate, office

APP = gate(office())
GOOD = orjson.dumps(REQUEST)
PICKLE = b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93."


def is_problem(answer: Answer, status: int, code: str) -> bool:
    document = answer.document
    known = {problem.code: problem.status for problem in PROBLEMS}
    return (
        answer.headers["content-type"] == "application/problem+json"
        and set(document) == {"type", "title", "status", "code", "detail", "faults"}
        and (answer.status, document["status"], document["code"]) == (status, status, code)
        and known[code] == status
    )


# The hostile requests tried on BentoML 1.4.39 with no gate, where they got 200, 400 and 500.
HOSTILE: list[tuple[str, dict[str, Any], int]] = [
    ("pickle", {"body": PICKLE, "type": b"application/vnd.bentoml+pickle"}, 415),
    (
        "pickle, charset",
        {"body": PICKLE, "type": b"application/vnd.bentoml+pickle; charset=x"},
        415,
    ),
    ("pickle, capitals", {"body": PICKLE, "type": b"APPLICATION/VND.BENTOML+PICKLE"}, 415),
    ("two types in one", {"type": b"application/json, text/plain"}, 415),
    ("octets", {"body": PICKLE, "type": b"application/octet-stream"}, 415),
    ("plain text", {"type": b"text/plain"}, 415),
    ("xml", {"type": b"application/xml"}, 415),
    ("no type", {"type": None}, 415),
    ("another charset", {"type": b"application/json; charset=utf-16"}, 415),
    ("a form", {"body": b"request=%7B%7D", "type": b"application/x-www-form-urlencoded"}, 415),
    ("multipart", {"body": b"--x\r\n", "type": b"multipart/form-data; boundary=x"}, 415),
    ("no boundary", {"body": b"--x\r\n", "type": b"multipart/form-data"}, 415),
    ("2,000 parts", {"body": b"--x\r\n" * 2000, "type": b"multipart/form-data; boundary=x"}, 415),
    ("gzip", {"body": b"\x1f\x8b", "more": [(b"content-encoding", b"gzip")]}, 415),
    ("identity", {"more": [(b"content-encoding", b"identity")]}, 415),
    ("two types", {"more": [JSON]}, 400),
    ("two hosts", {"more": [HOST]}, 400),
    ("a payload container", {"body": PICKLE, "more": [(b"payload-container", b"x")]}, 400),
    ("buffer lengths", {"body": PICKLE, "more": [(b"buffer-lengths", b"1,2")]}, 400),
    ("a query", {"query": b"x=1"}, 400),
    ("malformed", {"body": b'{"a":'}, 400),
    ("bad UTF-8", {"body": b'{"a":"\xff"}'}, 400),
    ("100,000 levels", {"body": b"[" * 60_000}, 400),
    ("a key twice", {"body": GOOD[:-1] + b',"reference":"other"}'}, 400),
    ("NaN", {"body": GOOD.replace(b"0.1", b"NaN")}, 400),
    ("1e999", {"body": GOOD.replace(b"0.1", b"1e999")}, 400),
    ("no object", {"body": b"[]"}, 422),
    ("null", {"body": b"null"}, 422),
    ("a field beside", {"body": GOOD[:-1] + b',"evil":1}'}, 422),
    ("number as text", {"body": GOOD.replace(b"0.1", b'"0.1"')}, 422),
    ("true as number", {"body": GOOD.replace(b"0.1", b"true")}, 422),
    ("60 MB", {"body": b" " * 60_000_000}, 413),
    ("64 KiB and a byte", {"body": b" " * (SINGLE + 1)}, 413),
    ("an evil host", {"host": b"evil.example"}, 421),
    ("no host", {"host": None}, 421),
    ("a host like ours", {"host": b"localhost.evil.example"}, 421),
]


@pytest.mark.parametrize(("what", "sent", "status"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_no_hostile_request_gets_through(what: str, sent: dict[str, Any], status: int) -> None:
    headers = [(b"host", sent.get("host", b"localhost"))] if sent.get("host", b"x") else []
    kind = sent.get("type", b"application/json")
    headers += [(b"content-type", kind)] if kind is not None else []
    headers += sent.get("more", [])
    answer = ask(APP, "POST", "/v1/quotes", sent.get("body", GOOD), headers, sent.get("query", b""))
    assert answer.status == status
    assert is_problem(answer, status, answer.document["code"])


def test_the_gate_lets_the_good_request_through() -> None:
    assert ask(APP, "POST", "/v1/quotes", GOOD).status == 201


@pytest.mark.parametrize(
    "path",
    ["/", "/docs.json", "/healthz", "/static_content/x", "/v1", "/v1/quotes/", "/v1/quotes/x",
     "/v1/quotes/../../etc/passwd", "/quote/submit", "//livez", "/livez/"],
)  # fmt: skip
def test_there_is_nothing_at_any_other_address(path: str) -> None:
    assert is_problem(ask(APP, "GET", path), 404, "not_found")


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.method} {door.path}")
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_every_address_names_the_methods_it_takes(door: Any, method: str) -> None:
    path = address(door)
    answer = ask(APP, method, path)
    assert is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == ", ".join(door.methods)


@pytest.mark.parametrize("path", ["/livez", "/v1/model", "/nothing", "/v1/quotes"])
def test_every_answer_carries_the_security_headers(path: str) -> None:
    headers = ask(APP, "GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("host", [b"localhost", b"LOCALHOST:3000", b"[::1]", b"[::1]:3000"])
def test_allowed_hosts_may_carry_a_port(host: bytes) -> None:
    assert ask(APP, "GET", "/livez", headers=[(b"host", host)]).status == 200


def test_a_star_allows_any_host() -> None:
    app = gate(office(), hosts=frozenset({"*"}))
    assert ask(app, "GET", "/livez", headers=[(b"host", b"anything")]).status == 200


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (b"*/*", 200),
        (b"application/json", 200),
        (b"application/*;q=0.5", 200),
        (b"text/html, application/json;q=0.9", 200),
        (b"text/html", 406),
        (b"application/json;q=0", 406),
        (b"", 406),
    ],
)
def test_a_reply_is_sent_only_to_those_who_accept_json(accept: bytes, status: int) -> None:
    assert ask(APP, "GET", "/livez", headers=[HOST, (b"accept", accept)]).status == status


def test_metrics_are_text() -> None:
    answer = ask(APP, "GET", "/metrics", headers=[HOST, (b"accept", b"text/plain")])
    assert (answer.status, answer.headers["content-type"][:10]) == (200, "text/plain")


def test_a_body_may_come_in_pieces() -> None:
    pieces = [GOOD[:10], b"", GOOD[10:]]
    assert ask(APP, "POST", "/v1/quotes", chunks=pieces).status == 201


def test_pieces_are_counted() -> None:
    pieces = [b" " * 40_000, b" " * 40_000]
    assert is_problem(ask(APP, "POST", "/v1/quotes", chunks=pieces), 413, "body_too_large")


@pytest.mark.parametrize("announced", [str(SINGLE + 1).encode(), b"-1", b"x", b"1e3"])
def test_a_body_announced_too_large_is_not_read(announced: bytes) -> None:
    headers = [HOST, JSON, (b"content-length", announced)]
    assert is_problem(ask(APP, "POST", "/v1/quotes", b"", headers), 413, "body_too_large")


def test_a_batch_may_be_larger() -> None:
    padded = orjson.dumps({"quotes": [request(reference="x" * 90)] * 300})
    assert SINGLE < len(padded) < BATCH
    assert ask(APP, "POST", "/v1/quotes/batch", padded).status == 200


def test_a_body_that_does_not_come_in_time_is_refused() -> None:
    app = gate(office(), timeout_seconds=0.05)

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        async def nothing() -> Any:
            await asyncio.sleep(3600)

        await app(scope, nothing, send)

    assert is_problem(ask(never, "POST", "/v1/quotes", GOOD), 408, "request_timeout")


def test_an_answer_that_does_not_come_in_time_is_refused() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(3600)

    app = gate(office(), ours=slow, timeout_seconds=0.05)
    assert is_problem(ask(app, "POST", "/v1/quotes", GOOD), 504, "timed_out")


def test_a_surprise_shows_an_id_and_nothing_of_the_inside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = ask(APP, "POST", "/v1/quotes", request(project__city="Crash"))
    assert is_problem(answer, 500, "internal_error")
    assert b"secret" not in answer.body
    assert "e77" in answer.document["detail"]
    assert "e77" in caplog.text
    assert "a secret of the inside" in caplog.text


@pytest.mark.parametrize("path", ["/v1/quotes", "/v1/what-if"])
def test_a_model_that_gives_no_number_is_a_fault_of_ours_and_not_a_missing_model(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = ask(APP, "POST", path, request(project__city="Unfit"))
    assert is_problem(answer, 500, "internal_error")
    assert "Retry-After" not in answer.headers
    assert "margins must give a finite spread_bps" in caplog.text


def test_what_is_not_ours_goes_on_with_its_body_read() -> None:
    seen: list[bytes] = []
    read: list[Any] = []

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await receive())["body"])
        read.append(scope["state"]["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"theirs"})

    app = gate(office(), behind=behind)
    assert ask(app, "POST", "/quote", GOOD).body == b"theirs"
    assert (seen, read) == ([b"{}"], [json.loads(GOOD)])
    assert ask(app, "POST", "/quote", b"{").status == 400  # and is checked all the same


def test_websockets_are_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    asyncio.run(APP({"type": "websocket", "path": "/livez"}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_answers_are_counted_by_route_template_only() -> None:
    counted: list[Answered] = []
    app = gate(office(), observe=counted.append)
    ask(app, "GET", "/v1/quotes/017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    ask(app, "GET", "/nothing/at/all")
    ask(app, "BREW", "/livez")
    assert [(one.route, one.method, one.status, one.code) for one in counted] == [
        ("/v1/quotes/{quote_id}", "GET", 404, "quote_not_found"),
        ("unknown", "other", 404, "not_found"),
        ("unknown", "other", 405, "method_not_allowed"),
    ]


def test_every_door_is_found_by_its_path() -> None:
    for door in DOORS:
        path = address(door)
        assert door in doors_at(path)
