"""The runs that something is connected to, and which of them are lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from ..protocol import limits
from ..protocol.commands.change import ChangeRequest
from ..protocol.commands.registry import AnyCommand, AnyRequest
from ..protocol.commands.row import CommandRow
from ..protocol.effects import Preview
from ..protocol.probe_messages import Hello
from ..protocol.runs import RunStatus
from ..protocol.trials import RecordedHistory, Trial, TrialRequest
from ..store.database import Store
from ..store.ledger import command_of, request, unapplied
from ..store.recording import Changes
from ..store.refusals import FinishedRun
from ..store.runs import OpenedRun, live_runs, open_run, set_status, status_of
from ..store.trial_history import recorded_history
from ..store.writer import Writer, WriterEnded
from .connection import ProbeConnection, Refused
from .live_run import LiveRun
from .questions import NoJob, NoJobNow, Questions
from .subscriber import Subscriber

_DROPPED = (
    "The server cannot store what this run sent, and its log says why: nothing more of the run is "
    "stored. Look there, and attach the probe anew."
)

_log = logging.getLogger("gradgate.server")


class TooManyConnections(Refused):
    """No more connections of a kind are taken."""

    def __init__(self, kind: str, limit: int) -> None:
        super().__init__(
            f"This server has {limit} {kind} connections, and takes no more: close some, "
            "or start another server.",
            retry=True,
        )


class Hub:
    """Brings probes, the writer and browsers together; made and used in the event loop.

    `request` alone may be called from any thread.
    """

    def __init__(self, store: Store, lost_after: float) -> None:
        self._store = store
        self._lost_after = lost_after
        self._loop = asyncio.get_running_loop()
        self._runs: dict[str, LiveRun] = {}
        self._probes = 0
        self._browsers = 0
        self.writer = Writer(
            store,
            lambda changes: self._call(partial(self._committed, changes)),
            lambda run: self._call(partial(self._dropped, run)),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write, and watch for runs that fall silent, as long as the context lasts."""
        for run in await run_in_threadpool(self._stored_live):
            self._live_run(run).heard()
        self.writer.start()
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await run_in_threadpool(self.writer.close)

    @contextmanager
    def probe_socket(self) -> Iterator[None]:
        """Count a probe's connection, from before it says a word; raises `TooManyConnections`."""
        if self._probes >= limits.PROBE_CONNECTIONS:
            raise TooManyConnections("probe", limits.PROBE_CONNECTIONS)
        self._probes += 1
        try:
            yield
        finally:
            self._probes -= 1

    @contextmanager
    def probe(self, run: str, connection: ProbeConnection) -> Iterator[LiveRun]:
        """A run with its probe connected, in place of an earlier connection of that run."""
        live = self._live_run(run)
        if live.connection is not None:
            live.connection.end(Refused("A newer connection of the same run took over."))
        live.connection = connection
        try:
            yield live
        finally:
            if live.connection is connection:
                live.connection = None
            connection.questions.abandon()
            self._forget(live)

    @contextmanager
    def browser(self, run: str) -> Iterator[Subscriber]:
        """A browser that watches a run; raises `TooManyConnections`."""
        if self._browsers >= limits.BROWSER_CONNECTIONS:
            raise TooManyConnections("browser", limits.BROWSER_CONNECTIONS)
        self._browsers += 1
        live = self._live_run(run)
        subscriber = Subscriber()
        live.subscribe(subscriber)
        try:
            yield subscriber
        finally:
            self._browsers -= 1
            live.unsubscribe(subscriber)
            self._forget(live)

    async def open(self, live: LiveRun, hello: Hello) -> tuple[OpenedRun, list[AnyCommand]]:
        """Store that a probe is there, and return what it has to be told.

        Raises `Refusal`, or `SQLAlchemyError` or `WriterEnded` when the store cannot be written.
        """

        def work(connection: Connection) -> tuple[OpenedRun, list[AnyCommand]]:
            self.writer.resume(hello.run)
            opened = open_run(connection, hello, time.time())
            return opened, unapplied(connection, hello.run)

        opened, commands = await asyncio.wrap_future(self.writer.submit(work))
        live.received_seq = opened.last_seq
        live.table = opened.table
        live.heard()
        self._committed([Changes(live.id, opened.last_seq, parameters=True)])
        return opened, commands

    def request(self, run: str, asked: AnyRequest) -> Future[CommandRow]:
        """Store a command, and pass it to the probe and to the browsers when it is stored.

        The future raises what `ledger.request` or `Writer.submit` raise.
        """
        future = self.writer.submit(partial(request, run=run, asked=asked, now=time.time()))
        # Called in the writer's thread, so commands are passed on in the order of their ids.
        future.add_done_callback(partial(self._answered, run))
        return future

    async def preview(self, run: str, asked: ChangeRequest) -> Preview:
        """Ask a run's job what a command would touch.

        Raises `UnknownRun`, `FinishedRun`, `NoJob`, `NoJobNow`, or what `Questions.preview` raises.
        """
        return await (await self._questions(run)).preview(asked)

    async def trial(self, run: str, asked: TrialRequest) -> Trial:
        """Ask a run's job how a gate would have fared over what is recorded.

        Raises `UnknownRun`, `FinishedRun`, `NoJob`, `NoJobNow`, or what `Questions.trial` raises.
        """
        history = await run_in_threadpool(self._history, run, asked)
        return await (await self._questions(run)).trial(asked, history)

    async def _questions(self, run: str) -> Questions:
        """What the job of a run is asked by; raises when there is nobody to ask."""
        status = await run_in_threadpool(self._status, run)
        if status is RunStatus.FINISHED:
            raise FinishedRun(run)
        live = self._runs.get(run)
        if live is not None and live.connection is not None:
            return live.connection.questions
        absent = NoJobNow if status is RunStatus.LIVE else NoJob
        raise absent(
            f"The job of run {run!r} is not connected, so it cannot be asked: try again when "
            "it is back, or send the command without asking, and it waits for the job."
        )

    def _answered(self, run: str, future: Future[CommandRow]) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        row = future.result()
        self._call(partial(self._requested, run, command_of(row.model_dump())))

    def _requested(self, run: str, command: AnyCommand) -> None:
        live = self._runs.get(run)
        if live is not None:
            if live.connection is not None:
                live.connection.command(command)
            live.command_requested(command.id)

    def _committed(self, changes: Sequence[Changes]) -> None:
        for change in changes:
            live = self._runs.get(change.run)
            if live is not None:
                live.committed(change)

    def _dropped(self, run: str) -> None:
        live = self._runs.get(run)
        if live is not None and live.connection is not None:
            live.connection.end(Refused(_DROPPED))

    def _call(self, work: partial[None]) -> None:
        self._loop.call_soon_threadsafe(work)

    def _status(self, run: str) -> RunStatus:
        with self._store.read() as connection:
            return status_of(connection, run)

    def _history(self, run: str, asked: TrialRequest) -> RecordedHistory | None:
        with self._store.read() as connection:
            return recorded_history(connection, run, asked)

    def _stored_live(self) -> list[str]:
        with self._store.read() as connection:
            return live_runs(connection)

    def _live_run(self, run: str) -> LiveRun:
        if run not in self._runs:
            self._runs[run] = LiveRun(run, self._loop)
        return self._runs[run]

    def _forget(self, live: LiveRun) -> None:
        if live.idle:
            self._runs.pop(live.id, None)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._lost_after / 4))
            silent_since = self._loop.time() - self._lost_after
            for live in list(self._runs.values()):
                if live.status is RunStatus.LIVE and live.heard_at < silent_since:
                    await self._lose(live)

    async def _lose(self, live: LiveRun) -> None:
        live.status = RunStatus.LOST
        work = partial(set_status, run=live.id, status=RunStatus.LOST)
        try:
            await asyncio.wrap_future(self.writer.submit(work))
        except (SQLAlchemyError, WriterEnded) as error:
            _log.error("Run %s is lost, and that could not be stored: %s", live.id, error)
            live.status = RunStatus.LIVE
            return
        live.announce()
        self._forget(live)
