"""PostgreSQL: its addresses, who may use it at once, and what is said when it cannot be used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event

import pytest
from sqlalchemy import URL, Connection, create_engine, inspect, make_url, update

from gradgate.server.protocol.frames import decode
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.errors import StoreError
from gradgate.server.store.postgresql import database_url, masked
from gradgate.server.store.recording import Received, record
from gradgate.server.store.refusals import UnknownRun
from gradgate.server.store.runs import locked_run, open_run, run_record, run_rows, status_of
from gradgate.server.store.tables import SCHEMA_VERSION, meta, metadata
from tests.support.postgresql import Cluster
from tests.support.probing import hello, pack_sample

SECRET = "hunter2"
WITHIN = 20


@contextmanager
def opened(url: URL) -> Iterator[Store]:
    """A store that is closed in the end."""
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
def test_an_address_is_psycopgs(driver: str) -> None:
    """With or without the name of the driver."""
    url = database_url(f"{driver}://me:{SECRET}@db.example/gradgate?sslmode=require")
    assert (url.drivername, url.username, url.password) == ("postgresql+psycopg", "me", SECRET)
    assert (url.host, url.database) == ("db.example", "gradgate")
    assert url.query["sslmode"] == "require"


@pytest.mark.parametrize(
    "address",
    [
        f"mysql://me:{SECRET}@db.example/gradgate",
        f"sqlite:///{SECRET}",
        f"postgresql+asyncpg://me:{SECRET}@db.example/gradgate",
        f"postgresql://me:{SECRET}@db.example:port/gradgate",
        SECRET,
        "",
    ],
)
def test_another_address_is_refused_and_not_repeated(address: str) -> None:
    """The sentence has an example, and no word of what was given."""
    with pytest.raises(StoreError, match=r"such as postgresql\+psycopg://.* with --data") as error:
        database_url(address)
    assert SECRET not in str(error.value)


def test_what_is_shown_of_an_address_has_no_secret() -> None:
    """Neither the password in front of the host nor one behind the question mark."""
    url = database_url(f"postgresql://me:{SECRET}@h/d?password={SECRET}&sslpassword={SECRET}&a=b")
    assert SECRET not in masked(url)
    assert masked(url).startswith("postgresql+psycopg://me:***@h/d?")
    assert "a=b" in masked(url)


def test_a_data_base_that_is_not_there_is_said_without_the_password(postgresql: Cluster) -> None:
    """In one line, with what PostgreSQL says."""
    url = postgresql.database().set(database="nowhere", password=SECRET)
    with pytest.raises(StoreError, match=r'"nowhere" does not exist.*with --store') as error:
        Store(url)
    assert SECRET not in str(error.value)
    assert "\n" not in str(error.value)
    assert "gradgate:***@" in str(error.value)


def test_a_server_that_is_not_there_is_said() -> None:
    """Nothing listens at the port of this address."""
    with pytest.raises(StoreError, match=r"cannot be used \(connection failed.*refused"):
        Store(make_url("postgresql+psycopg://me@127.0.0.1:1/gradgate"))


def test_a_missing_driver_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'psycopg\[binary\]'"):
        Store(make_url("postgresql+psycopg://me@h/d"))


def test_an_encoding_that_cannot_hold_every_name_is_refused(postgresql: Cluster) -> None:
    """And nothing is made in such a data base."""
    url = postgresql.database()
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' "
            "TEMPLATE template0"
        )
    engine.dispose()
    ascii_url = url.set(database="ascii").difference_update_query(["options"])
    with pytest.raises(StoreError, match=r"encoding SQL_ASCII.*ENCODING 'UTF8'"):
        Store(ascii_url)
    engine = create_engine(ascii_url, connect_args={"client_encoding": "utf8"})
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_servers_that_start_at_once_on_an_empty_data_base_all_get_it(postgresql: Cluster) -> None:
    """One of them makes the tables."""
    url, count = postgresql.database(), 6
    barrier = Barrier(count)

    def start() -> Store:
        barrier.wait(WITHIN)
        return Store(url)

    with ThreadPoolExecutor(count) as threads:
        stores = [each.result() for each in [threads.submit(start) for _ in range(count)]]
    for store in stores:
        with store.read() as connection:
            assert set(inspect(connection).get_table_names()) == set(metadata.tables)
        store.close()


def test_a_store_of_a_newer_version_is_left_alone(postgresql: Cluster) -> None:
    """The sentence says which, and what to do."""
    url = postgresql.database()
    with opened(url) as store, store.write() as connection:
        connection.execute(update(meta).values(value=str(SCHEMA_VERSION + 1)))
    with pytest.raises(
        StoreError, match=rf"version {SCHEMA_VERSION + 1} .*--upgrade \..*another data base"
    ):
        Store(url)


def test_a_read_sees_one_state_of_the_store(postgresql: Cluster, run: str) -> None:
    """What is written meanwhile is seen by the next, as in SQLite."""
    greeting = Hello.model_validate(hello(run))
    with opened(postgresql.database()) as store:
        with store.read() as reading:
            assert run_rows(reading) == []
            with store.write() as writing:
                open_run(writing, greeting, 1.0)
            assert run_rows(reading) == []
        with store.read() as reading:
            assert [row.id for row in run_rows(reading)] == [run]


@pytest.mark.parametrize("find", [run_record, status_of, locked_run])
def test_what_no_text_can_hold_is_no_run(
    postgresql: Cluster, find: Callable[[Connection, str], object]
) -> None:
    """PostgreSQL would fail to compare with it, as a store does that cannot be read."""
    with (
        opened(postgresql.database()) as store,
        store.read() as connection,
        pytest.raises(UnknownRun, match="There is no run"),
    ):
        find(connection, "0123456789abcde\0")


def test_runs_of_one_name_at_several_servers_get_numbers(postgresql: Cluster) -> None:
    """Each its own, although none saw the others' when it began."""
    url = postgresql.database()
    runs = [f"{number:016x}" for number in range(8)]
    barrier = Barrier(len(runs))

    def greet(run: str) -> None:
        with opened(url) as store:
            barrier.wait(WITHIN)
            with store.write() as connection:
                open_run(connection, Hello.model_validate(hello(run, name="twin")), 1.0)

    with ThreadPoolExecutor(len(runs)) as threads:
        list(threads.map(greet, runs))
    with opened(url) as store, store.read() as connection:
        names = sorted((row.name, row.number) for row in run_rows(connection))
    assert names == [("twin", number) for number in range(1, 9)]


def test_what_a_job_sends_to_two_servers_is_stored_once(postgresql: Cluster, run: str) -> None:
    """The second waits until the first has stored its part, and leaves that out."""
    url = postgresql.database()
    frames = [
        Received(decode(pack_sample(seq, seq, [1, 1], {1: [seq, seq]})), 1.0) for seq in range(1, 7)
    ]
    began, go_on = Event(), Event()

    def late() -> None:
        with opened(url) as store, store.write() as connection:
            record(connection, run, frames[:4])
            began.set()
            go_on.wait(WITHIN)

    with opened(url) as store, ThreadPoolExecutor(2) as threads:
        with store.write() as connection:
            open_run(connection, Hello.model_validate(hello(run)), 1.0)
        first = threads.submit(late)
        assert began.wait(WITHIN)

        def again() -> int:
            with store.write() as connection:
                return record(connection, run, frames).last_seq

        second = threads.submit(again)
        assert not second.done()
        go_on.set()
        first.result(WITHIN)
        assert second.result(WITHIN) == 6
        with store.read() as connection:
            row = run_record(connection, run)
            assert (row.samples, row.last_seq) == (6, 6)
