"""What other servers of the data base do, brought to the runs of this one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from ..protocol.frames import Sample
from ..protocol.probe_messages import Metrics
from ..store.announcements import Announcement
from ..store.appended import read_logged, read_samples
from ..store.database import Store
from ..store.guard import guarded, logged
from ..store.ledger import unapplied
from ..store.runs import live_runs
from ..store.write_queue import WriterEnded
from ..store.writer import Writer
from .live_runs import LiveRuns
from .requests import Requests
from .topics import COMMANDS

RETRY_AFTER = 1.0
RELAYED = 1000
"""Samples that a page is told of at once; it loads what came before when it is opened."""

_log = logging.getLogger("gradgate.server")

Read = Callable[[Connection, str, int, int], Sequence[Sample | Metrics]]


@dataclass
class _Range:
    """Numbers that have not been read yet."""

    first: int
    last: int

    def add(self, first: int, last: int) -> None:
        """Widen it."""
        self.first, self.last = min(self.first, first), max(self.last, last)


class OtherServers:
    """Listens to other servers; used in the event loop, beside what names another thread.

    Where the data base is this server's alone, nothing happens.
    """

    def __init__(self, store: Store, writer: Writer, runs: LiveRuns, requests: Requests) -> None:
        self._store = store
        self._writer = writer
        self._runs = runs
        self._requests = requests
        self._loop = asyncio.get_running_loop()
        self._listener = store.listener(self._news_from_listener, self._begin_from_listener)
        self._waiting = asyncio.Event()
        self._began = False
        self._commanded: set[str] = set()
        self._asked: set[asyncio.Task[None]] = set()
        self._samples: dict[str, _Range] = {}
        self._metrics: dict[str, _Range] = {}

    @property
    def heard(self) -> bool:
        """Return whether nothing that another server announces is missed now."""
        return self._listener.hearing

    def start(self) -> None:
        """Begin to listen."""
        self._listener.start()

    def close(self) -> None:
        """End listening; waits for a thread."""
        self._listener.close()

    async def bring(self) -> None:
        """Bring to jobs and browsers what was announced, until cancelled."""
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            try:
                await self._bring()
            except (SQLAlchemyError, WriterEnded) as error:
                _log.error("What other servers did cannot be read, and is tried again: %s", error)
                await asyncio.sleep(RETRY_AFTER)
                self._waiting.set()

    def hear(self, told: Announcement) -> None:
        """Take up what another server announced."""
        if told.question or told.taken or told.answered:
            self._ask(told)
            return
        live = self._runs.take(told.run)
        live.hear(told)
        if told.given and live.connection is not None:
            self._commanded.add(told.run)
        if live.watched:
            if told.samples is not None:
                first, count = told.samples
                self._widen(self._samples, told.run, first, first + count - 1)
            if told.metrics is not None:
                self._widen(self._metrics, told.run, *told.metrics)
        self._waiting.set()
        self._runs.forget(live)

    def _ask(self, told: Announcement) -> None:
        """Let a question be answered while other announcements are taken up."""
        task = asyncio.create_task(self._answer(told))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def _answer(self, told: Announcement) -> None:
        with guarded(logged("A question to the job of run %s is not answered", told.run)):
            await self._requests.hear(told)

    def begin(self) -> None:
        """Look for all that may have been announced while nothing was heard."""
        self._began = True
        for live in self._runs:
            live.refresh()
            if live.connection is not None:
                self._commanded.add(live.id)
        self._waiting.set()

    async def _bring(self) -> None:
        if self._began:
            for run in await run_in_threadpool(self._stored_live):
                self._runs.take(run).heard()
            self._began = False
        while self._commanded:
            run = self._commanded.pop()
            try:
                await self._pass_on(run)
            except (SQLAlchemyError, WriterEnded):
                self._commanded.add(run)
                raise
        for waiting, read in ((self._samples, read_samples), (self._metrics, read_logged)):
            while waiting:
                run, numbers = waiting.popitem()
                try:
                    frames = await run_in_threadpool(self._read, read, run, numbers)
                except SQLAlchemyError:
                    self._widen(waiting, run, numbers.first, numbers.last)
                    raise
                live = self._runs.get(run)
                if live is not None:
                    for frame in frames:
                        live.gather(frame)

    async def _pass_on(self, run: str) -> None:
        """Send a job what it has not applied; what it has already it takes once."""
        work = partial(unapplied, run=run, now=time.time())
        commands, rejected = await asyncio.wrap_future(self._writer.submit(work))
        live = self._runs.get(run)
        if live is None:
            return
        if rejected:
            live.publish(COMMANDS, frozenset(rejected))
        if live.connection is not None:
            for command in commands:
                live.connection.command(command)

    def _widen(self, waiting: dict[str, _Range], run: str, first: int, last: int) -> None:
        if run in waiting:
            waiting[run].add(first, last)
        else:
            waiting[run] = _Range(first, last)

    def _read(self, read: Read, run: str, numbers: _Range) -> Sequence[Sample | Metrics]:
        first = max(numbers.first, numbers.last - RELAYED)
        with self._store.read() as connection:
            return read(connection, run, first, numbers.last)

    def _stored_live(self) -> list[str]:
        with self._store.read() as connection:
            return live_runs(connection)

    def _news_from_listener(self, told: Announcement) -> None:
        self._loop.call_soon_threadsafe(self.hear, told)

    def _begin_from_listener(self) -> None:
        self._loop.call_soon_threadsafe(self.begin)
