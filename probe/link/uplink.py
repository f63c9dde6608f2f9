"""Turns what happens in a run into the messages of the protocol."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch

from ..base.guard import Guard
from ..measure.focus import MOST
from ..measure.measurement import Measurement
from ..measure.metrics import MetricValues
from ..model.commands import Report
from ..model.distribution import Distributions
from ..model.sample import Sample
from ..model.table import TableRow
from ..model.totals import Totals
from ..spool.folder import SpoolFolder
from ..spool.spool import Spool
from .address import ServerAddress
from .connection import Connection
from .entry import Frame, Make
from .frames import PROTOCOL, encode_json, encode_sample, encode_short
from .outbox import TABLE, Outbox
from .recorder import Recorder
from .server_messages import Message
from .told_table import ToldTable

SAMPLE_BYTES = 1_000
"""What a sample takes in memory beside its numbers, about."""
METRICS_BYTES, METRIC_BYTES = 400, 100
"""What the metrics of a step take in memory, and each of them beside its name, about."""
MOST_RECORDED = 2**40
"""Bytes of a file that a script asks for: as much as the disk has."""


@dataclass(frozen=True)
class Identity:
    """Who a run is, for as long as it lives."""

    id: str
    name: str
    started: float
    """Seconds since the Unix epoch."""
    process: int
    figures: str
    """One sentence: what the figures are."""
    group: str | None = None
    """The search or the pipeline that the job is a part of."""
    ranks: int = 1
    """How many processes train together."""
    compiled: bool = False
    expected: Mapping[str, Any] = field(default_factory=dict)
    """What the script declared of its training, as the wire protocol has it."""


class LateSample(Protocol):
    """A sample that is made when it is asked for."""

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""

    def sample(self) -> Sample:
        """Return it; any thread may ask."""


class Uplink:
    """Sends a server what happens in a run; with no server to tell, it drops what it is given.

    One method for each message of the protocol that a probe sends, and the link's peer: it is
    the place where what the job knows becomes what the wire has.
    """

    def __init__(
        self,
        identity: Identity,
        measurement: Measurement,
        guard: Guard,
        step: Callable[[], int],
        asked: Callable[[Message], None],
        folder: SpoolFolder | None,
    ) -> None:
        """``step``: the latest. ``asked`` is called in the link's thread with what is wanted.

        ``folder``: where what no server takes is left; None for nowhere.
        """
        self._identity = identity
        self._measurement = measurement
        self._guard = guard
        self._step = step
        self._asked = asked
        self.outbox = Outbox()
        # Made once: what is made for each frame counts for the collector of garbage.
        self._encode_sample = partial(_encoded, encode_sample, guard)
        self._encode_pending = partial(_encoded, _encode_pending, guard)
        self._encode_metrics = partial(_encoded, _encode_metrics, guard)
        self._folder = folder
        self._link: Connection | None = None
        self._recorder: Recorder | None = None
        self._frozen: list[dict[str, Any]] = []
        self._table = ToldTable()
        self.url: str | None = None
        """The run's page; None without a server."""
        self.end_is_told = False
        """Whether somebody tells of an end without a fault, so that any other is one."""

    def connect(self, address: ServerAddress) -> None:
        """Start to talk to a server, in a thread of its own; what is recorded goes there, too."""
        self.url = f"{address.shown}/runs/{self._identity.id}"
        me, folder = self._identity.id, self._folder
        spool = None if folder is None else folder.spool(me, address.shown)
        self.outbox = Outbox(spool=spool, copy=None if self._recorder is None else self.outbox)
        self._link = Connection(address, self.outbox, self._guard, self, self._folder)
        self._link.start()

    def record(self, file: Path) -> None:
        """Write all into a file, in a thread of its own; before `connect`, where there is both."""
        self.outbox = Outbox(spool=Spool(file, MOST_RECORDED, None))
        self._recorder = Recorder(self.outbox, self._guard, self)
        self._recorder.start()

    def is_connected(self) -> bool:
        """Return whether a server has welcomed the run, and is there; of a new run, wait for that.

        For a person who looks, not for training: see `Connection.wait_tried`.
        """
        if self._link is None:
            return False
        self._link.wait_tried()
        return self._link.connected.is_set()

    def send_sample(self, sample: Sample) -> None:
        """Send a sample."""
        numbers = sample.states.nbytes + sum(values.nbytes for values in sample.values.values())
        self._put_off(self._encode_sample, sample, SAMPLE_BYTES + numbers)

    def send_pending(self, pending: LateSample) -> None:
        """Send a sample that is made in the thread that sends it."""
        self._put_off(self._encode_pending, pending, pending.size)

    def send_metrics(self, metrics: MetricValues) -> None:
        """Send metrics of one step."""
        values = metrics.values
        size = METRICS_BYTES + METRIC_BYTES * len(values) + sum(map(len, values))
        self._put_off(self._encode_metrics, metrics, size)

    def send_totals(self, totals: Totals) -> None:
        """Send the total norms of some steps."""
        self._put(totals.as_message)

    def send_report(self, report: Report) -> None:
        """Send the progress of a command; it is never dropped."""
        self._put(report.as_message, keep=True)

    def send_table(self, rows: Sequence[TableRow]) -> None:
        """Send the whole parameter table, in place of an earlier one that still waits."""
        if not self._is_told:
            return
        table = self._table.fields(rows)
        # Samples that wait behind an earlier table may be longer than the one before it.
        self.outbox.put(
            lambda seq: encode_json({"type": "parameters", "seq": seq, **table}),
            keep=True,
            replaces=TABLE,
            in_place=True,
        )

    def send_frozen(self, frozen: list[dict[str, Any]], trainable: int) -> None:
        """Send what is frozen by command now, in place of an earlier one that still waits.

        ``trainable``: how many parameters are trained now, whoever froze the others.
        """
        self._frozen = frozen
        self._put(
            lambda seq: {"type": "frozen", "seq": seq, "frozen": frozen, "trainable": trainable},
            keep=True,
            replaces="frozen",
        )

    def send_gates(self, gates: list[dict[str, Any]]) -> None:
        """Send every gate as it is now, in place of an earlier account that still waits."""
        self._put(lambda seq: {"type": "gates", "seq": seq, "gates": gates}, replaces="gates")

    def send_explanations(self, found: Mapping[str, Any]) -> None:
        """Send what a traced step has shown."""
        self._put(lambda seq: {**found, "seq": seq}, keep=True)

    def send_alerts(self, alerts: list[dict[str, Any]]) -> None:
        """Send every alert as it is now, in place of an earlier account that still waits."""
        self._put(
            lambda seq: {"type": "alerts", "seq": seq, "alerts": alerts},
            keep=True,
            replaces="alerts",
        )

    def send_optimizers(self, step: int, groups: list[dict[str, Any]]) -> None:
        """Send the optimizers' groups as ``step`` applied them, in place of what still waits."""
        self._put(
            lambda seq: {"type": "optimizers", "seq": seq, "step": step, "groups": groups},
            keep=True,
            replaces="optimizers",
        )

    def send_distributions(self, distributions: Distributions) -> None:
        """Send what was seen of the parameters in focus; only who looks now is interested."""
        self.answer(distributions.as_message())

    def answer(self, message: Message) -> None:
        """Send the answer to a question over the present connection, or drop it without one."""
        if self._link is not None:
            self._link.answer(message)

    def wait_stored(self, timeout: float) -> bool:
        """Wait until the server has stored all; False after ``timeout`` seconds."""
        return self._link is None or self.outbox.wait_empty(timeout)

    def await_goodbye(self) -> None:
        """Take the run for one that has failed, where the job ends without a word of it."""
        self.end_is_told = True
        if self._link is not None:
            self._link.await_goodbye()

    def close(self, timeout: float, *, failed: bool) -> None:
        """Send what is left, say goodbye, and end the link; ``failed``: training raised."""
        bye = {"type": "bye", "time": time.time(), "step": self._step(), "failed": failed}
        if self._recorder is not None:
            self._recorder.close(bye, timeout)
        if self._link is not None:
            self._link.close(bye, timeout)

    @property
    def _is_told(self) -> bool:
        """Whether there is anybody to tell, now or later.

        A forked child has nobody: what a thread of its parent's held is locked there for ever.
        """
        there = self._link is not None or self._recorder is not None
        return there and os.getpid() == self._identity.process

    # For the link, in its own thread: see conversation.Peer.

    def hello(self) -> Message:
        """Return the first message of a connection: who the run is, and its whole table."""
        me = self._identity
        return {
            "type": "hello",
            "protocol": PROTOCOL,
            "run": me.id,
            "name": me.name,
            "group": me.group,
            "started": me.started,
            "host": socket.gethostname(),
            "pid": me.process,
            "probe_version": version("gradgate"),
            "torch_version": torch.__version__,
            "figures": me.figures,
            "ranks": me.ranks,
            "compiled": me.compiled,
            "focus": MOST,
            **me.expected,
            **self._table.fields(self._measurement.members.rows),
            "frozen": self._frozen,
            "step": self._step(),
        }

    def heartbeat(self) -> Message:
        """Return what is told once a second."""
        schedule = self._measurement.schedule
        return {
            "type": "heartbeat",
            "time": time.time(),
            "step": self._step(),
            "steps_per_second": schedule.meter.steps_per_second(time.perf_counter()),
            "cost": schedule.meter.cost(),
            "every": schedule.pace.interval,
            "dropped": self.outbox.dropped,
            "faults": self._guard.faults,
        }

    def send_logged(self) -> None:
        """Send what was logged and no boundary has sent: there may be none for a long time.

        Unless the training thread is about to do so.
        """
        metrics = self._measurement.metrics
        if metrics.handing_on.acquire(blocking=False):
            try:
                for logged in metrics.collect(on_host=True):
                    self.send_metrics(logged)
            finally:
                metrics.handing_on.release()

    def receive(self, message: Message) -> None:
        """Hand on what the server asks for."""
        self._asked(message)

    def _put_off(self, encode: Make, source: object, size: int) -> None:
        """Send what is encoded once it is taken, as each step has some of it."""
        if self._is_told:
            self.outbox.put_off(encode, source, size)

    def _put(
        self,
        make: Callable[[int], Mapping[str, Any]],
        *,
        keep: bool = False,
        replaces: str | None = None,
    ) -> None:
        if self._is_told:
            self.outbox.put(lambda seq: encode_json(make(seq)), keep=keep, replaces=replaces)


def _encode_pending(pending: LateSample, seq: int) -> bytes:
    return encode_sample(pending.sample(), seq)


def _encode_metrics(metrics: MetricValues, seq: int) -> str:
    return encode_short(metrics.as_message(seq))


def _encoded(encode: Make, guard: Guard, source: object, seq: int) -> Frame | None:
    """Return a frame, or None after a fault; it leads to no run, which would never be collected."""
    with guard:
        return encode(source, seq)
    return None
