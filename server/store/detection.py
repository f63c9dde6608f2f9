"""The detectors of the runs that are written: kept in memory, and taken up from the store."""

from __future__ import annotations

import io
import json
import zlib
from collections import OrderedDict, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from ..events.detector import Detector
from ..events.finding import Finding
from ..events.records import Record, RunRecord
from ..events.registry import DETECTORS
from ..events.thresholds import Thresholds
from ..events.watch import Watch
from ..protocol.frames import Sample
from ..protocol.runs import RunStatus
from .events import add_to_event, append_events, latest_of_kind
from .guard import guarded, logged
from .ledger import command_record
from .runs import locked_run
from .tables import watches

KEPT_EVERY = 512
"""Samples after which the detectors are stored at the latest; a young run's are more often."""
RUNS = 64
"""Runs whose detectors are in memory."""
_MINUTE = 60.0


def record_command(connection: Connection, run: str, number: int, now: float) -> list[int]:
    """Store the event of a command that is in another state, no frame having said so.

    Returns the ids of what was stored.
    """
    step = locked_run(connection, run).step
    return _record_now(connection, run, command_record(connection, run, number, now, step))


def record_status(
    connection: Connection, run: str, before: RunStatus | None, now: RunStatus, at: float
) -> list[int]:
    """Store the event of a run whose status is another, no frame having said so.

    Returns the ids of what was stored.
    """
    step = locked_run(connection, run).step
    return _record_now(connection, run, RunRecord(before, now, at, step))


def _record_now(connection: Connection, run: str, record: Record) -> list[int]:
    found: list[Finding] = []
    for make in DETECTORS.values():
        if isinstance(record, make.records):
            found += make(Thresholds()).find(record)
    return append_events(connection, run, found)


class Detection:
    """Finds the events of runs in the transactions that store what they are found in.

    It is a cache: a run whose last transaction was rolled back, or was another server's, is taken
    up from the store again.
    """

    def __init__(self, thresholds: Thresholds | None = None) -> None:
        self.thresholds = thresholds or Thresholds()
        self._watched: OrderedDict[str, Watched] = OrderedDict()

    def begin(self, connection: Connection, row: Row[Any]) -> Watched:
        """Return the detectors of a run as of its stored `last_seq`."""
        watched = self._watched.pop(row.id, None)
        if watched is None or watched.last_seq != row.last_seq:
            watched = Watched(row.id, row.samples, self.thresholds)
            watched.restore(connection)
        return watched

    def end(self, watched: Watched, last_seq: int) -> None:
        """Keep the detectors of a run, which are as of this `last_seq` from now on."""
        watched.last_seq = last_seq
        self._watched[watched.run] = watched
        while len(self._watched) > RUNS:
            self._watched.popitem(last=False)


@dataclass(frozen=True)
class Stored:
    """The ids of what a transaction stored."""

    new: list[int] = field(default_factory=list)
    grown: list[int] = field(default_factory=list)
    """Events to which something was added."""


