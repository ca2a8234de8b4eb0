"""What every test may ask for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

# Before numpy, LightGBM or torch is imported: on two cores, threads that wait for each other make
# the suite five times as slow, and pytest-xdist already uses the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest  # the line above must come first

ROOT = Path(__file__).resolve().parent.parent
LONGEST_SECONDS = 600


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Let a test fail that never ends, its fixtures too: a browser may wait for itself."""

    def stop(*_: object) -> NoReturn:
        raise TimeoutError(f"a test must end within {LONGEST_SECONDS} s, however: it has not")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST_SECONDS)
    try:
        return (yield)
    finally:
        signal.alarm(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real loans: SEEDRATE_DATA, else ../shared/data beside the checkout."""
    named = os.environ.get("SEEDRATE_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: set SEEDRATE_DATA to its folder, however: {folder}")
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small model of simulated projects; read it, never write to it."""
    from features.book import read_book
    from features.sets import load
    from features.simulate import write
    from training.fit import fit
    from training.options import Options
    from training.trees import Trees

    folder = tmp_path_factory.mktemp("model")
    write(folder / "data.parquet", 3000, 0)
    small = Options(
        default=Trees(2, 40, 3, 0.2),
        depths=(3,),
        exit=Trees(1, 20, 2, 0.2),
        lgd=Trees(1, 20, 2, 0.2),
        background=500,
    )
    fit(read_book(folder / "data.parquet", load("early_stage")), small).write(folder / "model")
    return folder / "model"
