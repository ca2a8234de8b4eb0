"""The same doors through a real `bentoml serve`, and through a built bento."""

from __future__ import annotations

import gc
import http.client
import json
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import uuid4

import bentoml
import psutil
import pytest
from bentoml.exceptions import BentoMLException

from serving.client import Client
from serving.doors import DOORS
from tests.serving import known_key
from tests.serving.conftest import ROOT, running
from tests.serving.http import address
from tests.serving.known_key import KEY

GOOD = (ROOT / "examples" / "good.json").read_bytes()


def call(
    url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Message, bytes]:
    sent = {"Content-Type": "application/json"} if headers is None and body else (headers or {})
    sent = {"Idempotency-Key": str(uuid4()), **sent} if body else sent
    credential = {"Authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(url, body, {**credential, **sent})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.fixture(params=["process", "bento"])
def url(request: pytest.FixtureRequest) -> str:
    served: str = request.getfixturevalue(request.param)
    return served


def test_a_quote_is_given_and_found_again_byte_for_byte(url: str) -> None:
    status, headers, body = call(f"{url}/v1/quotes", GOOD)
    assert status == 201
    assert call(url + headers["Location"])[2] == body
    assert json.loads(body)["model"]["version"] == "7"


# bentoml's client leaves its temporary folder to the collector
@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
def test_bentomls_own_client_gets_the_same_quote(url: str) -> None:
    ours = json.loads(call(f"{url}/v1/what-if", GOOD)[2])
    with bentoml.SyncHTTPClient(url, token=KEY) as client:
        theirs = client.quote(json.loads(GOOD))
        with pytest.raises(BentoMLException, match="422"):
            client.quote({"project": {}})
    del client
    gc.collect()
    assert theirs["explanation"] == ours["explanation"]
    assert theirs["recorded"]


def test_bentomls_own_pages_are_hidden(url: str) -> None:
    for path in ("/", "/docs.json", "/healthz", "/static_content/swagger-ui.css", "/metrics/"):
        status, headers, _ = call(url + path)
        assert (status, headers["Content-Type"]) == (404, "application/problem+json")


def test_both_ways_to_serve_have_every_door(url: str) -> None:
    for door in DOORS:
        path = address(door)
        status, _, body = call(url + path, b"{}" if door.method == "POST" else None)
        expected = {"POST": 422, "GET": 404 if "{" in door.path else 200}[door.method]
        assert status == expected, body


def test_bentomls_door_refuses_in_our_words(url: str) -> None:
    for path in ("/quote", "/v1/quotes"):
        for headers, status in (
            ({"Content-Type": "application/vnd.bentoml+pickle"}, 415),
            ({"Content-Type": "application/json", "Host": "evil.example"}, 421),
        ):
            answer = call(url + path, GOOD, headers)
            assert (answer[0], answer[1]["Content-Type"]) == (status, "application/problem+json")


def test_bentomls_door_reads_a_body_as_ours_does(process: str) -> None:
    for number in ("18446744073709551616", "1" + 400 * "0"):  # beyond 64 bits; beyond a double
        body = GOOD.replace(b'"rd_to_opex"', b'"other": %s, "rd_to_opex"' % number.encode(), 1)
        ours, theirs = (call(process + path, body) for path in ("/v1/quotes", "/quote"))
        assert (theirs[0], theirs[2]) == (ours[0], ours[2])
        assert ours[0] in {400, 422}


@pytest.mark.parametrize("body", [b"[]", b"[{}]", b"1", b"1e3", b'"text"', b"null", b"true"])
def test_a_body_that_is_no_object_is_refused_in_the_same_words(url: str, body: bytes) -> None:
    said = json.dumps(json.loads(body), separators=(",", ":"))
    for door in (door for door in DOORS if door.most_bytes):
        wanted = "an object with quotes, a list" if "batch" in door.path else "an object with proj"
        status, headers, answer = call(url + door.path, body)
        assert (status, headers["Content-Type"]) == (422, "application/problem+json"), door.path
        (fault,) = json.loads(answer)["faults"]
        assert (fault["field"], fault["given"]) == ("body", said)
        assert fault["expected"].startswith(wanted)
        assert json.loads(answer)["detail"].startswith(f"body must be {wanted}")


def test_a_term_beyond_the_model_is_refused_under_the_callers_name(process: str) -> None:
    body: dict[str, Any] = json.loads(GOOD)
    body["instrument"]["term_months"] = 240
    status, _, answer = call(f"{process}/v1/quotes", json.dumps(body).encode())
    assert status == 422
    assert json.loads(answer)["faults"][0]["field"] == "instrument.term_months"


def test_metrics_name_routes_and_never_paths(process: str) -> None:
    call(f"{process}/v1/quotes", GOOD)
    call(f"{process}/some/path")
    text = call(f"{process}/metrics")[2].decode()
    assert 'route="/v1/quotes",status="201"' in text
    assert 'stage="price"' in text
    assert 'seedrate_model_info{digest="' in text
    assert "/some/path" not in text


def test_no_mlflow_no_torch_and_no_lightgbm_in_the_serving_process(process: str) -> None:
    loaded = [file.path for file in worker(process).memory_maps()]
    assert any("/numba/" in path for path in loaded)
    foreign = ("/torch/lib/", "/mlflow/", "/lightgbm/", "/sklearn/")
    assert not [path for path in loaded if any(name in path for name in foreign)]


def test_without_a_model_the_server_lives_and_says_what_to_do(tmp_path: Path) -> None:
    known_key.write(tmp_path)
    environ = {"SEEDRATE_VAR": str(tmp_path), "SEEDRATE_TRACKING_URI": "off"}
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Seedrate"]
    with running(command, environ, ROOT, tmp_path / "log") as url:
        assert call(f"{url}/livez")[0] == 200
        for path, body in (("/readyz", None), ("/v1/quotes", GOOD), ("/quote", GOOD)):
            status, headers, answer = call(url + path, body)
            assert (status, headers["Retry-After"]) == (503, "5")
            assert "python -m training fit" in json.loads(answer)["detail"]


def test_what_was_acknowledged_survives_the_worker(process: str) -> None:
    given = [call(f"{process}/v1/quotes", GOOD) for _ in range(20)]
    worker(process).kill()
    assert Client(process).wait_ready(60) == ""
    for _, headers, body in given:
        assert call(process + headers["Location"])[2] == body
    assert call(f"{process}/v1/quotes", GOOD)[0] == 201


def test_a_thousand_retries_across_a_crash_get_one_quote(process: str) -> None:
    key = {"Content-Type": "application/json", "Idempotency-Key": str(uuid4())}
    struck = threading.Event()

    def patient(number: int) -> bytes:
        if number == 500 and not struck.is_set():
            struck.set()
            worker(process).kill()
        while True:
            with suppress(OSError, http.client.HTTPException):
                status, _, body = call(f"{process}/v1/quotes", GOOD, key)
                if status == 201:
                    return body
            time.sleep(0.05)

    with ThreadPoolExecutor(50) as callers:
        bodies = set(callers.map(patient, range(1000)))
    assert len(bodies) == 1


def worker(url: str) -> psutil.Process:
    """Return the process that answers at a URL."""
    port = url.rpartition(":")[2]
    (found,) = [
        one
        for one in psutil.process_iter(["cmdline"])  # others may end meanwhile
        if "_bentoml_impl.worker.service" in (one.info["cmdline"] or [])
        and port in (one.parent() or one).cmdline()
    ]
    return found
