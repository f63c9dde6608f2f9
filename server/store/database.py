"""The data base: opening it, its schema version, and transactions."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, Connection, Engine, insert, inspect, select, update
from sqlalchemy.exc import DatabaseError

from .errors import StoreError
from .migrations import migrate
from .postgresql import PostgresqlDatabase
from .sqlite import SqliteFile
from .tables import SCHEMA_VERSION, meta, metadata


class Database(Protocol):
    """What differs from one kind of data base to another."""

    kind: str
    name: str
    """How a sentence calls it; without its password."""
    another: str
    """How another is chosen: the end of a sentence that says what to do."""
    engine: Engine
    reading: Engine
    """For reading alone: every query of a transaction sees the same state of the store."""

    def keep_others_out(self, connection: Connection) -> None:
        """Keep other servers from changing the tables until the transaction ends."""

    def close(self) -> None:
        """Close every connection, and let go of what was taken."""


class Store:
    """A data base of runs. Reads may come from any thread, writes from the writer's alone."""

    def __init__(self, place: Path | URL) -> None:
        """Open the store in a folder, which is made when it is not there, or at an address.

        Raises `StoreError` when the folder or the data base cannot be written, is not a store, or
        was written by a newer version.
        """
        self._database: Database = (
            PostgresqlDatabase(place) if isinstance(place, URL) else SqliteFile(place)
        )
        self.kind = self._database.kind
        try:
            self._prepare()
        except DatabaseError as error:
            self.close()
            reason = " ".join(str(error.orig).split())
            raise StoreError(
                f"The data base {self._database.name} cannot be used ({reason}): repair or remove "
                f"it, or {self._database.another}."
            ) from error
        except StoreError:
            self.close()
            raise

    def read(self) -> AbstractContextManager[Connection]:
        """Return a connection for reading, which sees the store as it is at its first query."""
        return self._database.reading.connect()

    def write(self) -> AbstractContextManager[Connection]:
        """Return a connection in a transaction, which an exception rolls back."""
        return self._database.engine.begin()

    def close(self) -> None:
        """Close every connection and let go of what only one server can have."""
        self._database.close()

    def _prepare(self) -> None:
        with self.write() as connection:
            self._database.keep_others_out(connection)
            if not inspect(connection).has_table(meta.name):
                metadata.create_all(connection)
                connection.execute(
                    insert(meta).values(key="schema_version", value=str(SCHEMA_VERSION))
                )
                return
            version = connection.scalar(select(meta.c.value).where(meta.c.key == "schema_version"))
            if version is not None and version.isdecimal():
                version = str(migrate(connection, int(version)))
            # Nothing changes, but a data base that cannot be written is found out now.
            connection.execute(update(meta).values(value=meta.c.value))
        if version != str(SCHEMA_VERSION):
            raise StoreError(
                f"The data base {self._database.name} has schema version {version} and this "
                f"Gradgate knows version {SCHEMA_VERSION}: upgrade with "
                f"`pip install --upgrade gradgate`, or {self._database.another}."
            )
