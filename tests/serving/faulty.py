"""Servers that tests maltreat, and what is asked of them afterwards."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.serving import known_key, small_model
from tests.serving.conftest import ROOT, running
from tests.serving.test_service import GOOD, call

TIMEOUT_SECONDS = 2.0
BUSY_SECONDS = 30.0  # where 1 s or 5 s are asked on a machine that is not busy


def preloaded(source: Path, home: Path) -> str:
    """Compile a C file whose functions stand in for the system's; return what LD_PRELOAD says."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    library = home / f"{source.stem}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return str(library)


@contextmanager
def served(home: Path, **more: str) -> Iterator[str]:
    """Run a server with a home of its own."""
    small_model.write(home / "models")
    known_key.write(home)
    environ = {
        "SEEDRATE_VAR": str(home),
        "SEEDRATE_TRACKING_URI": "off",
        "SEEDRATE_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS),
        **more,
    }
    with running([sys.executable, "-m", "serving", "start"], environ, ROOT, home / "log") as url:
        until_ready(url)
        yield url


def until(happens: Callable[[], bool], seconds: float = BUSY_SECONDS) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)


def until_ready(url: str) -> None:
    until(lambda: call(f"{url}/readyz")[0] == 200)


def quoted(url: str) -> bytes:
    """Return a quote from a server that may need a moment to recover."""
    answers: list[bytes] = []

    def gives() -> bool:
        try:
            status, _, body = call(f"{url}/v1/quotes", GOOD)
        except (URLError, ConnectionError):
            return False
        assert status in {201, 503}
        answers.append(body)
        return status == 201

    until(gives)
    return answers[-1]


def recorded(home: Path) -> set[str]:
    with closing(sqlite3.connect(f"file:{home}/ledger.db?mode=ro", uri=True)) as database:
        return {row[0] for row in database.execute("SELECT quote_id FROM entry")}
