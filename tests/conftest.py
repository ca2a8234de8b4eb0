"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

# Before numpy, LightGBM or torch is imported: on two cores, threads that wait for each other make
# the suite five times as slow, and pytest-xdist already uses the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest  # noqa: E402  # the line above must come first

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real loans: SEEDRATE_DATA, else ../shared/data beside the checkout."""
    named = os.environ.get("SEEDRATE_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: set SEEDRATE_DATA to its folder, however: {folder}")
    return folder
