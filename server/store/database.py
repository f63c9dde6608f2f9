"""The data base: opening it, its schema version, and transactions."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, create_engine, event, insert, inspect, select, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry

from .migrations import migrate
from .tables import SCHEMA_VERSION, meta, metadata

FILE_NAME = "gradgate.db"


class StoreError(Exception):
    """The store cannot be used; the message says what to do."""


class StoreInUseError(StoreError):
    """Another server has the data folder."""


class Store:
    """A data base of runs. Reads may come from any thread, writes from the writer's alone."""

    def __init__(self, folder: Path) -> None:
        """Open the store in a folder, which is made when it is not there.

        Raises `StoreError` when the folder or the file cannot be written, is not a store, or was
        written by a newer version.
        """
        self._lock = _locked(folder)
        path = folder / FILE_NAME
        self.kind = "sqlite"
        self._engine = create_engine(
            URL.create("sqlite", database=str(path)), pool_size=8, max_overflow=40
        )
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        try:
            self._prepare(path)
        except DatabaseError as error:
            self.close()
            raise StoreError(
                f"The data base {path} cannot be used ({error.orig}): repair or remove it, "
                "or choose another folder with --data."
            ) from error
        except StoreError:
            self.close()
            raise

    def read(self) -> AbstractContextManager[Connection]:
        """Return a connection for reading, which sees the store as it is at its first query."""
        return self._engine.connect()

    def write(self) -> AbstractContextManager[Connection]:
        """Return a connection in a transaction, which an exception rolls back."""
        return self._engine.begin()

    def close(self) -> None:
        """Close every connection and let another server have the folder."""
        self._engine.dispose()
        self._lock.release()

    def _prepare(self, path: Path) -> None:
        with self.write() as connection:
            if not inspect(connection).has_table(meta.name):
                metadata.create_all(connection)
                connection.execute(
                    insert(meta).values(key="schema_version", value=str(SCHEMA_VERSION))
                )
                return
            version = connection.scalar(select(meta.c.value).where(meta.c.key == "schema_version"))
            if version is not None and version.isdecimal():
                version = str(migrate(connection, int(version)))
            # Nothing changes, but a file that cannot be written is found out now.
            connection.execute(update(meta).values(value=meta.c.value))
        if version != str(SCHEMA_VERSION):
            raise StoreError(
                f"The data base {path} has schema version {version} and this Gradgate knows "
                f"version {SCHEMA_VERSION}: upgrade with `pip install --upgrade gradgate`, "
                "or choose another folder with --data."
            )


def _locked(folder: Path) -> FileLock:
    """Make the folder and take it for this server alone; the lock ends with the process."""
    lock = FileLock(folder / "gradgate.lock", thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StoreInUseError(
            f"The data folder {folder} is in use by another Gradgate server: stop that, "
            "or choose another folder with --data."
        ) from error
    except OSError as error:
        raise StoreError(
            f"The data folder {folder} cannot be written ({error.strerror}): "
            "choose another with --data."
        ) from error
    return lock


def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # The driver would begin a transaction at the first write only, so that several reads could see
    # different states of the store: "Serializable isolation" in SQLAlchemy's page on SQLite.
    connection.isolation_level = None
    # `synchronous=FULL` makes what is acknowledged outlive a power cut, not only a killed server.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=2000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
