"""Silence: which runs are lost, and that one which fails keeps no other from being lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, cast

import pytest
from sqlalchemy import Connection

from gradgate.server.live.live_runs import LiveRuns
from gradgate.server.live.other_servers import OtherServers
from gradgate.server.live.silence import watch_for_silence
from gradgate.server.live.subscriber import Subscriber
from gradgate.server.live.topics import RUN
from gradgate.server.protocol.runs import RunStatus
from gradgate.server.store.database import Store
from gradgate.server.store.write_queue import WriterEnded
from gradgate.server.store.writer import Writer
from tests.support.loops import run_coroutine

RUNS = ("a" * 16, "b" * 16, "c" * 16)


class Answers:
    """A writer that does nothing, and answers each task with no news or an error in turn."""

    def __init__(self, *results: Exception | None) -> None:
        self._results = list(results)

    def submit(self, _: Callable[[Connection], Any]) -> Future[tuple[list[int], list[int]]]:
        future: Future[tuple[list[int], list[int]]] = Future()
        result = self._results.pop(0) if self._results else None
        if result is None:
            future.set_result(([], []))
        else:
            future.set_exception(result)
        return future


@dataclass
class Others:
    """Other servers, which are heard or not."""

    heard: bool = True


def watching_for_silence(
    runs: LiveRuns, writer: Answers, others: Others
) -> Coroutine[Any, Any, None]:
    """Watch runs that are lost soon; nothing is stored."""
    return watch_for_silence(
        runs, cast(Store, None), cast(Writer, writer), cast(OtherServers, others), 0.04
    )


async def watch(runs: LiveRuns, writer: Answers, last: str) -> None:
    """Watch until the last run is lost."""
    watching = asyncio.create_task(watching_for_silence(runs, writer, Others()))
    subscriber = Subscriber()
    runs.take(last).subscribe(subscriber)
    await asyncio.wait_for(subscriber.news.wait(), 20)
    assert set(subscriber.take()) == {RUN}
    watching.cancel()


def states(*results: Exception | None) -> list[RunStatus | None]:
    """What becomes of three silent runs, with the answers to what is stored of them."""

    async def lose() -> list[RunStatus | None]:
        runs = LiveRuns(asyncio.get_running_loop())
        lives = [runs.take(run) for run in RUNS]
        for live in lives:
            live.heard()
        await watch(runs, Answers(*results), RUNS[-1])
        return [live.status for live in lives]

    return run_coroutine(lose())


def test_silent_runs_are_lost() -> None:
    """Each of them."""
    assert states() == [RunStatus.LOST] * 3


def test_a_run_whose_loss_cannot_be_stored_stays_live(caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again, and the others are lost meanwhile."""
    with caplog.at_level(logging.ERROR, "gradgate.server"):
        assert states(None, WriterEnded()) == [RunStatus.LOST, RunStatus.LIVE, RunStatus.LOST]
    assert f"Run {RUNS[1]} is lost, and that could not be stored" in caplog.text


def test_a_fault_that_nobody_foresaw_keeps_no_other_run_live(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The watch goes on, and the log names the run."""
    with caplog.at_level(logging.ERROR, "gradgate.server"):
        assert states(ZeroDivisionError())[1:] == [RunStatus.LOST] * 2
    assert f"Run {RUNS[0]} is lost, and that could not be told" in caplog.text


class Looks(Others):
    """Other servers that count how often they are asked for, which is once a look."""

    def __init__(self) -> None:
        self.looks = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "heard":
            self.looks += 1
            return True
        return super().__getattribute__(name)


def test_no_run_is_lost_for_what_the_server_missed_while_it_stood_still() -> None:
    """What the job has sent meanwhile waits to be read: the run has its time once more."""

    async def stand_still() -> RunStatus | None:
        runs = LiveRuns(asyncio.get_running_loop())
        live = runs.take(RUNS[0])
        live.heard()
        others = Looks()
        watching = asyncio.create_task(
            watch_for_silence(
                runs, cast(Store, None), cast(Writer, Answers()), cast(OtherServers, others), 1.0
            )
        )
        await asyncio.sleep(0)
        time.sleep(1.5)  # as a process that is stopped
        while others.looks < 1:
            await asyncio.sleep(0.01)
        watching.cancel()
        return live.status

    assert run_coroutine(stand_still()) is RunStatus.LIVE


def test_no_run_is_lost_while_other_servers_are_not_heard() -> None:
    """One of them may hear it."""

    async def wait() -> list[RunStatus | None]:
        runs = LiveRuns(asyncio.get_running_loop())
        live = runs.take(RUNS[0])
        live.heard()
        others = Others(heard=False)
        watching = asyncio.create_task(watching_for_silence(runs, Answers(), others))
        await asyncio.wait([watching], timeout=0.2)
        found = [live.status]
        others.heard = True
        subscriber = Subscriber()
        live.subscribe(subscriber)
        await asyncio.wait_for(subscriber.news.wait(), 20)
        watching.cancel()
        return [*found, live.status]

    assert run_coroutine(wait()) == [RunStatus.LIVE, RunStatus.LOST]
