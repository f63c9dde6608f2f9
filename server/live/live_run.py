"""A run as the server knows it in memory: its probe, its status, and who watches."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from ..protocol.frames import Sample
from ..protocol.parameter_table import NO_TABLE, Table
from ..protocol.probe_messages import Distributions, Streamed
from ..protocol.runs import RunStatus
from ..store.announcements import Announcement
from ..store.guard import guarded, logged
from ..store.recording import Changes
from .backlog import Backlog
from .connection import ProbeConnection
from .focus import RunFocus
from .holds import RunHolds
from .subscriber import Subscriber
from .topics import RUN, TOPICS, ChangedTopic, StreamedTopic, Topic

FRAME_INTERVAL = 0.1

_BEHIND = "The server failed to pass on what happened: load the page again."

N = TypeVar("N")


class LiveRun:
    """One run; used from the event loop only."""

    def __init__(self, run: str, loop: asyncio.AbstractEventLoop, *, shared: bool = False) -> None:
        """`shared`: browsers of other servers may watch it, which is not known here."""
        self.id = run
        self._shared = shared
        self.status: RunStatus | None = None
        self.heard_at = loop.time()
        self.backlog = Backlog()
        self.table = NO_TABLE
        self.connection: ProbeConnection | None = None
        self.focus = RunFocus(loop)
        self.holds = RunHolds(loop)
        self._loop = loop
        self._subscribers: set[Subscriber] = set()
        self._gathered: dict[Topic[Any], Any] = {}
        self._flushed_at = -math.inf
        self._flush_due: asyncio.TimerHandle | None = None

    def take_table(self, table: Table) -> None:
        """Take over the parameters that the run has from now on."""
        self.table = table
        self.focus.know(len(table))

    @property
    def idle(self) -> bool:
        """Return whether nobody needs this object any more."""
        needed = self._subscribers or self.connection is not None or self.backlog
        return not needed and self.status is not RunStatus.LIVE

    @property
    def watched(self) -> bool:
        """Return whether any browser watches."""
        return bool(self._subscribers)

    def heard(self) -> None:
        """Keep that a frame arrived now; a run that was not live is from now on."""
        self.heard_at = self._loop.time()
        if self.status is not RunStatus.LIVE:
            self.status = RunStatus.LIVE
            self.publish(RUN, frozenset())

    def subscribe(self, subscriber: Subscriber) -> None:
        """Let a browser watch."""
        self._subscribers.add(subscriber)
        self._look()

    def follow(self, subscriber: Subscriber) -> None:
        """Take over what a browser looks at and holds on to now."""
        self.focus.follow(subscriber)
        self.holds.follow(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Let a browser go."""
        self._subscribers.discard(subscriber)
        self.focus.leave(subscriber)
        self.holds.leave(subscriber)
        self._look()

    def connect(self, connection: ProbeConnection) -> None:
        """Let a job come, in place of an earlier connection of its."""
        self.connection = connection
        self._look()

    def disconnect(self) -> None:
        """Let the job go."""
        self.connection = None
        self.focus.disconnect()
        self.holds.disconnect()

    def _look(self) -> None:
        """Let the job send often for as long as a browser shows what it sends."""
        if self.connection is not None:
            self.connection.look(self._shared or self.watched)

    def publish(self, topic: Topic[N], news: N) -> None:
        """Give news to every browser; one that cannot take them is closed alone."""
        for subscriber in tuple(self._subscribers):
            with guarded(partial(self._close, subscriber, topic)):
                subscriber.add(topic, news)

    def gather(self, frame: Sample | Streamed | Distributions) -> None:
        """Publish what a frame holds, together with what comes within the interval."""
        if not self._subscribers:
            return
        for topic in TOPICS:
            if isinstance(topic, StreamedTopic) and isinstance(frame, topic.frame):
                with guarded(logged("A browser of run %s misses %s", self.id, topic.name)):
                    news = topic.news(frame)
                    self._gathered[topic] = topic.merge(self._gathered.get(topic), news)
                    self._schedule()

    def commit(self, changes: Changes) -> None:
        """Acknowledge what is stored, and publish what changed."""
        self.backlog.store(changes.last_seq)
        if self.connection is not None:
            self.connection.acknowledge(changes.last_seq)
            if changes.status is not None and changes.status.ended:
                self.connection.farewell()
        self._publish_changed(changes.topics)

    def hear(self, told: Announcement) -> None:
        """Take up what another server stored; of a job that is connected here, none knows more."""
        if told.status is RunStatus.LIVE:
            self.heard()
        elif told.status is not None and self.connection is None:
            self.status = told.status
        self._publish_changed(told.topics)

    def refresh(self) -> None:
        """Have browsers told of all that is stored, and give the job time to be heard of."""
        self.heard_at = self._loop.time()
        self._publish_changed({topic.name: () for topic in TOPICS})

    def _publish_changed(self, changed: Mapping[str, Iterable[int]]) -> None:
        self.publish(RUN, frozenset())
        for topic in TOPICS:
            if isinstance(topic, ChangedTopic) and topic.name in changed:
                self.publish(topic, frozenset(changed[topic.name]))

    def _schedule(self) -> None:
        if self._flush_due is not None:
            return
        wait = self._flushed_at + FRAME_INTERVAL - self._loop.time()
        if wait <= 0:
            self._flush()
        else:
            self._flush_due = self._loop.call_later(wait, self._flush)

    def _flush(self) -> None:
        self._flush_due = None
        self._flushed_at = self._loop.time()
        gathered, self._gathered = self._gathered, {}
        for topic, news in gathered.items():
            self.publish(topic, news)

    def _close(self, subscriber: Subscriber, topic: Topic[Any], error: Exception) -> None:
        logged("A browser of run %s cannot take %s, and is closed", self.id, topic.name)(error)
        self._subscribers.discard(subscriber)
        subscriber.end(_BEHIND)
