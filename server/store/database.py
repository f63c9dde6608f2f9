"""The data base: opening it, its schema version, and transactions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import URL, Connection, insert, inspect, select, update
from sqlalchemy.exc import DatabaseError

from ..protocol.version import UPGRADE
from .announcements import Announcement, announcement, server_name
from .backend import Backend
from .errors import StoreError
from .listener import Listener
from .migrations import is_older, migrate
from .postgresql import PostgresqlDatabase
from .recording import Changes
from .sqlite import SqliteFile
from .tables import SCHEMA_VERSION, meta, metadata


class Store:
    """A data base of runs. Reads may come from any thread, writes from the writer's alone."""

    def __init__(self, place: Path | URL) -> None:
        """Open the store in a folder, which is made when it is not there, or at an address.

        Raises `StoreError` when the folder or the data base cannot be written, is not a store, or
        was written by a newer version.
        """
        self._backend: Backend = (
            PostgresqlDatabase(place) if isinstance(place, URL) else SqliteFile(place)
        )
        self.kind = self._backend.kind
        self.shared = self._backend.shared
        self._server = server_name()
        try:
            self._prepare()
        except DatabaseError as error:
            self.close()
            reason = " ".join(str(error.orig).split())
            raise StoreError(
                f"The data base {self._backend.name} cannot be used ({reason}): "
                f"{self._backend.remedy(error.orig)}, or {self._backend.another}."
            ) from error
        except StoreError:
            self.close()
            raise

    @property
    def damage(self) -> str | None:
        """Return what is damaged and what to do; None as long as no damage is known."""
        return self._backend.damage

    def read(self) -> AbstractContextManager[Connection]:
        """Return a connection for reading, which sees the store as it is at its first query."""
        return self._backend.reading.connect()

    def write(self) -> AbstractContextManager[Connection]:
        """Return a connection in a transaction, which an exception rolls back."""
        return self._backend.engine.begin()

    def announce(self, connection: Connection, changes: Changes) -> None:
        """Tell other servers of changes when the transaction that makes them is committed."""
        if self.shared:
            self.tell(connection, announcement(changes))

    def tell(self, connection: Connection, told: Announcement) -> None:
        """Tell other servers something when the transaction is committed."""
        mine = told.model_copy(update={"server": self._server})
        self._backend.notify(connection, mine.model_dump_json(exclude_defaults=True))

    def listener(
        self, on_news: Callable[[Announcement], None], on_begin: Callable[[], None]
    ) -> Listener:
        """Return what hears the other servers once it is started."""
        return Listener(self._backend, self._server, on_news, on_begin)

    def size(self, connection: Connection) -> int:
        """Return how many bytes the data base has on its disk."""
        return self._backend.size(connection)

    def close(self) -> None:
        """Close every connection and let go of what only one server can have."""
        self._backend.close()

    def _prepare(self) -> None:
        with self.write() as connection:
            self._backend.keep_others_out(connection)
            if not inspect(connection).has_table(meta.name):
                metadata.create_all(connection)
                connection.execute(
                    insert(meta).values(key="schema_version", value=str(SCHEMA_VERSION))
                )
                return
            version = connection.scalar(select(meta.c.value).where(meta.c.key == "schema_version"))
            if version is not None and version.isdecimal() and is_older(int(version)):
                self._backend.keep_copy(SCHEMA_VERSION)
                version = self._upgraded(connection, int(version))
            # Nothing changes, but a data base that cannot be written is found out now.
            connection.execute(update(meta).values(value=meta.c.value))
        if version != str(SCHEMA_VERSION):
            raise StoreError(
                f"The data base {self._backend.name} has schema version {version} and this "
                f"Gradgate knows version {SCHEMA_VERSION}: upgrade by "
                f"{UPGRADE}, or {self._backend.another}."
            )

    def _upgraded(self, connection: Connection, version: int) -> str:
        """Bring an earlier store to this version, in a transaction that an error undoes."""
        try:
            return str(migrate(connection, version))
        except DatabaseError as error:
            reason = " ".join(str(error.orig).split())
            raise StoreError(
                f"The data base {self._backend.name} of schema version {version} cannot be "
                f"upgraded to {SCHEMA_VERSION} ({reason}), and is as it was: go on with the "
                f"Gradgate that it is of, free some room if that is what is missing, or "
                f"{self._backend.another}."
            ) from error
