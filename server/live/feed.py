"""What one browser is sent: what it shows of a run, as fast as it reads."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import Any, cast

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket

from ..protocol.models import Message
from ..store.database import Store
from ..store.guard import guarded, logged
from ..store.refusals import Refusal
from .subscriber import Subscriber
from .topics import TOPICS, DirectTopic, Ids, Pace, StoredTopic, StreamedTopic, Topic

_PACED: tuple[tuple[Topic[Any], Pace], ...] = tuple(
    (topic, topic.pace) for topic in TOPICS if topic.pace is not None
)
_STREAMED = tuple(topic for topic in TOPICS if isinstance(topic, StreamedTopic))


class Feed:
    """The messages to one browser."""

    def __init__(
        self, websocket: WebSocket, store: Store, run: str, subscriber: Subscriber
    ) -> None:
        self._websocket = websocket
        self._store = store
        self._run = run
        self._subscriber = subscriber
        self._clock = asyncio.get_running_loop().time
        self._changed: set[Topic[Any]] = set()
        self._sent_at: dict[Topic[Any], float] = {}

    async def send(self) -> None:
        """Send all that there is, and then what comes."""
        for topic in TOPICS:
            if topic.opens:
                await self._send(topic, frozenset())
        while True:
            news = await self._wait()
            self._changed.update(news)
            for topic in TOPICS:
                if topic in news and topic.pace is None:
                    await self._send(topic, news[topic])
            for topic, pace in _PACED:
                if self._clock() >= self._due(topic, pace):
                    await self._send(topic, frozenset())

    async def _wait(self) -> dict[Topic[Any], Any]:
        """Return the news that are to be sent, once there are any or a topic is due by its pace."""
        told = [due for topic, due in self._told_of().items() if self._subscriber.waits(topic)]
        due = min(*(self._due(topic, pace) for topic, pace in _PACED), *told, math.inf)
        # Not by wait_for, which in Python 3.11 loses a cancellation that comes with the news.
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due if due < math.inf else None):
                await self._subscriber.news.wait()
        return self._subscriber.take(later=self._told_of())

    def _told_of(self) -> dict[Topic[Any], float]:
        """Return what was streamed within the interval that the page wants, and when it is due."""
        now, interval = self._clock(), self._subscriber.watched.interval
        due = {each: self._sent_at.get(each, -math.inf) + interval for each in _STREAMED}
        return {topic: when for topic, when in due.items() if when > now}

    def _due(self, topic: Topic[Any], pace: Pace) -> float:
        pause = pace.after_news if topic in self._changed else pace.without_news
        return self._sent_at[topic] + pause

    async def _send(self, topic: Topic[Any], news: Any) -> None:
        """Send a topic; one that cannot be made is logged by its name, and the others go on."""
        self._changed.discard(topic)
        frame: str | bytes | None = None
        failed = logged("A browser of run %s cannot be told of %s", self._run, topic.name)
        with guarded(failed, passing=(SQLAlchemyError, Refusal)):
            message = await self._message(topic, news)
            frame = message.model_dump_json() if isinstance(message, Message) else message
        self._sent_at[topic] = self._clock()
        if isinstance(frame, bytes):
            await self._websocket.send_bytes(frame)
        elif frame is not None:
            await self._websocket.send_text(frame)

    async def _message(self, topic: Topic[Any], news: Any) -> Message | bytes | None:
        if isinstance(topic, StoredTopic):
            return await run_in_threadpool(self._read, topic, news)
        return cast(DirectTopic[Any], topic).message(news, self._subscriber.watched)

    def _read(self, topic: StoredTopic, ids: Ids) -> Message:
        with self._store.read() as connection:
            return topic.read(connection, self._run, ids)
