"""A bank with a champion, and a real MLflow server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.bank import write_bank_data
from tests.training.desk import LOANS, OVERRIDE, Bank


@pytest.fixture(scope="session")
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start a real MLflow server on the loopback interface; it takes a while to answer."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "files")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield f"http://127.0.0.1:{port}", folder / "log"
        finally:
            with suppress(ProcessLookupError):  # it never came up
                os.killpg(process.pid, signal.SIGTERM)  # the server's own children too
            process.wait(timeout=60)


@pytest.fixture(scope="session")
def server(starting: tuple[str, Path]) -> str:
    """Return the address of the server, which answers by now."""
    address, log = starting
    _wait(f"{address}/health", log)
    return address


def _wait(address: str, log: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """Return a bank with one version, promoted."""
    folder = tmp_path_factory.mktemp("bank")
    write_bank_data(folder, rows=LOANS)
    bank = Bank(folder, {"SEEDRATE_VAR": str(folder / "var"), "COLUMNS": "200"})
    bank.fits()
    bank.did("promote", "--reason", "the first", *OVERRIDE)
    return bank