class Watched:
    """The detectors of one run, and the events that they found in a transaction."""

    def __init__(self, run: str, samples: int, thresholds: Thresholds) -> None:
        self.run = run
        self.last_seq = -1
        self._together = thresholds.together
        self._watch = Watch(thresholds, self._ask)
        self._samples = samples
        self._kept_at = samples
        self._begun = samples == 0
        """False before the first sample after one that the detectors did not see."""
        self._found: list[Finding] = []
        self._latest: dict[str, deque[tuple[int, float]]] = {}

    def restore(self, connection: Connection) -> None:
        """Take up what the store has of the detectors; without any, they begin anew."""
        data = connection.scalar(select(watches.c.state).where(watches.c.run == self.run))
        if data is not None:
            with guarded(logged("What was kept to find events of run %s is lost", self.run)):
                state = _unpack(data)
                self._kept_at = state["run"]["samples"]
                self._watch.restore(state)
                self._begun = True

    def see(self, record: Record) -> None:
        """Look for events in a record."""
        self._found += self._watch.see(record)

    def see_command(self, connection: Connection, number: int, time: float, step: int) -> None:
        """Look for events in a command that is in another state now."""
        self.see(command_record(connection, self.run, number, time, step))

    def see_status(self, before: RunStatus, now: RunStatus, time: float, step: int) -> None:
        """Look for events in a status of the run that may be another now."""
        self.see(RunRecord(before, now, time, step))

    def see_sample(self, sample: Sample) -> None:
        """Look for events in a sample."""
        found: list[Finding] = []
        with guarded(logged("A sample of run %s was not looked through for events", self.run)):
            found = self._watch.see_sample(sample, self._samples)
        self._samples += 1
        # What lasts since a sample that the detectors did not see is nothing that happened now.
        if self._begun:
            self._found += found
        self._begun = True

    def store(self, connection: Connection) -> Stored:
        """Store the events that were found, and the detectors when it is time to."""
        due = max(1, min(2 * self._kept_at, self._kept_at + KEPT_EVERY))
        if self._found or self._samples >= due:
            connection.execute(delete(watches).where(watches.c.run == self.run))
            state = _pack({**self._watch.state(), "run": {"samples": self._samples}})
            connection.execute(insert(watches).values(run=self.run, state=state))
            self._kept_at = self._samples
        found, self._found = self._found, []
        return self._append(connection, found)

    def _append(self, connection: Connection, found: Sequence[Finding]) -> Stored:
        """Store events; when there are many of a kind within a minute, add them to the latest."""
        new: list[Finding] = []
        more: dict[str, list[Finding]] = defaultdict(list)
        counts: dict[str, int] = defaultdict(int)
        for each in found:
            if DETECTORS[each.kind].bundled and self._is_full(connection, each, counts[each.kind]):
                more[each.kind].append(each)
            else:
                new.append(each)
                counts[each.kind] += 1
        ids = append_events(connection, self.run, new)
        for number, each in zip(ids, new, strict=True):
            if DETECTORS[each.kind].bundled:
                self._times(connection, each.kind).append((number, each.time))
        grown = []
        for kind, findings in more.items():
            number = self._times(connection, kind)[-1][0]
            add_to_event(connection, self.run, number, findings)
            grown.append(number)
        return Stored(ids, grown)

    def _is_full(self, connection: Connection, finding: Finding, count: int) -> bool:
        """Return whether there are enough events of a kind, `count` of them not stored yet."""
        times = self._times(connection, finding.kind)
        recent = sum(1 for _, time in times if abs(finding.time - time) < _MINUTE)
        return recent + count >= self._together

    def _times(self, connection: Connection, kind: str) -> deque[tuple[int, float]]:
        if kind not in self._latest:
            stored = latest_of_kind(connection, self.run, kind, self._together)
            self._latest[kind] = deque(stored, maxlen=self._together)
        return self._latest[kind]

    def _ask(self, detector: Detector, record: Record) -> list[Finding] | None:
        found: list[Finding] | None = None
        failed = logged("Events of kind %s of run %s are found no more", detector.kind, self.run)
        with guarded(failed, passing=(SQLAlchemyError,)):
            found = list(detector.find(record))
        return found


def _pack(state: dict[str, dict[str, Any]]) -> bytes:
    """Pack the state of detectors: arrays as they are, all else as JSON."""
    arrays: dict[str, Any] = {}
    others: dict[str, dict[str, Any]] = {}
    for kind, kept in state.items():
        others[kind] = {}
        for name, value in kept.items():
            if isinstance(value, np.ndarray):
                arrays[f"{kind}.{name}"] = value
            else:
                others[kind][name] = value
    text = np.frombuffer(json.dumps(others).encode(), np.uint8)
    file = io.BytesIO()
    np.savez(file, json=text, **arrays)
    return zlib.compress(file.getvalue(), 1)


def _unpack(data: bytes) -> dict[str, dict[str, Any]]:
    with np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False) as file:
        state: dict[str, dict[str, Any]] = json.loads(file["json"].tobytes())
        for name in file.files:
            kind, dot, key = name.partition(".")
            if dot:
                state[kind][key] = file[name]
    return state
