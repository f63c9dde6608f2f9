"""What servers of a data base tell each other, and who hears it."""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, func, select

from gradgate.server.protocol.runs import RunStatus
from gradgate.server.store.announcements import Announcement, announcement
from gradgate.server.store.database import Store
from gradgate.server.store.recording import Changes
from tests.support.postgresql import Cluster

RUN, LAST = "a" * 16, "f" * 16
WITHIN = 20


class Server:
    """A store that listens to others."""

    def __init__(self, place: URL | Path) -> None:
        self.store = Store(place)
        self.heard: queue.Queue[Announcement] = queue.Queue()
        self.begun: queue.Queue[None] = queue.Queue()
        self.listener = self.store.listener(self.heard.put, lambda: self.begun.put(None))

    def announce(self, changes: Changes) -> None:
        """Tell the others."""
        with self.store.write() as connection:
            self.store.announce(connection, changes)

    def until_last(self) -> list[Announcement]:
        """What was heard before an announcement of the last run."""
        found = []
        while (told := self.heard.get(timeout=WITHIN)).run != LAST:
            found.append(told)
        return found


@contextmanager
def listening(place: URL | Path) -> Iterator[Server]:
    """A server from when it hears the others."""
    server = Server(place)
    server.listener.start()
    server.begun.get(timeout=WITHIN)
    yield server
    server.listener.close()
    server.store.close()


def test_a_server_hears_what_others_committed(postgresql: Cluster) -> None:
    """All of it and in order, not what was rolled back, nor what it told itself."""
    url = postgresql.database()
    with listening(url) as one, listening(url) as two:
        changes = Changes(RUN, 7, {"commands": {3, 1}, "alerts": set()}, RunStatus.LIVE, [3])
        changes.samples, changes.metrics = (40, 2), (5, 6)
        two.announce(changes)
        with two.store.write() as connection:
            two.store.announce(connection, Changes("b" * 16, 1))
            connection.rollback()
        one.announce(Changes("c" * 16, 1))
        two.announce(Changes(LAST, 1))
        (told,) = one.until_last()
        assert (told.run, told.status, told.given) == (RUN, RunStatus.LIVE, [3])
        assert told.topics == {"commands": [1, 3], "alerts": []}
        assert (told.samples, told.metrics) == ((40, 2), (5, 6))
        assert one.listener.hearing


def test_servers_of_another_schema_are_not_heard(postgresql: Cluster) -> None:
    """They share a data base and nothing else."""
    url = postgresql.database()
    with listening(url) as one, listening(postgresql.database()) as other, listening(url) as two:
        other.announce(Changes(RUN, 1))
        two.announce(Changes(LAST, 1))
        assert one.until_last() == []


def test_what_is_no_announcement_is_logged_and_the_next_is_heard(
    postgresql: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Another version may tell what this one cannot read."""
    url = postgresql.database()
    with listening(url) as one, listening(url) as two:
        channel = "gradgate_" + func.md5(func.current_schema())
        with two.store.write() as connection:
            connection.execute(select(func.pg_notify(channel, "{}")))
        two.announce(Changes(LAST, 1))
        with caplog.at_level(logging.ERROR, "gradgate.server"):
            assert one.until_last() == []
        assert "what this one cannot read" in caplog.text


def test_more_ids_than_postgresql_carries_mean_all(postgresql: Cluster) -> None:
    """Its limit is 8,000 bytes, which a thousand numbers are beyond."""
    many = set(range(2**52, 2**52 + 1000))
    url = postgresql.database()
    with listening(url) as one, listening(url) as two:
        two.announce(Changes(RUN, 1, {"commands": many}))
        few = set(range(2**52, 2**52 + 100))
        two.announce(Changes(RUN, 1, {"commands": few}))
        two.announce(Changes(LAST, 1))
        assert [told.topics["commands"] for told in one.until_last()] == [[], sorted(few)]


def test_a_server_on_sqlite_is_alone(tmp_path: Path) -> None:
    """It tells nobody and misses nothing."""
    server = Server(tmp_path)
    server.listener.start()
    server.announce(Changes(RUN, 1))
    assert server.listener.hearing
    server.listener.close()
    assert server.heard.empty()
    server.store.close()


def test_an_announcement_is_what_changed() -> None:
    """Ids in order, and nothing of what did not."""
    told = announcement(Changes(RUN, 1, {"gates": set()}))
    assert told.model_dump(exclude_defaults=True) == {"run": RUN, "topics": {"gates": []}}
