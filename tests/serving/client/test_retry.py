"""What a client sends again, when, and for how long: against a server that answers as told."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

import pytest

from pricing.errors import Fault, InputError
from serving import problem
from serving.client import Client, NoAnswerError, ProblemError
from serving.client.patience import LONGEST_SECONDS, Patience
from serving.problem import Problem, RefusedError
from tests.conftest import ROOT
from tests.serving.client.canned import Answer, answering

GIVEN = Answer(201, b'{"quote_id":"1"}')


@dataclass
class Clock:
    """Time that passes only while somebody sleeps."""

    time: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def patience(self, seconds: float = 60.0) -> Patience:
        return Patience(seconds, lambda: self.time, self.sleep, lambda _, most: most)


def refusal(kind: Problem, headers: Mapping[str, str] | None = None) -> Answer:
    refused = RefusedError(kind, "for a test", headers=headers)
    return Answer(kind.status, refused.body(), refused.headers)


@pytest.mark.parametrize(
    "failure",
    [
        refusal(problem.TOO_MANY_REQUESTS),
        refusal(problem.NOT_RECORDED),
        refusal(problem.TIMED_OUT),
        refusal(problem.KEY_IN_USE),
        Answer(502, b"<html>Bad Gateway</html>"),
    ],
)
def test_what_passes_is_asked_again_with_the_same_key_and_bytes(failure: Answer) -> None:
    with answering([failure, failure, GIVEN]) as (url, asked):
        with Client(url, patience=Clock().patience()) as client:
            quote = client.quote({"project": {"sector": "半导体"}})
    assert (quote.quote_id, len(asked), len(set(asked))) == ("1", 3, 1)
    assert asked[0].key == quote.key
    assert "半导体".encode() in asked[0].body


@pytest.mark.parametrize(
    "kind",
    [one for one in problem.PROBLEMS if one.status < 429 and one is not problem.KEY_IN_USE]
    + [problem.INTERNAL_ERROR],
)
def test_what_would_be_refused_again_is_asked_once(kind: Problem) -> None:
    with answering([refusal(kind), GIVEN]) as (url, asked):
        with Client(url, patience=Clock().patience()) as client:
            with pytest.raises(ProblemError) as refused:
                client.quote({})
    assert (refused.value.code, refused.value.status, len(asked)) == (kind.code, kind.status, 1)


def test_retry_after_is_waited_for_and_the_pauses_grow_to_a_bound() -> None:
    busy, clock = refusal(problem.OVERLOADED, {"Retry-After": "7"}), Clock()
    with answering([busy, *[refusal(problem.OVERLOADED)] * 9, GIVEN]) as (url, _):
        with Client(url, patience=clock.patience(1000)) as client:
            client.quote({})
    assert clock.slept[:3] == [7.2, 0.4, 0.8]
    assert clock.slept[-1] == LONGEST_SECONDS


def test_a_pause_is_drawn_from_its_whole_range() -> None:
    drawn: list[tuple[float, float]] = []
    patience = Patience(9, lambda: 0.0, lambda _: None, lambda *r: drawn.append(r) or 0.0)  # type: ignore[func-returns-value]  # append gives None, and None means 0
    assert patience.pause(3, 9, 0)
    assert drawn == [(0, 1.6)]


def test_patience_ends_and_the_last_refusal_is_told() -> None:
    clock = Clock()
    with answering([refusal(problem.NOT_READY, {"Retry-After": "5"})]) as (url, asked):
        with Client(url, patience=clock.patience(12)) as client:
            with pytest.raises(ProblemError, match="not_ready"):
                client.quote({})
    assert (len(asked), clock.time <= 12) == (3, True)


def test_nobody_there_names_the_key_under_which_to_ask_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        client = Client(f"http://127.0.0.1:{taken.getsockname()[1]}", patience=Patience(0.3))
        with pytest.raises(NoAnswerError, match="key mine") as error:
            client.quote({}, key="mine")
        assert error.value.key == "mine"
        assert "nobody answers" in client.wait_ready(0)


def test_a_refusal_names_every_field() -> None:
    faults = [Fault("project.a", "above 0", "-1"), Fault("instrument.kind", "known", "'x'")]
    refused = RefusedError(problem.INVALID_INPUT, "two", faults=faults)
    with answering([Answer(422, refused.body())]) as (url, _), Client(url) as client:
        with pytest.raises(ProblemError) as error:
            client.what_if({})
    assert [one.field for one in error.value.faults] == ["project.a", "instrument.kind"]
    assert "project.a must be above 0, however: -1" in str(error.value)


def test_each_attempt_asks_for_a_fresh_token() -> None:
    tokens = count(1)
    with answering([refusal(problem.OVERLOADED), GIVEN]) as (url, asked):
        with Client(url, lambda: f"t{next(tokens)}", Clock().patience()) as client:
            client.quote({})
    assert [one.credential for one in asked] == ["Bearer t1", "Bearer t2"]


def test_a_client_does_not_show_its_key_and_takes_it_nowhere_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    elsewhere = Answer(302, b"", {"Location": "/stolen"})
    with answering([elsewhere]) as (url, asked):
        with Client(url, "sr_live_secret") as client:
            with pytest.raises(ProblemError, match="http_302") as refused:
                client.get("/moved")
    assert [one.path for one in asked] == ["/moved"]
    assert caplog.text
    for text in (repr(client), str(refused.value), repr(vars(refused.value)), caplog.text):
        assert "secret" not in text


def test_an_address_must_be_one() -> None:
    with pytest.raises(InputError, match="URL"):
        Client("ftp://example")


def test_a_caller_loads_neither_models_nor_the_server() -> None:
    code = "import sys, serving.client; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tops = {name.split(".")[0] for name in loaded.split()}
    assert {"httpx", "cryptography"} <= tops
    assert not tops & {"numpy", "numba", "lightgbm", "mlflow", "bentoml", "starlette", "pydantic"}
