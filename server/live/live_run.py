"""A run as the server knows it in memory: its probe, its latest samples, and who watches."""

from __future__ import annotations

import asyncio
import math

from ..protocol.frames import Sample, encode
from ..protocol.probe_messages import Metrics
from ..protocol.runs import RunStatus
from ..store.parameter_table import Known
from ..store.recording import Changes
from .band import Band
from .connection import ProbeConnection
from .points import Points
from .subscriber import Subscriber

FRAME_INTERVAL = 0.1


class LiveRun:
    """One run; used from the event loop only."""

    def __init__(self, run: str, loop: asyncio.AbstractEventLoop) -> None:
        self.id = run
        self.status: RunStatus | None = None
        self.heard_at = loop.time()
        self.received_seq = 0
        self.table: list[Known] = []
        self.connection: ProbeConnection | None = None
        self._loop = loop
        self._subscribers: set[Subscriber] = set()
        self._band: Band | None = None
        self._points = Points()
        self._flushed_at = -math.inf
        self._flush_due: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody needs this object any more."""
        watched = self._subscribers or self.connection is not None
        return not watched and self.status is not RunStatus.LIVE

    def heard(self) -> None:
        """A frame arrived."""
        self.heard_at = self._loop.time()
        if self.status is not RunStatus.LIVE:
            self.status = RunStatus.LIVE
            self.announce()

    def announce(self) -> None:
        """Tell the browsers that the row of the run changed."""
        for subscriber in self._subscribers:
            subscriber.run_changed()

    def subscribe(self, subscriber: Subscriber) -> None:
        """Let a browser watch."""
        self._subscribers.add(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Let a browser go."""
        self._subscribers.discard(subscriber)

    def sampled(self, sample: Sample) -> None:
        """Pass a sample to the browsers, together with those that come within the interval."""
        if self._subscribers:
            band = Band.of(sample)
            self._band = band if self._band is None else self._band.then(band)
            self._schedule()

    def logged(self, metrics: Metrics) -> None:
        """Pass metrics to the browsers, together with those that come within the interval."""
        if self._subscribers:
            self._points.log(metrics)
            self._schedule()

    def command_requested(self, number: int) -> None:
        """Tell the browsers of a new command."""
        for subscriber in self._subscribers:
            subscriber.commands_changed({number})

    def committed(self, changes: Changes) -> None:
        """Tell the probe what is stored, and the browsers what changed."""
        if self.connection is not None:
            self.connection.acknowledge(changes.last_seq)
        for subscriber in self._subscribers:
            subscriber.run_changed()
            if changes.parameters:
                subscriber.parameters_changed()
            if changes.gates:
                subscriber.gates_changed()
            if changes.explanations:
                subscriber.explanations_changed()
            if changes.alerts:
                subscriber.alerts_changed()
            if changes.commands:
                subscriber.commands_changed(changes.commands)

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
        band, self._band = self._band, None
        points, self._points = self._points, Points()
        if not self._subscribers:
            return
        encoded = None if band is None else encode(band.sample())
        for subscriber in self._subscribers:
            if band is not None and encoded is not None:
                subscriber.samples_arrived(band, encoded)
            if points:
                subscriber.metrics_arrived(points)
