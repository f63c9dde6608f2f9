"""Whether a socket may be open: it is refused from the start, or its admission is taken back."""

from __future__ import annotations

import asyncio

from .connection import Refused


class Admission:
    """The admission of one socket."""

    def __init__(self, refused: Refused | None = None, *, changes: bool = True) -> None:
        """`changes`: whoever opened it may change what a job does."""
        self._refused = refused
        self.changes = changes
        self._taken_back = asyncio.Event()

    def check(self) -> None:
        """Raise `Refused` when the socket may not be open."""
        if self._refused is not None:
            raise self._refused

    def take_back(self, refused: Refused) -> None:
        """End the socket, and say why."""
        self._refused = refused
        self._taken_back.set()

    async def hold(self) -> None:
        """Wait until the admission is taken back, which raises `Refused`."""
        await self._taken_back.wait()
        self.check()
