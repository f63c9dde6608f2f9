"""A store without a server around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.runs import open_run
from tests.support.postgresql import Cluster
from tests.support.probing import hello


@pytest.fixture(params=["sqlite", "postgresql"])
def store_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | URL:
    """Where an empty store is made: in a folder, and in a data base of PostgreSQL."""
    if request.param == "sqlite":
        return tmp_path
    cluster: Cluster = request.getfixturevalue("postgresql")
    return cluster.database()


@pytest.fixture
def store(store_place: Path | URL) -> Iterator[Store]:
    """An empty store."""
    store = Store(store_place)
    yield store
    store.close()


@pytest.fixture
def connection(store: Store) -> Iterator[Connection]:
    """A transaction in an empty store."""
    with store.write() as connection:
        yield connection


@pytest.fixture
def opened(connection: Connection, run: str) -> str:
    """A run of two parameters, in the transaction."""
    open_run(connection, Hello.model_validate(hello(run)), 1.0)
    return run


@pytest.fixture
def open_with(connection: Connection, run: str) -> Callable[[int], str]:
    """Opens a run of so many parameters, in the transaction."""

    def open_run_of(count: int) -> str:
        names = [f"p{place}" for place in range(count)]
        open_run(connection, Hello.model_validate(hello(run, names)), 1.0)
        return run

    return open_run_of
