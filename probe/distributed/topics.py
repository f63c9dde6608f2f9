"""What each rank says of a topic, on its way to the leader."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any


class Topics:
    """Outcomes of this rank that wait to be sent, and those of all that the leader waits for.

    Neither side ever waits for the store: another thread talks to it.
    """

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._lock = threading.Lock()
        self._unsent: deque[tuple[str, Any]] = deque()
        self._wanted: dict[str, dict[int, Any] | None] = {}

    def post(self, topic: str, value: object) -> None:
        """Queue this rank's outcome of ``topic``."""
        with self._lock:
            self._unsent.append((topic_key(topic, self._rank), value))

    def collect(self, topic: str) -> dict[int, Any] | None:
        """Return what every rank has posted, once all have; the first call asks for it."""
        with self._lock:
            found = self._wanted.setdefault(topic, None)
            if found is not None:
                del self._wanted[topic]
            return found

    def forget(self, topic: str) -> None:
        """Wait no longer for a topic, on which not every rank has posted."""
        with self._lock:
            self._wanted.pop(topic, None)

    def take_unsent(self) -> tuple[str, Any] | None:
        """Return the key and the value that are to be sent next, and forget them."""
        with self._lock:
            return self._unsent.popleft() if self._unsent else None

    def put_back(self, key: str, value: object) -> None:
        """Send this first the next time: the store did not take it."""
        with self._lock:
            self._unsent.appendleft((key, value))

    def wanted(self) -> list[str]:
        """Return the topics that are waited for."""
        with self._lock:
            return [topic for topic, found in self._wanted.items() if found is None]

    def found(self, topic: str, outcomes: dict[int, Any]) -> None:
        """Take in what every rank has posted."""
        with self._lock:
            self._wanted[topic] = outcomes


def topic_key(topic: str, rank: int) -> str:
    """Return where in the store a rank's outcome of a topic is."""
    return f"topic/{topic}/{rank}"
