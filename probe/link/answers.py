"""Answers to the server's questions, which only the connection that asked is interested in."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator

from .server_messages import Message

MOST = 64
"""Answers that wait to be sent, at most; more drop the oldest, whose asker waits no longer."""


class Answers:
    """Messages that are not sequenced: sent over the present connection, or never."""

    def __init__(self) -> None:
        self._waiting: deque[Message] = deque(maxlen=MOST)
        self._wake: Callable[[], None] | None = None

    def put(self, message: Message) -> None:
        """Add a message; in any thread."""
        self._waiting.append(message)
        wake = self._wake
        if wake is not None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
                wake()

    def listen(self, wake: Callable[[], None] | None) -> None:
        """Begin with a new connection: drop what an earlier one was to be told.

        ``wake`` is called (in the thread that puts) for each message; None: nobody sends.
        """
        if wake is not None:
            self._waiting.clear()
        self._wake = wake

    def take(self) -> Iterator[Message]:
        """Yield what waits, oldest first."""
        while self._waiting:
            yield self._waiting.popleft()
