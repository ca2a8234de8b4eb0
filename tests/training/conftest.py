"""A bank with a champion, and a real MLflow server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tracking
from tests.bank import write_bank_data
from tests.training.desk import LOANS, OVERRIDE, Bank


@pytest.fixture(scope="session")
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Start a real MLflow server; it takes a while to answer."""
    folder = tmp_path_factory.mktemp("server")
    with tracking.starting(folder) as address:
        yield address, folder


@pytest.fixture(scope="session")
def server(starting: tuple[str, Path]) -> str:
    """Return the address of the server, which answers by now."""
    return tracking.answering(*starting)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """Return a bank with one version, promoted."""
    folder = tmp_path_factory.mktemp("bank")
    write_bank_data(folder, rows=LOANS)
    bank = Bank(folder, {"SEEDRATE_VAR": str(folder / "var"), "COLUMNS": "200"})
    bank.fits()
    bank.did("promote", "--reason", "the first", *OVERRIDE)
    return bank
