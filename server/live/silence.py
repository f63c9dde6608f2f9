"""Silence: a run of which nothing is heard for a while is lost."""

from __future__ import annotations

import asyncio
import logging
import time

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ..protocol.runs import RunStatus
from ..store.database import Store
from ..store.detection import record_status
from ..store.guard import guarded, logged
from ..store.ledger import delay_unapplied
from ..store.recording import Changes
from ..store.runs import lose
from ..store.write_queue import WriterEnded
from ..store.writer import Writer
from .live_run import LiveRun
from .live_runs import LiveRuns
from .other_servers import OtherServers
from .topics import COMMANDS, RUN

_log = logging.getLogger("gradgate.server")


async def watch_for_silence(
    runs: LiveRuns, store: Store, writer: Writer, others: OtherServers, lost_after: float
) -> None:
    """Call live runs lost of which nothing was heard for so many seconds, until cancelled.

    Another server may hear a run, so none is lost while the others are not heard. Nor is one for
    what this server did not hear while it stood still itself.
    """
    loop = asyncio.get_running_loop()
    pause = min(1.0, lost_after / 4)
    looked = loop.time()
    while True:
        await asyncio.sleep(pause)
        stood_still = loop.time() - looked - pause
        looked = loop.time()
        if stood_still > lost_after / 2:
            for live in runs:
                live.heard_at += stood_still
        silent_since = looked - lost_after
        for live in runs if others.heard else ():
            if live.status is RunStatus.LIVE and live.heard_at < silent_since:
                with guarded(logged("Run %s is lost, and that could not be told", live.id)):
                    await _lose(runs, store, writer, live)


async def _lose(runs: LiveRuns, store: Store, writer: Writer, live: LiveRun) -> None:
    live.status = RunStatus.LOST
    now = time.time()

    def work(connection: Connection) -> tuple[list[int], list[int]]:
        changes = Changes(live.id, 0, status=RunStatus.LOST)
        delayed: list[int] = []
        if lose(connection, live.id):
            told = record_status(connection, live.id, RunStatus.LIVE, RunStatus.LOST, now)
            changes.add_events(told)
            delayed = delay_unapplied(connection, live.id)
            if delayed:
                changes.add("commands", *delayed)
        store.announce(connection, changes)
        return changes.events, delayed

    try:
        events, delayed = await asyncio.wrap_future(writer.submit(work))
    except (SQLAlchemyError, WriterEnded) as error:
        _log.error("Run %s is lost, and that could not be stored: %s", live.id, error)
        live.status = RunStatus.LIVE
        return
    live.publish(RUN, frozenset())
    if delayed:
        live.publish(COMMANDS, frozenset(delayed))
    runs.announce(live.id, events)
    runs.forget(live)
