"""What people change of the runs themselves: names, tags and notes, and whether they are there."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from ..protocol.run_names import numbered
from ..protocol.runs import RunEdit, RunRow
from ..store.audit import NOBODY_KNOWN, Actor, Entry, record_entry
from ..store.database import Store
from ..store.deletion import begin_deletion, delete_some, deleted_runs
from ..store.recording import Changes
from ..store.refusals import LiveRunKept
from ..store.runs import edit_run, run_record, run_row
from ..store.write_queue import WriterEnded
from ..store.writer import Writer
from .live_runs import LiveRuns

PAUSE = 0.1
"""Seconds between two transactions that delete, for what arrives meanwhile."""
RETRY_AFTER = 5.0

_log = logging.getLogger("gradgate.server")


class Administration:
    """Edits and deletes the runs of a server; to be used from the event loop."""

    def __init__(self, store: Store, writer: Writer, runs: LiveRuns) -> None:
        self._store = store
        self._writer = writer
        self._runs = runs
        self._deleted = asyncio.Event()

    async def edit(self, run: str, edit: RunEdit, actor: Actor = NOBODY_KNOWN) -> RunRow:
        """Change a run, and tell the browsers that watch it; raises what `edit_run` raises."""

        def work(connection: Connection) -> tuple[RunRow, Changes]:
            name = numbered(run_record(connection, run))
            changes = Changes(run, edit_run(connection, run, edit))
            record_entry(connection, Entry(actor, "edit", edit.changed, run, name))
            self._store.announce(connection, changes)
            return run_row(connection, run), changes

        row, changes = await asyncio.wrap_future(self._writer.submit(work))
        self._runs.commit([changes])
        return row

    async def delete(self, run: str, actor: Actor = NOBODY_KNOWN) -> None:
        """Delete a run, and its data in the background; raises what `begin_deletion` raises.

        A run whose job is connected is as good as live, whatever is stored.
        """
        live = self._runs.get(run)
        if live is not None and live.connection is not None:
            raise LiveRunKept(run)

        def work(connection: Connection) -> None:
            name = numbered(run_record(connection, run))
            begin_deletion(connection, run)
            record_entry(connection, Entry(actor, "delete", run=run, name=name))

        await asyncio.wrap_future(self._writer.submit(work))
        self._deleted.set()

    async def remove_deleted(self) -> None:
        """Remove what is left of deleted runs, of an earlier server too, until cancelled."""
        while True:
            try:
                for run in await run_in_threadpool(self._left):
                    while await self._delete_some(run):
                        await asyncio.sleep(PAUSE)
            except (SQLAlchemyError, WriterEnded) as error:
                _log.error("The data of deleted runs cannot be removed now: %s", error)
                await asyncio.sleep(RETRY_AFTER)
                continue
            await self._deleted.wait()
            self._deleted.clear()

    async def _delete_some(self, run: str) -> bool:
        return await asyncio.wrap_future(self._writer.submit(partial(delete_some, run=run)))

    def _left(self) -> list[str]:
        with self._store.read() as connection:
            return deleted_runs(connection)
