"""Servers for the tests: the wired parts in this process, and real processes, once a session."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.app import Server
from serving.client import Client
from serving.settings import Settings
from tests.serving import known_key, small_model

ROOT = Path(__file__).parents[2]
START_SECONDS = 90


@pytest.fixture(scope="session")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a verified model and no registry."""
    folder = tmp_path_factory.mktemp("var")
    small_model.write(folder / "models")
    known_key.write(folder)
    return folder


@pytest.fixture(scope="session")
def settings(var: Path) -> Settings:
    return Settings.read({"SEEDRATE_VAR": str(var), "SEEDRATE_TRACKING_URI": "off"})


@pytest.fixture(scope="session")
def server(settings: Settings) -> Iterator[Server]:
    """The wired parts with the small real model, without a socket."""
    made = Server.open(settings)
    assert made.ledger.wait_open(10)
    made.load()
    yield made
    made.close()


@contextmanager
def running(command: list[str], environ: Mapping[str, str], cwd: Path, log: Path) -> Iterator[str]:
    """Run a server process until the end of the block; yield its URL once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=cwd,
            env={**os.environ, "BENTOML_DO_NOT_TRACK": "True", **environ},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while "nobody answers" in Client(url).wait_ready(1):
        if process.poll() is not None or time.monotonic() > until:
            pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def process_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `var` of the process below."""
    home = tmp_path_factory.mktemp("process")
    small_model.write(home / "models")
    known_key.write(home)
    return home


@pytest.fixture(scope="session")
def process(process_home: Path) -> Iterator[str]:
    """A real `python -m serving start`, which is a real `bentoml serve`."""
    environ = {"SEEDRATE_VAR": str(process_home), "SEEDRATE_TRACKING_URI": "off"}
    command = [sys.executable, "-m", "serving", "start"]
    with running(command, environ, ROOT, process_home / "log") as url:
        yield url


@pytest.fixture(scope="session")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A built bento, served from another folder, whose `var` is named relative to that folder.

    Numba compiles nothing here: a fresh copy of the code would compile for half a minute.
    """
    home = tmp_path_factory.mktemp("bento")
    small_model.write(home / "var" / "models")
    known_key.write(home / "var")
    bentoml = [sys.executable, "-m", "bentoml"]
    environ = {
        "BENTOML_HOME": str(home / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "NUMBA_DISABLE_JIT": "1",
        "SEEDRATE_TRACKING_URI": "off",
    }
    subprocess.run(
        [*bentoml, "build", "--version", "test"],
        cwd=ROOT,
        env={**os.environ, **environ},
        check=True,
        capture_output=True,
    )
    with running([*bentoml, "serve", "seedrate:test"], environ, home, home / "log") as url:
        yield url
