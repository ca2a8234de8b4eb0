"""A real PostgreSQL for the tests, started once a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving.ledger.cluster import Cluster, binaries, running


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster, or a skip that says what is missing."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server: deploy/postgresql.sh installs Debian's")
    with running(programs) as made:
        yield made


@pytest.fixture
def database(cluster: Cluster) -> str:
    """The URL of a fresh, empty database."""
    return cluster.database()
