"""The runs of a server: one that fails keeps no other from what it is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gradgate.server.live.connection import Refused
from gradgate.server.live.live_runs import LiveRuns
from gradgate.server.live.subscriber import Subscriber
from gradgate.server.live.topics import COMMANDS
from gradgate.server.protocol.commands.change import Command
from gradgate.server.protocol.runs import RunStatus
from gradgate.server.store.recording import Changes
from tests.server.live.conftest import Socket
from tests.support.loops import run_coroutine

ONE, TWO = "a" * 16, "b" * 16


def with_runs(work: Callable[[LiveRuns], Awaitable[Any]]) -> Any:
    """Do something with runs in a loop of their own."""

    async def start() -> Any:
        return await work(LiveRuns(asyncio.get_running_loop()))

    return run_coroutine(start())


def test_a_run_that_fails_keeps_no_other_from_its_commit(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log names it, and the run behind it is told."""

    async def work(runs: LiveRuns) -> int:
        subscriber = Subscriber()

        def fail(_: Changes) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(runs.take(ONE), "commit", fail)
        runs.take(TWO).subscribe(subscriber)
        runs.commit_from_writer([Changes(ONE, 1), Changes("c" * 16, 1), Changes(TWO, 1)])
        await asyncio.wait_for(subscriber.news.wait(), 20)
        return len(subscriber.take())

    with caplog.at_level(logging.ERROR, "gradgate.server"):
        assert with_runs(work) == 1
    assert f"Nobody could be told what is stored of run {ONE}" in caplog.text


def test_a_run_is_kept_while_it_is_needed() -> None:
    """The same object for the same id, until nobody needs it."""

    async def work(runs: LiveRuns) -> list[bool]:
        live = runs.take(ONE)
        live.status = RunStatus.LIVE
        runs.forget(live)
        kept = runs.get(ONE) is live and list(runs) == [live]
        live.status = RunStatus.FINISHED
        runs.forget(live)
        return [kept, runs.get(ONE) is None]

    assert with_runs(work) == [True, True]


def test_a_run_that_is_dropped_ends_its_connection(socket: Socket) -> None:
    """And the probe is told that it should not try again by itself, but where damage is why."""

    async def work(runs: LiveRuns) -> list[bool]:
        connection = runs.take(ONE).connection = socket.connection()
        runs.drop_from_writer(ONE, False)
        runs.drop_from_writer(TWO, False)
        with pytest.raises(Refused, match="cannot store what this run sent") as refused:
            await asyncio.wait_for(connection.deliver(), 20)
        again = runs.take(TWO).connection = socket.connection()
        runs.drop_from_writer(TWO, True)
        with pytest.raises(Refused, match=r"store is damaged.*GET /healthz") as damaged:
            await asyncio.wait_for(again.deliver(), 20)
        return [refused.value.retry, damaged.value.retry]

    assert with_runs(work) == [False, True]


def test_what_has_the_place_of_a_run_by_now_stays() -> None:
    """As where a job came back while it was told that it is lost."""

    async def work(runs: LiveRuns) -> bool:
        before = runs.take(ONE)
        runs.forget(before)
        now = runs.take(ONE)
        now.status = RunStatus.LIVE
        runs.forget(before)
        return runs.get(ONE) is now

    assert with_runs(work)


def test_a_run_that_is_being_lost_is_kept_meanwhile() -> None:
    """Until that is stored, or fails and it is live again."""

    async def work(runs: LiveRuns) -> bool:
        live = runs.take(ONE)
        live.backlog.received = 1
        live.status = RunStatus.LOST
        runs.commit([Changes(ONE, 1)])
        return runs.get(ONE) is live

    assert with_runs(work)


def test_a_run_is_let_go_when_all_of_it_is_stored_or_dropped() -> None:
    """Its job may be gone before."""

    async def work(runs: LiveRuns) -> list[bool]:
        for run in (ONE, TWO):
            runs.take(run).backlog.received = 1
            runs.forget(runs.take(run))
        kept = [runs.get(run) is not None for run in (ONE, TWO)]
        runs.commit([Changes(ONE, 1, status=RunStatus.FINISHED)])
        runs.drop_from_writer(TWO, False)
        await asyncio.sleep(0)
        return kept + [runs.get(run) is not None for run in (ONE, TWO)]

    assert with_runs(work) == [True, True, False, False]


def test_a_new_command_goes_to_the_probe_and_to_the_browsers(socket: Socket) -> None:
    """To each that there is."""

    async def work(runs: LiveRuns) -> Any:
        live = runs.take(ONE)
        connection = live.connection = socket.connection()
        subscriber = Subscriber()
        live.subscribe(subscriber)
        command = Command(id=3, kind="thaw", target="a", mode="grad", by="b")
        runs.command_from_writer(ONE, command)
        await asyncio.wait_for(subscriber.news.wait(), 20)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(connection.deliver(), 0.1)
        return subscriber.take()[COMMANDS], [Command.model_validate_json(t).id for t in socket.sent]

    assert with_runs(work) == ({3}, [3])
