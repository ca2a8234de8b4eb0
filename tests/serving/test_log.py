from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from serving.access.caller import LOCAL
from serving.answered import Answered
from serving.gauges import Gauges
from serving.log import Lines, RequestLog, install
from tests.conftest import ROOT
from tests.serving import small_model
from tests.serving.conftest import running
from tests.serving.fakes import REQUEST
from tests.serving.http import HOST, JSON, ask, gate, office
from tests.serving.known_key import KEY, write
from tests.serving.test_service import GOOD, call

FEATURE = "canary-feature-7319"
FORGED = "sr_live_canaryxx_" + "Q" * 43 + "_deadbeef"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJjYW5hcnkiOiI3MzE5In0.Y2FuYXJ5LXNpZ25hdHVyZQ"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Return what is logged as JSON while the test runs."""
    stream, log = io.StringIO(), logging.getLogger("seedrate")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines(json=True))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield stream
    log.removeHandler(handler)
    log.setLevel(level)


def read(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_an_uncaught_error_is_logged_under_the_id_the_caller_got(lines: io.StringIO) -> None:
    crash = REQUEST | {"project": REQUEST["project"] | {"city": "Crash"}}
    app = gate(office(), observe=RequestLog(0).note)
    sent = [HOST, JSON, (b"x-request-id", b"mine-1")]
    answer = ask(app, "POST", "/v1/quotes", crash, sent)
    assert (answer.status, answer.headers["x-request-id"]) == (500, "mine-1")
    error, line = read(lines)
    assert error["error_id"] in answer.document["detail"]
    assert {error["request_id"], line["request_id"]} == {"mine-1"}
    assert (line["route"], line["status"], line["code"]) == ("/v1/quotes", 500, "internal_error")
    assert error["errors"][0]["type"] == "ZeroDivisionError"
    assert "quote_checked" in error["errors"][0]["at"][-1]
    assert "a secret of the inside" not in lines.getvalue()


def test_an_error_that_speaks_of_the_disk_keeps_its_words(lines: io.StringIO) -> None:
    try:
        raise OSError(28, "No space left on device")
    except OSError:
        logging.getLogger("seedrate.test").exception("at postgresql://me:pw@db/x with %s", FORGED)
    (line,) = read(lines)
    assert "No space left" in line["errors"][0]["message"]
    assert line["message"] == "at postgresql://[struck out]@db/x with [struck out]"


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.1, 10), (1.0, 100)])
def test_a_share_of_the_answers_is_logged_and_every_error_of_ours(
    lines: io.StringIO, share: float, count: int
) -> None:
    log = RequestLog(share)
    for status in [201] * 60 + [422] * 40:
        log.note(Answered("POST", "/v1/quotes", status))
    assert abs(len(read(lines)) - count) <= 1
    log.note(Answered("POST", "/v1/quotes", 503))
    assert read(lines)[-1]["status"] == 503


@pytest.mark.parametrize("given", [b"a b", b"x" * 65, b"\xff", FORGED.encode(), b'"}'])
def test_what_can_be_no_request_id_is_replaced(given: bytes) -> None:
    answer = ask(gate(office()), "GET", "/livez", headers=[HOST, (b"x-request-id", given)])
    assert answer.headers["x-request-id"].encode() != given


def test_every_answer_has_an_id_of_its_own_also_a_refusal() -> None:
    app = gate(office())
    answers = [ask(app, "GET", path, headers=[HOST]) for path in ("/livez", "/nothing", "/livez")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


def test_missing_inputs_and_prices_are_counted(server: Any) -> None:
    asked = orjson.loads(GOOD)
    del asked["project"][next(iter(asked["project"]))]
    before = server.gauges.text().decode()
    asyncio.run(server.quote(asked, LOCAL, None))
    told = server.gauges.text().decode()
    counts = {place: (came, gone) for place, came, gone in server.gauges.intake.counts()}
    columns = small_model.COLUMN_SET.asked
    assert set(counts) == {(column.group, column.source) for column in columns}
    quotes = sum(came for came, _ in counts.values()) / len(columns)
    missing = sum(asked["project"].get(column.name) is None for column in columns)
    assert sum(gone for _, gone in counts.values()) >= missing == 1
    assert quotes == int(quotes) >= 1
    assert before != told
    assert 'seedrate_price_bps_count{figure="spread_bps",instrument="term_loan"}' in told


def test_no_secret_and_no_input_is_in_anything_a_real_server_writes(tmp_path: Path) -> None:
    var = tmp_path / "var"
    small_model.write(var / "models")
    write(var)
    environ = {"SEEDRATE_VAR": str(var), "SEEDRATE_TRACKING_URI": "off", "SEEDRATE_LOG_SHARE": "1"}
    asked = orjson.loads(GOOD)
    asked["reference"] = FEATURE
    wrong = orjson.loads(GOOD)
    wrong["project"] = {FEATURE: FEATURE}
    bad = b'{"project": "' + FEATURE.encode()
    told = []
    with running(
        [sys.executable, "-m", "serving", "start"], environ, ROOT, tmp_path / "log"
    ) as url:
        for path in ("/v1/quotes", "/quote", "/v1/what-if", "/v1/quotes/batch"):
            for body in (orjson.dumps(asked), orjson.dumps(wrong), bad):
                for credential in (KEY, FORGED, TOKEN):
                    sent = {"Content-Type": "application/json", "Cookie": f"k={FORGED}",
                            "X-Api-Key": FORGED, "X-Request-ID": FORGED, "traceparent": TOKEN,
                            "Authorization": f"Bearer {credential}"}  # fmt: skip
                    told.append(call(url + path, body, sent)[2])
            told.append(call(f"{url}{path}?key={FORGED}&t={quote(TOKEN)}", GOOD)[2])
        told.append(call(f"{url}/{FORGED}")[2])
        metrics = call(f"{url}/metrics")[2]
    log = (tmp_path / "log").read_bytes()
    events = [json.loads(line) for line in log.splitlines() if line.startswith(b"{")]
    assert len([one for one in events if one.get("route")]) > 30
    places = {"the log": log, "metrics": metrics, "audit": (var / "audit.jsonl").read_bytes()}
    for where, text in places.items():
        for secret in (KEY, FORGED, TOKEN, FEATURE, "Q" * 43):
            assert secret.encode() not in text, f"{secret} in {where}"
    for secret in (KEY, FORGED, TOKEN):
        assert not [body for body in told if secret.encode() in body]


def test_a_log_that_is_installed_takes_over_from_bentoml() -> None:
    root = logging.getLogger()
    names = ("bentoml", "circus", "uvicorn", "uvicorn.error", "seedrate")
    before = (root.handlers, [(n, logging.getLogger(n)) for n in names])
    kept = {n: (one.handlers, one.propagate, one.level) for n, one in before[1]}
    stream = io.StringIO()
    try:
        install("json", stream)
        logging.getLogger("bentoml").error("one of theirs with %s", FORGED)
    finally:
        logging.captureWarnings(capture=False)
        root.handlers = before[0]
        for name, one in before[1]:
            one.handlers, one.propagate, one.level = kept[name]
    assert json.loads(stream.getvalue())["message"] == "one of theirs with [struck out]"


def test_an_empty_gauge_has_a_text() -> None:
    assert b"seedrate_ready 0.0" in Gauges().text()
