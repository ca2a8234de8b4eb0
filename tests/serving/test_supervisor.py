from __future__ import annotations

import subprocess
import sys

import pytest

from tests.serving.conftest import ROOT

DELAY = (
    "from bentoml._internal.utils.circus import create_standalone_arbiter\n"
    "print(create_standalone_arbiter([]).ctrl.check_delay)"
)
ATTENDED = "from serving.supervisor import attend; attend()\n" + DELAY


@pytest.mark.parametrize(("program", "milliseconds"), [(DELAY, 10_000.0), (ATTENDED, 250.0)])
def test_bentoml_looks_at_its_workers_as_often_as_we_say(program: str, milliseconds: float) -> None:
    """In a process of its own, for it changes Circus."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(done.stdout.splitlines()[-1]) == milliseconds
