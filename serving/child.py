"""A module of ours in a process of its own, with a time limit, that ends when we do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic

ROOT = Path(__file__).parent.parent
LOOK_SECONDS = 0.5  # between two looks whether we are to end
NICER = 19  # than the server, which has callers waiting: as much as there is


def run(
    arguments: list[str],
    *,
    environ: Mapping[str, str],
    seconds: float,
    ending: Event,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m arguments` and return how it ended, with what it said.

    Args:
        arguments: the module and its own.
        environ: what it finds in its environment.
        seconds: after which it is killed.
        ending: kills it too.

    Raises:
        TimeoutError: it took too long, or was not wanted any more.
    """
    until = monotonic() + seconds
    with subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        with suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, NICER)
        while True:
            try:
                said, failed = process.communicate(timeout=LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if monotonic() < until and not ending.is_set():
                    continue
                process.kill()
                raise TimeoutError(f"it took longer than {seconds:g} s") from None
            return subprocess.CompletedProcess(arguments, process.returncode, said, failed)
