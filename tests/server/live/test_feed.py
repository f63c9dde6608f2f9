"""The messages to one browser: order, pace, and a topic that fails."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import update
from starlette.websockets import WebSocket

from gradgate.server.live.band import Band
from gradgate.server.live.feed import Feed
from gradgate.server.live.subscriber import Subscriber
from gradgate.server.live.topics import COMMANDS, RUN, TOPICS, Topic
from gradgate.server.protocol.browser_messages import Watch
from gradgate.server.protocol.frames import decode
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.runs import open_run
from gradgate.server.store.tables import runs
from tests.server.live.conftest import Socket
from tests.support.loops import run_coroutine
from tests.support.probing import hello, pack_sample
from tests.support.storing import place

BY_NAME = {topic.name: topic for topic in TOPICS}
OPENING = ["run", "commands", "gates", "alerts", "optimizers", "events"]


@pytest.fixture
def store(tmp_path: Path, run: str) -> Iterator[Store]:
    """A store with one run."""
    store = Store(place(tmp_path))
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(run)), 1.0)
    yield store
    store.close()


class Browser(Socket):
    """Reads what it is sent, message by message."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: asyncio.Queue[Any] = asyncio.Queue()

    async def send_text(self, text: str) -> None:
        self.messages.put_nowait(json.loads(text))

    async def send_bytes(self, data: bytes) -> None:
        self.messages.put_nowait({"type": "samples"})

    async def types(self, count: int) -> list[str]:
        """The types of the next messages."""
        return [(await asyncio.wait_for(self.messages.get(), 20))["type"] for _ in range(count)]


def feeding(store: Store, run: str, *news: tuple[Topic[Any], Any], count: int) -> list[str]:
    """The types of what a browser is sent: those that open, and then what comes of news."""

    async def feed() -> list[str]:
        browser, subscriber = Browser(), Subscriber()
        feed = Feed(cast(WebSocket, browser), store, run, subscriber)
        sending = asyncio.create_task(feed.send())
        opening = await browser.types(min(count, len(OPENING)))
        for topic, each in news:
            subscriber.add(topic, each)
        later = await browser.types(count - len(opening))
        sending.cancel()
        return [*opening, *later]

    return run_coroutine(feed())


def test_a_page_is_told_of_all_that_opens_it(store: Store, run: str) -> None:
    """In the order of the table."""
    assert feeding(store, run, count=6) == OPENING


def test_a_page_that_is_refused_as_news_come_is_told_no_more(store: Store, run: str) -> None:
    """As by what it says in the same breath as it asks for other topics."""

    async def feed() -> bool:
        browser, subscriber = Browser(), Subscriber()
        feed = Feed(cast(WebSocket, browser), store, run, subscriber)
        sending = asyncio.create_task(feed.send())
        await browser.types(len(OPENING))
        while not subscriber.news._waiters:  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        subscriber.add(BY_NAME["alerts"], frozenset[int]())
        sending.cancel()
        await asyncio.wait([sending], timeout=20)
        return sending.cancelled()

    assert run_coroutine(feed())


def test_news_come_in_the_order_of_the_table(store: Store, run: str) -> None:
    """Whatever came first, and the row of the run behind them, when it is due."""
    names = ("alerts", "explanations", "run", "commands", "parameters")
    news = [(BY_NAME[name], frozenset[int]()) for name in names]
    assert feeding(store, run, *news, count=11)[6:] == [
        "parameters",
        "commands",
        "explanations",
        "alerts",
        "run",
    ]


def test_a_topic_that_cannot_be_told_keeps_no_other_from_the_page(
    store: Store, run: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names it, and what comes behind it is sent."""

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(BY_NAME["commands"], "read", fail)
    with caplog.at_level(logging.ERROR, "gradgate.server"):
        assert feeding(store, run, (COMMANDS, frozenset({1})), (RUN, frozenset()), count=6) == [
            "run",
            "gates",
            "alerts",
            "optimizers",
            "events",
            "run",
        ]
    assert f"A browser of run {run} cannot be told of commands" in caplog.text


def test_a_gate_that_cannot_be_read_hides_no_other(
    store: Store, run: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A row of another version is left out of its topic."""
    with store.write() as connection:
        connection.execute(update(runs).values(gates=[{"id": 7}]))
    with caplog.at_level(logging.ERROR, "gradgate.server"):
        assert feeding(store, run, count=6) == OPENING
    assert f"gate 7 of run {run} cannot be read" in caplog.text


def test_frames_are_as_far_apart_as_the_page_wants(store: Store, run: str) -> None:
    """The first comes at once, those in between with the next; other news do not wait for it."""
    band = Band.of(decode(pack_sample(1, 1, [1], {1: [0.5]})))

    async def feed() -> tuple[list[str], float]:
        browser, subscriber = Browser(), Subscriber()
        subscriber.watch(Watch(interval=0.5))
        feed = Feed(cast(WebSocket, browser), store, run, subscriber)
        sending = asyncio.create_task(feed.send())
        subscriber.add(BY_NAME["samples"], band)
        types = await browser.types(len(OPENING) + 1)
        start = asyncio.get_running_loop().time()
        for _ in range(3):
            subscriber.add(BY_NAME["samples"], band)
        subscriber.add(BY_NAME["explanations"], frozenset())
        while types.count("samples") < 2:
            types += await browser.types(1)
        sending.cancel()
        return types, asyncio.get_running_loop().time() - start

    types, elapsed = run_coroutine(feed())
    assert types[:8] == [*OPENING, "samples", "explanations"]
    assert elapsed > 0.4
