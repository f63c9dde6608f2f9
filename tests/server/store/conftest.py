"""A store without a server around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.runs import open_run
from gradgate.server.store.samples import append_samples
from tests.support.postgresql import Cluster
from tests.support.probing import hello
from tests.support.stored_samples import sample


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.exhaustive(0))])
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
def three_spans(connection: Connection, opened: str) -> str:
    """Steps 1 to 9 of two parameters, in spans of three; the norm of the first is its step."""
    for first in (0, 3, 6):
        rows = [sample(step, [step, -1.0]) for step in range(first + 1, first + 4)]
        append_samples(connection, opened, first, rows)
    return opened


@pytest.fixture
def open_with(connection: Connection, run: str) -> Callable[[int], str]:
    """Opens a run of so many parameters, in the transaction."""

    def open_run_of(count: int) -> str:
        names = [f"p{place}" for place in range(count)]
        open_run(connection, Hello.model_validate(hello(run, names)), 1.0)
        return run

    return open_run_of
