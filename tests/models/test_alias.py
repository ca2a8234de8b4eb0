"""What an alias names, asked without MLflow: its answers, and those of others."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from models import alias
from pricing.errors import InputError
from tests.loopback import listening

VERSION = {
    "model_version": {
        "name": "seedrate",
        "version": "3",
        "run_id": "r",
        "tags": [{"key": "digest", "value": "ab"}, {"key": "signed.champion", "value": "{}"}],
    }
}


@contextmanager
def answering(status: int, body: Any, seen: list[Any]) -> Iterator[str]:
    """A server that gives one answer, and notes who asked for what."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            seen.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    with listening(Handler) as url:
        yield url


def test_a_version_is_read_with_its_tags() -> None:
    seen: list[Any] = []
    with answering(200, VERSION, seen) as url:
        found = alias.named(f"{url}/", "seedrate", "champion", {})
    assert found is not None
    assert (found.number, found.tags["digest"], found.signed("champion")) == ("3", "ab", "{}")
    assert seen == [(f"{alias.PATH}?name=seedrate&alias=champion", None)]


def test_the_credential_is_mlflows_own_and_goes_nowhere_else() -> None:
    seen: list[Any] = []
    basic = base64.b64encode(b"me:secret").decode()
    environ = {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "secret"}
    with answering(302, b"", seen) as url:
        for uri, said in ((url, environ), (url.replace("//", "//me:secret@"), {})):
            with pytest.raises(InputError) as error:
                alias.named(uri, "seedrate", "champion", said)
            assert "secret" not in str(error.value)
        with pytest.raises(InputError):
            alias.named(url, "seedrate", "champion", {"MLFLOW_TRACKING_TOKEN": "t"})
    assert [who for _, who in seen] == [f"Basic {basic}", f"Basic {basic}", "Bearer t"]
    assert {path.partition("?")[0] for path, _ in seen} == {alias.PATH}


def test_an_alias_that_names_nothing_is_no_failure() -> None:
    for status, code in ((404, "RESOURCE_DOES_NOT_EXIST"), (400, "INVALID_PARAMETER_VALUE")):
        with answering(status, {"error_code": code}, []) as url:
            assert alias.named(url, "seedrate", "champion", {}) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"error_code": "PERMISSION_DENIED"}),
        (404, b"nothing here"),
        (500, b""),
        (200, b"<html>"),
        (200, []),
        (200, {"model_version": None}),
        (200, {"model_version": {"version": "1", "tags": ["x"]}}),
    ],
)
def test_any_other_answer_is_a_registry_that_does_not_answer(status: int, body: Any) -> None:
    with answering(status, body, []) as url, pytest.raises(InputError, match="MLflow registry"):
        alias.named(url, "seedrate", "champion", {})


def test_a_database_that_is_gone_or_another_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        alias.named(f"sqlite:///{tmp_path / 'gone.db'}", "seedrate", "champion", {})
    assert not (tmp_path / "gone.db").exists()
    (tmp_path / "other.db").touch()
    with pytest.raises(InputError):
        alias.named(f"sqlite:///{tmp_path / 'other.db'}", "seedrate", "champion", {})


def test_nobody_listens() -> None:
    with pytest.raises(InputError):
        alias.named("http://127.0.0.1:9", "seedrate", "champion", {})
