"""The commands that last while a page is there, told to the job for as long as one is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..protocol import limits
from .connection import ProbeConnection
from .subscriber import Subscriber

REPEAT = 15.0
"""Seconds after which a job is told again: it waits for four times as many before it undoes what
it heard nothing of."""


class RunHolds:
    """What the pages of one run hold on to; used from the event loop only."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: dict[Subscriber, Sequence[int]] = {}
        """By page."""
        self._connection: ProbeConnection | None = None
        self._repeat: asyncio.TimerHandle | None = None

    def follow(self, page: Subscriber) -> None:
        """Take over what a page holds now."""
        before = self._held.get(page, [])
        self._held[page] = page.watched.holds
        if before != page.watched.holds:
            self._tell()

    def leave(self, page: Subscriber) -> None:
        """Let a page go."""
        self._held.pop(page, None)

    def connect(self, connection: ProbeConnection) -> None:
        """Tell a job that has come."""
        self._connection = connection
        self._tell()

    def disconnect(self) -> None:
        """Let the job go."""
        self._connection = None

    def _tell(self) -> None:
        """Tell the job which commands are held, and again as long as there are any."""
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None
        held = sorted({number for each in self._held.values() for number in each})
        if self._connection is not None and held:
            self._connection.watched(held[-limits.HOLDS :])
            self._repeat = self._loop.call_later(REPEAT, self._tell)
