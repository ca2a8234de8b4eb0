"""A real PostgreSQL in a folder of its own, run by somebody who is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import glob
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import psycopg

NUMBERS = count()


@dataclass
class Cluster:
    """A running server, which can be stopped and started."""

    binaries: Path
    folder: Path
    user: dict[str, Any]  # of subprocess, for a server that refuses to run as root
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def make(self) -> None:
        command = [str(self.binaries / "initdb"), "-D", str(self.data), "-U", "postgres"]
        command += ["-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-instructions"]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **self.user)

    def start(self) -> None:
        command = [str(self.binaries / "postgres"), "-D", str(self.data)]
        command += ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self.folder}"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, **self.user
            )
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(psycopg.OperationalError), psycopg.connect(self.url()):
                return
            time.sleep(0.1)
        raise RuntimeError((self.folder / "log").read_text())

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stop, with everybody connected."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        """Kill the postmaster; what it had started goes by itself."""
        children = self.processes()[1:]
        self.stop(signal.SIGKILL)
        psutil.wait_procs(children, timeout=30)

    def freeze(self) -> None:
        """Let it take what is sent, and answer nothing."""
        for one in self.processes():
            one.suspend()

    def thaw(self) -> None:
        """Let it answer again."""
        for one in self.processes():
            one.resume()

    def processes(self) -> list[psutil.Process]:
        """Return what runs, the postmaster first."""
        assert self.process is not None
        postmaster = psutil.Process(self.process.pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def database(self) -> str:
        """Return the URL of a fresh, empty database."""
        name = f"ledger_{next(NUMBERS)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


def binaries() -> Path | None:
    """Return where a server's programs are; None if there is none."""
    found = [Path(path).parent for path in sorted(glob("/usr/lib/postgresql/*/bin/initdb"))]
    beside = shutil.which("initdb")
    found += [Path(beside).resolve().parent] if beside else []
    return found[-1] if found else None


@contextmanager
def running(programs: Path) -> Iterator[Cluster]:
    """Run a cluster for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="seedrate-pg-") as name:
        made = Cluster(programs, Path(name), nobody(Path(name)))
        made.make()
        made.start()
        try:
            yield made
        finally:
            made.stop(signal.SIGQUIT)  # at once: nothing of it is needed any more


def nobody(folder: Path) -> dict[str, Any]:
    """Return how to run as somebody else than root, who then owns the folder."""
    if os.geteuid() != 0:
        return {}
    try:
        own = pwd.getpwnam("postgres")
    except KeyError:
        own = pwd.getpwnam("nobody")
    os.chown(folder, own.pw_uid, own.pw_gid)
    return {"user": own.pw_uid, "group": own.pw_gid, "extra_groups": []}
