"""PostgreSQL: a data base that several servers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from .errors import StoreError

_DRIVERS = ("postgresql", "postgresql+psycopg")
_SHOWN = "postgresql+psycopg://user:password@host/database"
# What an address may hold beside its password that nobody else should read.
_SECRETS = ("password", "sslpassword")
# Every Gradgate takes the same lock while it makes or changes the tables of a data base.
_TABLES_LOCK = 0x67726164
# Servers whose tables lie in different schemas of one data base do not hear each other.
_CHANNEL = "gradgate_" + func.md5(func.current_schema())
# Seconds in which a server that stops is done with listening.
_ROUND = 0.25
_SESSION = (
    # A row that a server holds which has stopped keeps the others from that run only so long: the
    # first gives up and tries again, the second has PostgreSQL end the transaction that holds it.
    "SET lock_timeout = '5s'",
    "SET idle_in_transaction_session_timeout = '30s'",
)


def database_url(address: str) -> URL:
    """Read the address of a data base; raises `StoreError`, which never repeats what was given."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in _DRIVERS:
        raise StoreError(
            f"The store's address is no PostgreSQL data base's: give one such as {_SHOWN}, "
            "or a folder with --data, which is kept in SQLite."
        )
    return url.set(drivername="postgresql+psycopg")


def masked(url: URL) -> str:
    """Return an address as it may be shown, without its secrets."""
    hidden = {name: "***" for name in _SECRETS if name in url.query}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


class PostgresqlDatabase:
    """The data base at an address."""

    kind = "postgresql"
    shared = True
    another = "choose another data base with --store"
    # Its pages are looked after by PostgreSQL itself.
    damage = None

    def __init__(self, url: URL) -> None:
        """Be ready to connect; raises `StoreError` when the driver is missing."""
        self.name = masked(url)
        self.engine = _engine(url)
        # Reads see the data base as it is at their first query, as those of SQLite do.
        self.reading: Engine = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._listening = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        event.listen(self.engine, "connect", _configure)

    def remedy(self, error: BaseException | None) -> str:
        """Return what mends a data base that cannot be used, as the middle of a sentence."""
        return "repair or remove it"

    def keep_others_out(self, connection: Connection) -> None:
        """Keep other servers from changing the tables until the transaction ends.

        Raises `StoreError` when the data base cannot hold every text.
        """
        connection.execute(text("SET LOCAL lock_timeout = '60s'"))
        connection.execute(select(func.pg_advisory_xact_lock(_TABLES_LOCK)))
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise StoreError(
                f"The data base {self.name} has the encoding {encoding}, which cannot hold every "
                "name: make one with `CREATE DATABASE gradgate ENCODING 'UTF8' TEMPLATE template0`."
            )

    def keep_copy(self, version: int) -> None:
        """Do nothing: a copy of a data base is not for one who uses it to make."""

    def notify(self, connection: Connection, payload: str) -> None:
        """Tell every server of the data base something when the transaction is committed."""
        connection.execute(select(func.pg_notify(_CHANNEL, payload)))

    def listen(self, begin: Callable[[], None], stopped: Event) -> Iterator[str]:
        """Yield what servers tell, until stopped; `begin` is called once nothing is missed.

        Raises whatever ends the connection.
        """
        with self._listening.connect() as connection:
            channel = connection.scalar(select(_CHANNEL))
            connection.exec_driver_sql(f'LISTEN "{channel}"')
            begin()
            driver: Any = connection.connection.driver_connection
            try:
                while not stopped.is_set():
                    for each in driver.notifies(timeout=_ROUND):
                        yield each.payload
            finally:
                connection.detach()

    def size(self, connection: Connection) -> int:
        """Return how many bytes it has on the disk of its server."""
        return int(connection.scalar(select(func.pg_database_size(func.current_database()))) or 0)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _engine(url: URL) -> Engine:
    try:
        return create_engine(
            url,
            # Several servers share what PostgreSQL allows, which is 100 unless somebody set more.
            pool_size=5,
            max_overflow=15,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": 5,
                "application_name": "gradgate",
                "client_encoding": "utf8",
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 15_000,
                **url.query,
            },
        )
    except ImportError as error:
        raise StoreError(
            "PostgreSQL needs the package psycopg, which is not installed or not whole "
            f"({error}): install it with `pip install 'psycopg[binary]'`."
        ) from error


def _configure(connection: Any, _: ConnectionPoolEntry) -> None:
    for statement in _SESSION:
        connection.execute(statement)
    connection.commit()
