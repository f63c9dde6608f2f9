"""A run in memory: what its browsers and its probe are told, each by itself."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradgate.server.live.connection import Refused
from gradgate.server.live.live_run import LiveRun
from gradgate.server.live.subscriber import Subscriber
from gradgate.server.live.topics import COMMANDS, RUN, Topic
from gradgate.server.protocol.frames import Sample, decode
from gradgate.server.protocol.probe_messages import Metrics
from gradgate.server.protocol.runs import RunStatus
from gradgate.server.store.recording import Changes
from tests.server.live.conftest import Socket
from tests.support.loops import run_coroutine
from tests.support.probing import pack_sample


class Deaf(Subscriber):
    """A browser that cannot take any news."""

    def add(self, topic: Topic[Any], news: Any) -> None:
        raise ZeroDivisionError


def with_run(work: Callable[[LiveRun], Awaitable[Any]]) -> Any:
    """Do something with a run in a loop of its own."""

    async def start() -> Any:
        return await work(LiveRun("a" * 16, asyncio.get_running_loop()))

    return run_coroutine(start())


def sample(seq: int) -> Sample:
    """A sample of two parameters whose norms are its number."""
    return decode(pack_sample(seq, seq, [1, 1], {1: [seq, seq]}))


def names(news: dict[Topic[Any], Any]) -> set[str]:
    """The topics of news."""
    return {topic.name for topic in news}


def test_a_commit_is_told_by_its_topics() -> None:
    """The row of the run always, and what changed by its name with the ids."""

    async def work(live: LiveRun) -> dict[Topic[Any], Any]:
        subscriber = Subscriber()
        live.subscribe(subscriber)
        live.commit(Changes(live.id, 3, {"gates": set(), "commands": {4, 5}}))
        return subscriber.take()

    news = with_run(work)
    assert names(news) == {"run", "gates", "commands"}
    assert news[COMMANDS] == {4, 5}


@pytest.mark.parametrize("status", RunStatus)
def test_an_end_that_is_stored_is_told_behind_its_last_frame(
    status: RunStatus, socket: Socket
) -> None:
    """To the job, which keeps its goodbye until then; nothing else is an end."""

    async def work(live: LiveRun) -> None:
        live.connection = socket.connection()
        live.commit(Changes(live.id, 3, status=status))
        delivery = asyncio.create_task(live.connection.deliver())
        await asyncio.sleep(0)
        live.connection.end(Refused("The test is over."))
        with pytest.raises(Refused, match="over"):
            await delivery

    with_run(work)
    ended = status in (RunStatus.FINISHED, RunStatus.FAILED)
    told = [json.loads(text) for text in socket.sent]
    assert told == [{"type": "ack", "seq": 3, "gather": 0.1}, {"type": "bye"}][: 2 if ended else 1]


def test_a_browser_that_fails_is_closed_alone(
    socket: Socket, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are told, the probe is acknowledged, and the log names run and topic."""

    async def work(live: LiveRun) -> list[Any]:
        live.connection = socket.connection()
        browsers = [Subscriber(), Deaf(), Subscriber()]
        for browser in browsers:
            live.subscribe(browser)
        live.commit(Changes(live.id, 3, {"alerts": set()}))
        with pytest.raises(Refused, match="load the page again") as closed:
            browsers[1].take()
        assert closed.value.code == 1011
        return [names(browser.take()) for browser in (browsers[0], browsers[2])]

    with caplog.at_level(logging.ERROR, "gradgate.server"):
        assert with_run(work) == [{"run", "alerts"}, {"run", "alerts"}]
    assert [record.getMessage() for record in caplog.records] == [
        "A browser of run aaaaaaaaaaaaaaaa cannot take run, and is closed"
    ]


def test_frames_within_the_interval_come_as_one() -> None:
    """The first at once, the others together when the interval is over."""

    async def work(live: LiveRun) -> tuple[int, tuple[int, int], list[int]]:
        subscriber = Subscriber()
        live.subscribe(subscriber)
        live.gather(sample(1))
        first = subscriber.take()
        for seq in (2, 3):
            live.gather(sample(seq))
            values = {"loss": float(seq)}
            live.gather(Metrics(type="metrics", seq=seq, step=seq, time=1.0, values=values))
        assert subscriber.take() == {}
        await asyncio.wait_for(subscriber.news.wait(), 20)
        later = {topic.name: news for topic, news in subscriber.take().items()}
        (band,) = first.values()
        frame = decode(later["samples"].frame)
        points = [point.step for point in later["metrics"].listed()]
        return band.count, (frame.step, frame.seq), points

    assert with_run(work) == (1, (3, 2), [2, 3])


