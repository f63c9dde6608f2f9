"""The hub: brings probes, the writer and browsers together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from ..events.thresholds import Thresholds
from ..protocol import limits
from ..protocol.commands.registry import AnyCommand
from ..protocol.probe_messages import Hello
from ..protocol.runs import RunStatus
from ..store.database import Store
from ..store.detection import record_command, record_status
from ..store.guard import guarded, logged
from ..store.keep import Keep
from ..store.ledger import resume_unapplied, unapplied
from ..store.levels.compactor import Compactor
from ..store.levels.merging import SampleMerges
from ..store.metrics.merging import MetricMerges
from ..store.recording import Changes
from ..store.retention import EVERY, Retention
from ..store.runs import OpenedRun, live_runs, open_run
from ..store.writer import Writer
from .administration import Administration
from .connection import ProbeConnection, Refused
from .expiry import expire_commands
from .live_run import LiveRun
from .live_runs import LiveRuns
from .other_servers import OtherServers
from .requests import Requests
from .silence import watch_for_silence
from .store_check import StoreCheck
from .subscriber import Subscriber

STORED_WITHIN = 1.0
"""Seconds for which who reads a run waits for what came of it: the store may take nothing."""


class TooManyConnections(Refused):
    """No more connections of a kind are taken."""

    def __init__(self, kind: str, limit: int) -> None:
        super().__init__(
            f"This server has {limit} {kind} connections, and takes no more: close some, "
            "or start another server.",
            retry=True,
            reason="connections",
        )


class Hub:
    """The connections of one server; made and used in the event loop."""

    def __init__(
        self,
        store: Store,
        lost_after: float,
        keep: Keep,
        thresholds: Thresholds | None = None,
        notify: Callable[[str, Sequence[int]], None] | None = None,
        expire_after: float | None = None,
    ) -> None:
        """`notify` is told of each run's new events, by their ids; it does not wait.

        `expire_after`: seconds after which a command that no job has heard of is not applied.
        """
        self.expire_after = expire_after
        self._store = store
        self._lost_after = lost_after
        self._runs = LiveRuns(asyncio.get_running_loop(), notify, shared=store.shared)
        self._probes = 0
        self._browsers = 0
        self.writer = Writer(
            store, self._commit_from_writer, self._runs.drop_from_writer, thresholds
        )
        self._retention = Retention(keep)
        self._compactor = Compactor(
            store,
            self.writer.submit,
            (SampleMerges(), MetricMerges(), self._retention),
            self._writer_busy,
        )
        self.store_check = StoreCheck(self.writer)
        self.requests = Requests(store, self.writer, self._runs)
        self._others = OtherServers(store, self.writer, self._runs, self.requests)
        self.administration = Administration(store, self.writer, self._runs)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write, and watch for runs that fall silent, as long as the context lasts."""
        for run in await run_in_threadpool(self._stored_live):
            self._runs.take(run).heard()
        self.writer.start()
        self._compactor.start()
        self._others.start()
        silence = watch_for_silence(
            self._runs, self._store, self.writer, self._others, self._lost_after
        )
        background = [
            asyncio.create_task(silence),
            asyncio.create_task(self._others.bring()),
            asyncio.create_task(self.administration.remove_deleted()),
            asyncio.create_task(self._look_through()),
        ]
        if self.expire_after is not None:
            expiry = expire_commands(self._runs, self._store, self.writer, self.expire_after)
            background.append(asyncio.create_task(expiry))
        try:
            yield
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            # The writer first, since a merge waits for all that is queued before it.
            await run_in_threadpool(self.writer.close)
            await run_in_threadpool(self._compactor.close)
            await run_in_threadpool(self._others.close)

    @property
    def probes(self) -> int:
        """Return how many probes are connected."""
        return self._probes

    @property
    def browsers(self) -> int:
        """Return how many browsers are."""
        return self._browsers

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
        """Connect a probe to its run, in place of an earlier connection of that run."""
        live = self._runs.take(run)
        if live.connection is not None:
            # The older one's hello may have been late, and then it is the newer that is wanted.
            newer = "A newer connection of the same run took over."
            live.connection.end(Refused(newer, retry=True))
        live.connect(connection)
        try:
            yield live
        finally:
            if live.connection is connection:
                live.disconnect()
            connection.questions.abandon()
            self._runs.forget(live)

    @contextmanager
    def browser(self, run: str) -> Iterator[Subscriber]:
        """Let a browser watch a run; raises `TooManyConnections`."""
        if self._browsers >= limits.BROWSER_CONNECTIONS:
            raise TooManyConnections("browser", limits.BROWSER_CONNECTIONS)
        self._browsers += 1
        live = self._runs.take(run)
        subscriber = Subscriber(live.follow)
        live.subscribe(subscriber)
        try:
            yield subscriber
        finally:
            self._browsers -= 1
            live.unsubscribe(subscriber)
            self._runs.forget(live)

    async def open(self, live: LiveRun, hello: Hello) -> tuple[OpenedRun, list[AnyCommand]]:
        """Store that a probe is there, and return what it has to be sent.

        Raises `UnknownTable` where the probe names a table that is not known, another `Refusal`, or
        `SQLAlchemyError` or `WriterEnded` when the store cannot be written.
        """

        known = live.table

        def work(connection: Connection) -> tuple[OpenedRun, list[AnyCommand], Changes]:
            self.writer.resume(hello.run)
            now = time.time()
            opened = open_run(connection, hello, now, known)
            resumed = resume_unapplied(connection, hello.run)
            commands, rejected = unapplied(connection, hello.run, now)
            # An end is said again to nobody: a goodbye that comes behind this hello asks for it.
            ended = opened.status_now.ended
            changes = Changes(live.id, opened.last_seq, status=None if ended else RunStatus.LIVE)
            changes.add("parameters")
            if resumed or rejected:
                changes.add("commands", *resumed, *rejected)
            changes.add_events(
                record_status(connection, live.id, opened.status, opened.status_now, now)
            )
            for number in rejected:
                changes.add_events(record_command(connection, live.id, number, now))
            self._store.announce(connection, changes)
            return opened, commands, changes

        opened, commands, changes = await asyncio.wrap_future(self.writer.submit(work))
        live.backlog.restart(opened.last_seq)
        live.take_table(opened.table)
        live.heard()
        self._runs.commit([changes])
        if live.connection is not None:
            live.focus.connect(live.connection, hello.focus)
            live.holds.connect(live.connection)
        return opened, commands

    async def stored(self, run: str) -> None:
        """Wait until what came of a run so far is stored, `STORED_WITHIN` seconds at most.

        Not where nothing can be stored now.
        """
        if self.writer.running and self.writer.error is None:
            await self._runs.stored(run, STORED_WITHIN)

    def _writer_busy(self) -> bool:
        return self.writer.busy

    def _commit_from_writer(self, changes: Sequence[Changes]) -> None:
        self._runs.commit_from_writer(changes)
        self._compactor.notice(change.run for change in changes)

    async def _look_through(self) -> None:
        """Have every run looked at now and then, since what it keeps grows old by itself."""
        while True:
            await asyncio.sleep(EVERY)
            with guarded(logged("The runs could not be looked through")):
                self._compactor.notice(await run_in_threadpool(self._stored))

    def _stored(self) -> list[str]:
        with self._store.read() as connection:
            return self._retention.unmerged_runs(connection)

    def _stored_live(self) -> list[str]:
        found: list[str] = []
        with (
            guarded(logged("The runs that were live cannot be read")),
            self._store.read() as connection,
        ):
            found = live_runs(connection)
        return found
