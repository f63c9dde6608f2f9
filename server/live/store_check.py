"""Whether the store can be written, found out at most once a second."""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import Connection, update
from sqlalchemy.exc import SQLAlchemyError

from ..store.tables import meta
from ..store.write_queue import WriterEnded
from ..store.writer import Writer

FRESH = 1.0
"""Seconds for which what was found out, or what was committed, says how the store is."""
PATIENCE = 3.0


class StoreCheck:
    """Says what keeps a store from being written; to be used in the event loop.

    However many ask, one look is on its way at most, and one that ended is good for `FRESH`
    seconds. A commit of late is as good as a look. A look does all that a write does but the
    commit; only where the latest write failed does it commit, to see whether the next would fail.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._look: asyncio.Task[str | None] | None = None
        self._known_until = 0.0

    async def error(self) -> str | None:
        """Return a sentence, or None when the store can be written."""
        if not self._writer.running:
            return str(WriterEnded())
        if self._writer.error is None and time.monotonic() - self._writer.last_end < FRESH:
            return None
        if self._look is None or (self._look.done() and time.monotonic() >= self._known_until):
            self._look = asyncio.create_task(self._found())
        return await asyncio.shield(self._look)

    async def _found(self) -> str | None:
        try:
            return await self._tried()
        finally:
            self._known_until = time.monotonic() + FRESH

    async def _tried(self) -> str | None:
        failed = self._writer.error is not None
        tried = self._writer.submit(_touch, commit=failed)
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.wrap_future(tried)
        except TimeoutError:
            return (
                _failing(self._writer.error)
                or f"The store did not take a write within {PATIENCE:.0f} seconds."
            )
        except WriterEnded as error:
            return str(error)
        except SQLAlchemyError as error:
            return _failing(str(getattr(error, "orig", None) or error))
        return None


def _failing(reason: str | None) -> str | None:
    if reason is None:
        return None
    line = " ".join(reason.split())
    return f"The store cannot be written ({line}): what jobs send is kept, and written once it can."


def _touch(connection: Connection) -> None:
    connection.execute(
        update(meta).where(meta.c.key == "schema_version").values(value=meta.c.value)
    )