def test_a_frame_that_cannot_be_gathered_harms_no_probe(caplog: pytest.LogCaptureFixture) -> None:
    """Its browser misses it, which the log says, and the next frame comes."""

    async def work(live: LiveRun) -> int:
        subscriber = Subscriber()
        live.subscribe(subscriber)
        live.gather(sample(1))
        subscriber.take()
        live.gather(sample(2))
        live.gather(replace(sample(3), values={1: np.array(["no", "number"])}))
        live.gather(sample(4))
        await asyncio.wait_for(subscriber.news.wait(), 20)
        (band,) = subscriber.take().values()
        return int(band.latest.step)

    with caplog.at_level(logging.ERROR, "gradgate.server"):
        assert with_run(work) == 4
    assert "A browser of run aaaaaaaaaaaaaaaa misses samples" in caplog.text


def test_nothing_is_gathered_for_nobody() -> None:
    """A browser that comes later does not get what nobody watched."""

    async def work(live: LiveRun) -> bool:
        live.gather(sample(1))
        subscriber = Subscriber()
        live.subscribe(subscriber)
        live.gather(sample(2))
        (band,) = subscriber.take().values()
        return bool(band.count == 1)

    assert with_run(work)


def test_a_run_is_needed_until_all_of_it_is_stored() -> None:
    """Who reads it asks here what is not."""

    async def work(live: LiveRun) -> list[bool]:
        live.backlog.received = 3
        seen = [live.idle]
        live.commit(Changes(live.id, 2))
        seen.append(live.idle)
        live.commit(Changes(live.id, 3))
        return [*seen, live.idle]

    assert with_run(work) == [False, False, True]


def test_a_run_is_needed_while_it_lives_or_is_watched() -> None:
    """And a frame brings a lost one back, which its browsers are told."""

    async def work(live: LiveRun) -> list[Any]:
        subscriber = Subscriber()
        seen: list[Any] = [live.idle]
        live.subscribe(subscriber)
        seen.append(live.idle)
        live.heard()
        seen += [live.status, set(subscriber.take())]
        live.heard()
        seen.append(subscriber.take())
        live.unsubscribe(subscriber)
        seen.append(live.idle)
        live.status = RunStatus.LOST
        return [*seen, live.idle]

    assert with_run(work) == [True, False, RunStatus.LIVE, {RUN}, {}, False, True]


def test_what_is_stored_is_acknowledged(socket: Socket) -> None:
    """Up to the sequence number of the commit."""

    async def work(live: LiveRun) -> Any:
        connection = live.connection = socket.connection()
        live.commit(Changes(live.id, 12))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(connection.deliver(), 0.1)
        return [json.loads(text) for text in socket.sent]

    assert [each["seq"] for each in with_run(work)] == [12]


@pytest.mark.parametrize("shared", [False, True])
def test_a_job_sends_often_while_a_browser_watches(socket: Socket, shared: bool) -> None:
    """Of a store that other servers have too, nobody here knows what their browsers watch."""

    async def work(_: LiveRun) -> list[float]:
        live = LiveRun("a" * 16, asyncio.get_running_loop(), shared=shared)
        connection, pages = socket.connection(), [Subscriber(), Subscriber()]
        live.connect(connection)
        connection.acknowledge(1)
        delivery = asyncio.create_task(connection.deliver())
        changes = [lambda page=page: live.subscribe(page) for page in pages]
        changes += [lambda page=page: live.unsubscribe(page) for page in pages]
        for change in changes:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            change()
        await asyncio.sleep(0)
        connection.end(Refused("The test is over."))
        with pytest.raises(Refused, match="over"):
            await delivery
        return [json.loads(text)["gather"] for text in socket.sent]

    assert with_run(work) == ([0.1] if shared else [1.0, 0.1, 1.0])
