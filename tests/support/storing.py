"""Where the tests' servers keep what they store: in SQLite, or as they are told in PostgreSQL.

`make test-postgresql` runs tests that name no kind of store on PostgreSQL. The session's fixture
`store_of_the_session` in tests/conftest.py starts it, and says where in the environment.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine

from gradgate.server.web.settings import Settings

from .postgresql import database

STORE = "GRADGATE_TEST_STORE"
"""The environment's word for the kind of store: `sqlite`, which is the default, or `postgresql`."""
CLUSTER = "GRADGATE_TEST_CLUSTER"
"""The folder of the PostgreSQL that was started for it."""


def data_base(folder: Path) -> URL | None:
    """Return the data base that stands for a data folder; None where the folder itself is it."""
    cluster = os.environ.get(CLUSTER)
    if cluster is None:
        return None
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return database(Path(cluster), f"data_{name}")


@contextmanager
def behind(folder: Path) -> Iterator[Connection]:
    """A transaction in what a server keeps there, behind its back."""
    url = data_base(folder) or URL.create("sqlite", database=str(folder / "gradgate.db"))
    engine = create_engine(url)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


@contextmanager
def blocked(folder: Path) -> Iterator[None]:
    """Keep a server from writing what it keeps there; it can read."""
    with behind(folder) as connection:
        block(connection)
        yield


def block(connection: Connection) -> None:
    """Keep everybody else from writing while a transaction lasts."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("LOCK TABLE meta, runs IN EXCLUSIVE MODE")


def place(folder: Path) -> Path | URL:
    """Return what a `Store` is opened by."""
    return data_base(folder) or folder


def settings(folder: Path) -> Settings:
    """Return the settings of a server that keeps what it stores there."""
    return Settings(folder, store=data_base(folder))
