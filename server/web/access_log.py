"""Writes into the audit log who came in, who was refused, and which tokens came and went."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ..protocol.audit import Action
from ..store.audit import Actor, Entry, record_entry
from ..store.write_queue import WriterEnded
from ..store.writer import Writer
from .tokens import Token

EVERY = 1.0
"""Seconds after which what happened is written."""
MOST = 1000
"""Entries that wait while the store cannot be written; later ones are left out, and logged."""
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
"""Seconds between two entries of wrong tokens, which double as long as such are shown."""
NAMED = 8
"""Addresses that such an entry names."""
_ADDRESSES = 1000
TOKEN_FILE = Actor("token file")

_log = logging.getLogger("gradgate.server")


class WrongTries:
    """Counts wrong tokens, so that a flood of them is a few entries and not one each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` has seconds."""
        self._clock = clock
        self._tries: dict[str, int] = {}
        self._others = 0
        self._next = self._clock()
        self._pause = FIRST_PAUSE

    def add(self, address: str) -> None:
        """Count one of an address."""
        if address in self._tries or len(self._tries) < _ADDRESSES:
            self._tries[address] = self._tries.get(address, 0) + 1
        else:
            self._others += 1

    def take(self, at_once: bool = False) -> Entry | None:
        """Return one entry of all since the last, when it is time for one, or `at_once`."""
        now = self._clock()
        if not self._tries or (now < self._next and not at_once):
            return None
        quiet = now - self._next > self._pause
        self._pause = FIRST_PAUSE if quiet else min(2 * self._pause, LONGEST_PAUSE)
        self._next = now + self._pause
        most = sorted(self._tries, key=self._tries.__getitem__, reverse=True)
        detail: dict[str, Any] = {"tries": sum(self._tries.values()) + self._others}
        if len(most) > 1:
            detail |= {"addresses": most[:NAMED], "more": len(most) > NAMED}
        address = most[0] if len(most) == 1 else ""
        self._tries, self._others = {}, 0
        return Entry(Actor(address=address), "wrong_token", detail)


class AccessLog:
    """Keeps what happened until it is written; for the event loop."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._wrong = WrongTries()

    def add(self, actor: Actor, action: Action, **detail: str) -> None:
        """Have an entry written soon."""
        if len(self._entries) < MOST:
            self._entries.append(Entry(actor, action, detail))
        else:
            _log.error("The audit log is full of what waits: %s by %s", action, actor.title)

    def wrong_token(self, address: str) -> None:
        """Count a wrong token of an address."""
        self._wrong.add(address)

    def tokens_changed(self, before: Iterable[Token], after: Iterable[Token]) -> None:
        """Have written which tokens of the file came and went; never what they are."""
        gone, come = set(before) - set(after), set(after) - set(before)
        for action, tokens in (("token_revoked", gone), ("token_added", come)):
            for each in sorted(tokens, key=lambda token: token.name):
                self.add(TOKEN_FILE, action, token=each.name, kind=each.kind.name.lower())  # type: ignore[arg-type]

    async def keep_writing(self, writer: Writer) -> None:
        """Write what happened, again and again, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.flush(writer)

    async def flush(self, writer: Writer, at_once: bool = False) -> None:
        """Write what waits; wrong tokens when it is time, or `at_once`."""
        if (wrong := self._wrong.take(at_once)) is not None:
            self._entries.append(wrong)
        entries, self._entries = self._entries, []
        if not entries:
            return

        def work(connection: Connection) -> None:
            for each in entries:
                record_entry(connection, each)

        try:
            await asyncio.wrap_future(writer.submit(work))
        except (SQLAlchemyError, WriterEnded):
            self._entries = entries + self._entries
