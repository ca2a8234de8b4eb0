from __future__ import annotations

import os
from threading import Event, Timer
from time import monotonic

import pytest

from serving import child

NICENESS = ["timeit", "-n1", "-r1", "-s", "import os, time; time.sleep(0.5)", "print(os.nice(0))"]
SLEEPS = ["timeit", "-n1", "-r1", "-s", "import time", "time.sleep(60)"]


def test_a_child_gives_way_to_whoever_has_callers_waiting() -> None:
    done = child.run(NICENESS, environ=os.environ, seconds=60, ending=Event())
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "19"


def test_a_child_ends_when_its_time_is_up_or_the_server_ends() -> None:
    began, ending = monotonic(), Event()
    with pytest.raises(TimeoutError):
        child.run(SLEEPS, environ=os.environ, seconds=1, ending=ending)
    Timer(0.5, ending.set).start()
    with pytest.raises(TimeoutError):
        child.run(SLEEPS, environ=os.environ, seconds=60, ending=ending)
    assert monotonic() - began < 30
