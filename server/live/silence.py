"""Silence: a run of which nothing is heard for a while is lost."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from ..protocol.runs import RunStatus
from ..store.guard import guarded, logged
from ..store.runs import lose
from ..store.write_queue import WriterEnded
from ..store.writer import Writer
from .live_run import LiveRun
from .live_runs import LiveRuns
from .topics import RUN

_log = logging.getLogger("gradgate.server")


async def watch_for_silence(runs: LiveRuns, writer: Writer, lost_after: float) -> None:
    """Call live runs lost of which nothing was heard for so many seconds, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(min(1.0, lost_after / 4))
        silent_since = loop.time() - lost_after
        for live in runs:
            if live.status is RunStatus.LIVE and live.heard_at < silent_since:
                with guarded(logged("Run %s is lost, and that could not be told", live.id)):
                    await _lose(runs, writer, live)


async def _lose(runs: LiveRuns, writer: Writer, live: LiveRun) -> None:
    live.status = RunStatus.LOST
    work = partial(lose, run=live.id)
    try:
        await asyncio.wrap_future(writer.submit(work))
    except (SQLAlchemyError, WriterEnded) as error:
        _log.error("Run %s is lost, and that could not be stored: %s", live.id, error)
        live.status = RunStatus.LIVE
        return
    live.publish(RUN, frozenset())
    runs.forget(live)
