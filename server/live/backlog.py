"""What came of a run and is not stored yet, by its numbers."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Backlog:
    """How far a run has come, and how far it is stored; used in the event loop."""

    def __init__(self) -> None:
        self.received = 0
        """The highest number that was taken of a probe."""
        self._stored = 0
        self._given_up = False
        self._moved = asyncio.Event()

    def __bool__(self) -> bool:
        """Return whether something came that is not stored, and will be."""
        return self._stored < self.received and not self._given_up

    def restart(self, seq: int) -> None:
        """Begin with what is stored, after which a probe goes on."""
        self.received = self._stored = seq
        self._given_up = False
        self._moved.set()

    def store(self, seq: int) -> None:
        """Count all up to a number as stored."""
        self._stored = max(self._stored, seq)
        self._moved.set()

    def give_up(self) -> None:
        """Wait for nothing until a probe begins anew: nothing is stored before."""
        self._given_up = True
        self._moved.set()

    async def stored(self, patience: float) -> None:
        """Wait until what came so far is stored, at most so many seconds."""
        wanted = self.received
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self and self._stored < wanted:
                    self._moved.clear()
                    await self._moved.wait()
