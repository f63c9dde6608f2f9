"""What one browser still has to be sent; bounded, however slow the browser is."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from .connection import Refused
from .topics import Topic

N = TypeVar("N")

_INTERNAL_ERROR = 1011


class Subscriber:
    """The mailbox of one browser; used from the event loop only."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._waiting: dict[Topic[Any], Any] = {}
        self._ended: Refused | None = None

    def add(self, topic: Topic[N], news: N) -> None:
        """Put in news of a topic, which add up with those that wait."""
        self._waiting[topic] = topic.merge(self._waiting.get(topic), news)
        self.news.set()

    def end(self, reason: str) -> None:
        """End the connection of this browser, and say why."""
        self._ended = Refused(reason, _INTERNAL_ERROR)
        self.news.set()

    def take(self) -> dict[Topic[Any], Any]:
        """Return all that waits, which counts as sent from now on; raises `Refused` at the end."""
        if self._ended is not None:
            raise self._ended
        waiting, self._waiting = self._waiting, {}
        self.news.clear()
        return waiting
