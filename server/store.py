"""The data base: opening it, its schema version, and transactions."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, event, insert, inspect, select
from sqlalchemy.exc import DatabaseError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from .tables import SCHEMA_VERSION, meta, metadata

FILE_NAME = "gradgate.db"


class StoreError(Exception):
    """The store cannot be used; the message says what to do."""


class Store:
    """A data base of runs. Reads may come from any thread, writes from the writer's alone."""

    def __init__(self, folder: Path) -> None:
        """Open the store in a folder, which is made when it is not there.

        Raises `StoreError` when the folder or the file cannot be written, is not a store, or was
        written by a newer version.
        """
        _make_writable(folder)
        path = folder / FILE_NAME
        self.kind = "sqlite"
        self._engine = create_engine(URL.create("sqlite", database=str(path)))
        event.listen(self._engine, "connect", _configure)
        try:
            self._prepare(path)
        except DatabaseError as error:
            self._engine.dispose()
            raise StoreError(
                f"The data base {path} cannot be used ({error.orig}): repair or remove it, "
                "or choose another folder with --data."
            ) from error
        except StoreError:
            self._engine.dispose()
            raise

    def read(self) -> AbstractContextManager[Connection]:
        """A connection for reading."""
        return self._engine.connect()

    def write(self) -> AbstractContextManager[Connection]:
        """A connection in a transaction, committed at the end and rolled back by an exception."""
        return self._engine.begin()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def _prepare(self, path: Path) -> None:
        with self.write() as connection:
            if not inspect(connection).has_table(meta.name):
                metadata.create_all(connection)
                connection.execute(
                    insert(meta).values(key="schema_version", value=str(SCHEMA_VERSION))
                )
                return
            version = connection.scalar(select(meta.c.value).where(meta.c.key == "schema_version"))
        if version != str(SCHEMA_VERSION):
            raise StoreError(
                f"The data base {path} has schema version {version} and this Gradgate knows "
                f"version {SCHEMA_VERSION}: upgrade with `pip install --upgrade gradgate`, "
                "or choose another folder with --data."
            )


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise StoreError(
            f"The data folder {folder} cannot be written ({error.strerror}): "
            "choose another with --data."
        ) from error


def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    # `synchronous=FULL` makes what is acknowledged outlive a power cut, not only a killed server.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


__all__ = ["FILE_NAME", "SQLAlchemyError", "Store", "StoreError"]
