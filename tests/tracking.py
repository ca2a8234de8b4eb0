"""A real MLflow server of a test, on the loopback interface, as long as a block."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 240  # of a machine that is busy; else 10
LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # seven processes of which no test asks


@contextmanager
def starting(folder: Path) -> Iterator[str]:
    """Yield the address of a server that keeps all in a folder; it takes a while to answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{folder / 'server.db'}"]
    command += ["--artifacts-destination", str(folder / "files")]
    with log_of(folder).open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **LEAN},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(ProcessLookupError):  # it never came up
                os.killpg(process.pid, signal.SIGKILL)  # its children too; nothing of it is kept
            process.wait()


def answering(address: str, folder: Path) -> str:
    """Return the address of a server once it answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):
                return address
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log_of(folder).read_text())


def log_of(folder: Path) -> Path:
    """Return what a server says."""
    return folder / "log"
