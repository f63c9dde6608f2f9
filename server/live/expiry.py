"""Expiry: a command that has waited too long for a job that is lost comes to an end."""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from ..store.database import Store
from ..store.detection import record_command
from ..store.guard import guarded, logged
from ..store.ledger import expire_unapplied, lost_with_commands
from ..store.recording import Changes
from ..store.writer import Writer
from .live_runs import LiveRuns
from .topics import COMMANDS

PAUSE = 30.0
"""Seconds between two looks, at most."""


async def expire_commands(
    runs: LiveRuns, store: Store, writer: Writer, expire_after: float
) -> None:
    """Reject what no job has taken for so many seconds, of runs that are lost, until cancelled.

    A job that is there decides by itself.
    """
    while True:
        await asyncio.sleep(min(PAUSE, expire_after / 4))
        with guarded(logged("Whether commands have expired cannot be read")):
            before = time.time() - expire_after
            for run in await run_in_threadpool(_lost, store, before):
                with guarded(logged("What expired of run %s could not be stored", run)):
                    await _expire(runs, store, writer, run, before)


async def _expire(runs: LiveRuns, store: Store, writer: Writer, run: str, before: float) -> None:
    now = time.time()

    def work(connection: Connection) -> Changes:
        changes = Changes(run, 0)
        for number in expire_unapplied(connection, run, before, now):
            changes.add("commands", number)
            changes.add_events(record_command(connection, run, number, now))
        store.announce(connection, changes)
        return changes

    changes = await asyncio.wrap_future(writer.submit(work))
    live = runs.get(run)
    if live is not None:
        live.publish(COMMANDS, frozenset(changes.topics.get("commands", ())))
    runs.announce(run, changes.events)


def _lost(store: Store, before: float) -> list[str]:
    with store.read() as connection:
        return lost_with_commands(connection, before)
