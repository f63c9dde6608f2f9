"""The commands that last while a page is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from gradgate.server.live import holds
from gradgate.server.live.connection import ProbeConnection
from gradgate.server.live.holds import RunHolds
from gradgate.server.live.subscriber import Subscriber
from gradgate.server.protocol.browser_messages import Watch
from tests.server.live.conftest import Socket
from tests.support.loops import run_coroutine

WITHIN = 20


class Told(ProbeConnection):
    """A connection that keeps what the job is told."""

    def __init__(self) -> None:
        super().__init__(Socket().connection()._websocket)
        self.told: list[list[int]] = []

    def watched(self, commands: Sequence[int]) -> None:
        self.told.append(list(commands))

    async def until_told(self, times: int) -> None:
        """Wait until the job was told so often."""

        async def wait() -> None:
            while len(self.told) < times:
                await asyncio.sleep(0)

        await asyncio.wait_for(wait(), WITHIN)


def page(held: RunHolds, *commands: int) -> Subscriber:
    """A page that holds these commands."""
    made = Subscriber(held.follow)
    made.watch(Watch(holds=list(commands)))
    return made


def with_holds(work: Callable[[RunHolds, Told], None]) -> None:
    """Do something with what the pages of a run with a job hold, in a loop of its own."""

    async def start() -> None:
        held, job = RunHolds(asyncio.get_running_loop()), Told()
        held.connect(job)
        work(held, job)
        held.disconnect()

    run_coroutine(start())


def test_a_job_is_told_of_what_all_pages_hold() -> None:
    """At once as it changes, each command once, and no more of a page that has gone."""

    def work(held: RunHolds, job: Told) -> None:
        first = page(held, 3, 1)
        page(held, 3, 2)
        held.leave(first)
        page(held, 9)
        assert job.told == [[1, 3], [1, 2, 3], [2, 3, 9]]

    with_holds(work)


def test_what_else_a_page_shows_says_nothing_new() -> None:
    """It holds what it held."""

    def work(held: RunHolds, job: Told) -> None:
        one = page(held, 3)
        one.watch(Watch(holds=[3], focus=[1]))
        assert job.told == [[3]]

    with_holds(work)


def test_a_job_that_comes_is_told_at_once() -> None:
    """As after a reconnect."""

    def work(held: RunHolds, job: Told) -> None:
        page(held, 3)
        held.disconnect()
        again = Told()
        held.connect(again)
        assert again.told == [[3]]

    with_holds(work)


def test_a_job_hears_of_it_as_long_as_it_is_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more once the page has gone."""
    monkeypatch.setattr(holds, "REPEAT", 0.01)

    async def start() -> None:
        held, job = RunHolds(asyncio.get_running_loop()), Told()
        held.connect(job)
        one = page(held, 3)
        await job.until_told(3)
        held.leave(one)
        told = len(job.told)
        others, clock = RunHolds(asyncio.get_running_loop()), Told()
        others.connect(clock)
        page(others, 4)
        await clock.until_told(5)
        assert len(job.told) == told

    run_coroutine(start())
