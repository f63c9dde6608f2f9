"""What one browser still has to be sent; bounded, however slow the browser is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from typing import Any, TypeVar

from ..protocol.browser_messages import Watch
from .connection import Refused
from .topics import Topic

N = TypeVar("N")

_INTERNAL_ERROR = 1011


class Subscriber:
    """The mailbox of one browser; used from the event loop only."""

    def __init__(self, watching: Callable[[Subscriber], None] | None = None) -> None:
        """`watching` is called when the browser shows something else."""
        self._watching = watching
        self.news = asyncio.Event()
        self.watched = Watch()
        """What the browser shows: news of anything else wait until it does."""
        self._waiting: dict[Topic[Any], Any] = {}
        self._ended: Refused | None = None

    def add(self, topic: Topic[N], news: N) -> None:
        """Put in news of a topic, which add up with those that wait."""
        kept = topic.part(news, self.watched)
        if kept is not None:
            self._waiting[topic] = topic.merge(self._waiting.get(topic), kept)
            self.news.set()

    def end(self, reason: str) -> None:
        """End the connection of this browser, and say why."""
        self._ended = Refused(reason, _INTERNAL_ERROR)
        self.news.set()

    def watch(self, watched: Watch) -> None:
        """Take over what the browser shows from now on."""
        self.watched = watched
        parts = {topic: topic.part(news, watched) for topic, news in self._waiting.items()}
        self._waiting = {topic: news for topic, news in parts.items() if news is not None}
        self.news.set()
        if self._watching is not None:
            self._watching(self)

    def waits(self, topic: Topic[Any]) -> bool:
        """Return whether there are news of a topic that the browser shows."""
        return topic in self._waiting and self._shows(topic)

    def take(self, later: Container[Topic[Any]] = ()) -> dict[Topic[Any], Any]:
        """Return all that waits and is shown, but for what is to be sent `later`.

        It counts as sent from now on. Raises `Refused` at the end.
        """
        if self._ended is not None:
            raise self._ended
        self.news.clear()
        ready = [topic for topic in self._waiting if self._shows(topic) and topic not in later]
        return {topic: self._waiting.pop(topic) for topic in ready}

    def _shows(self, topic: Topic[Any]) -> bool:
        """Return whether the browser shows a topic; one with a pace is a sign of life as well."""
        topics = self.watched.topics
        return topics is None or topic.name in topics or topic.pace is not None
