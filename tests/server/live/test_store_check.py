"""Looking whether the store can be written: seldom, and without writing."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.exc import OperationalError

from gradgate.server.live.store_check import FRESH, StoreCheck
from gradgate.server.store.database import Store
from gradgate.server.store.writer import Writer
from tests.support.loops import run_coroutine
from tests.support.serving import ServerProcess
from tests.support.storing import behind, blocked, place
from tests.support.waiting import wait_for

T = TypeVar("T")
ASKED = 300


def checked(folder: Path, ask: Callable[[StoreCheck, Writer], Awaitable[T]]) -> tuple[T, list[str]]:
    """What an answer was, and how each transaction meanwhile ended."""
    ends: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def asked() -> T:
        store = Store(place(folder))
        with store.write() as connection:
            engine = connection.engine
        event.listen(engine, "commit", lambda _: ends.put("commit"))
        event.listen(engine, "rollback", lambda _: ends.put("rollback"))
        writer = Writer(store, lambda _: None, lambda _: None)
        writer.start()
        try:
            return await ask(StoreCheck(writer), writer)
        finally:
            await asyncio.to_thread(writer.close)
            store.close()

    answer = run_coroutine(asked())
    return answer, [ends.get() for _ in range(ends.qsize())]


def test_many_who_ask_share_a_look_that_does_not_write(tmp_path: Path) -> None:
    """300 questions are one transaction, which is rolled back, and the next second another."""

    async def ask(check: StoreCheck, _: Writer) -> list[str | None]:
        first = await asyncio.gather(*(check.error() for _ in range(ASKED)))
        until = time.monotonic() + FRESH
        while time.monotonic() < until:
            first.append(await check.error())
        return [*first, await check.error()]

    answers, ends = checked(tmp_path, ask)
    assert len(answers) > ASKED
    assert set(answers) == {None}
    assert ends == ["rollback"] * 2


def test_what_was_just_committed_says_enough(tmp_path: Path) -> None:
    """While jobs have their samples stored, nobody looks at all."""

    async def ask(check: StoreCheck, writer: Writer) -> str | None:
        await asyncio.wrap_future(writer.submit(lambda _: None))
        return await check.error()

    assert checked(tmp_path, ask) == (None, ["commit"])


def test_after_a_failed_write_the_next_look_writes(tmp_path: Path) -> None:
    """Where a write failed a look that only pretends would prove nothing."""

    def fail(connection: Connection) -> None:
        raise OperationalError("INSERT", {}, OSError("disk full"))

    async def ask(check: StoreCheck, writer: Writer) -> list[str | None]:
        with pytest.raises(OperationalError):
            await asyncio.wrap_future(writer.submit(fail))
        return [writer.error, await check.error(), writer.error]

    answers, ends = checked(tmp_path, ask)
    assert answers[1:] == [None, None]
    assert "disk full" in str(answers[0])
    assert ends == ["rollback", "commit"]


def test_a_store_that_another_process_holds_is_told(tmp_path: Path) -> None:
    """A look that is rolled back needs the same lock as a write."""

    async def ask(check: StoreCheck, _: Writer) -> str | None:
        with blocked(tmp_path):
            return await check.error()

    answer, _ = checked(tmp_path, ask)
    # SQLite gives up waiting for a lock before the look does, and PostgreSQL after it.
    assert str(answer).startswith(
        ("The store cannot be written (", "The store did not take a write")
    )


@pytest.mark.sqlite
def test_a_server_that_is_asked_for_its_health_writes_nothing(tmp_path: Path) -> None:
    """SQLite's own count of what others committed stays as it was, over two seconds of requests."""
    with ServerProcess(tmp_path) as server, behind(tmp_path) as store:
        count = "PRAGMA data_version"
        before = store.exec_driver_sql(count).scalar_one()
        until = time.monotonic() + 2 * FRESH
        wait_for(lambda: server.get("/healthz")["status"] == "ok" and time.monotonic() > until)
        assert store.exec_driver_sql(count).scalar_one() == before
