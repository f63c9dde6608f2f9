"""The thread that writes: it batches what arrives and says what is stored."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from ..events.thresholds import Thresholds
from ..protocol.frames import Sample
from .database import Store
from .detection import Detection
from .guard import guarded, logged
from .recording import Changes, Frame, Received, record
from .transactions import Failed, Transactions
from .write_metrics import WriteMetrics
from .write_queue import Arrival, Stop, Task, WriteQueue

INTERVAL = 0.2
RETRY_AFTER = 0.5
CLOSE_PATIENCE = 4.0
"""Seconds in which what waits is written when the server stops."""

T = TypeVar("T")

_log = logging.getLogger("gradgate.server")


class Writer:
    """Writes frames in batches, about every `INTERVAL` seconds or at once when idle.

    Frames are committed in the order of their arrival, and a task in a transaction of its own after
    every frame before it. When the store cannot be written, frames are kept and tried again. A
    frame that cannot be stored for another reason is dropped with all that follows it of its run,
    until `resume`: what is stored has no hole that the run's `last_seq` hides. What came before it,
    and every other run, is stored.
    """

    def __init__(
        self,
        store: Store,
        on_commit: Callable[[Sequence[Changes]], None],
        on_drop: Callable[[str, bool], None],
        thresholds: Thresholds | None = None,
    ) -> None:
        """Write a store, and the events of its runs; both are called in the thread that writes.

        `on_commit` is called with what a transaction changed, `on_drop` with a run of which nothing
        is stored any more, and whether that is since the store is damaged.
        """
        self._announce = store.announce
        self.metrics = WriteMetrics()
        self._transactions = Transactions(store, self.metrics)
        self._queue = WriteQueue()
        self._on_commit = on_commit
        self._on_drop = on_drop
        self._detection = Detection(thresholds)
        self._broken: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="gradgate-writer", daemon=True)
        self._give_up_at = math.inf

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Write what is queued and end the thread, soon after `CLOSE_PATIENCE` at the latest.

        What is not written then is not acknowledged.
        """
        self._give_up_at = time.monotonic() + CLOSE_PATIENCE
        self._queue.put(Stop())
        self._thread.join()

    def append(self, run: str, frame: Frame, size: int) -> None:
        """Queue a frame of a run; to be called from one thread only."""
        self.metrics.took(frame, size)
        self._queue.append(Arrival(run, Received(frame, time.time()), size))

    def submit(self, work: Callable[[Connection], T], *, commit: bool = True) -> Future[T]:
        """Queue a piece of work that wants a transaction, and return its result to come.

        Without `commit` what the work writes is rolled back. The future raises what the work
        raised, or `WriterEnded`.
        """
        task = Task[T](work, Future(), commit)
        self._queue.put(task)
        return task.future

    def resume(self, run: str) -> None:
        """Take frames of a run again; to be called in a task."""
        self._broken.discard(run)

    @property
    def running(self) -> bool:
        """Return whether the thread is there."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Return about how many frames and tasks wait to be written."""
        return self._queue.waiting

    @property
    def waiting_bytes(self) -> int:
        """Return the size of the frames that wait to be written."""
        return self._queue.waiting_bytes

    @property
    def busy(self) -> bool:
        """Return whether so much waits that nothing else should be done for now."""
        return self._queue.busy

    @property
    def overloaded(self) -> bool:
        """Return whether so much waits that nothing more should be read from a probe for now."""
        return self._queue.overloaded

    @property
    def error(self) -> str | None:
        """Return why nothing can be written now, and is tried again."""
        return self._transactions.error

    @property
    def last_commit(self) -> float:
        """Return when something was last written."""
        return self._transactions.last_commit

    @property
    def last_end(self) -> float:
        """Return when that was, by the clock that is never set."""
        return self._transactions.last_end

    def _run(self) -> None:
        try:
            while True:
                arrivals, after = self._queue.collect(self._transactions.last_end + INTERVAL)
                if arrivals:
                    self._commit(arrivals)
                if isinstance(after, Task):
                    self._perform(after)
                elif after is not None:
                    return
                if time.monotonic() > self._give_up_at:
                    # No later frame either: a hole in what is stored would stay.
                    _log.error(
                        "The server stops before all that came was stored: none of that was "
                        "acknowledged, and jobs send it again."
                    )
                    return
        finally:
            self._queue.end()

    def _commit(self, arrivals: Sequence[Arrival]) -> None:
        by_run: dict[str, list[Received]] = defaultdict(list)
        for arrival in arrivals:
            if arrival.run not in self._broken:
                by_run[arrival.run].append(arrival.received)
        try:
            self._store(by_run)
        except Failed:
            for run, frames in by_run.items():
                self._store_alone(run, frames)
        self._queue.written(arrivals)

    def _store_alone(self, run: str, frames: Sequence[Received]) -> bool:
        """Commit the frames of one run up to the first that cannot be stored, which is dropped."""
        try:
            self._store({run: frames})
        except Failed as failed:
            if len(frames) > 1:
                half = len(frames) // 2
                return self._store_alone(run, frames[:half]) and self._store_alone(
                    run, frames[half:]
                )
            _log.error(
                "%s of run %s cannot be stored, and no more of the run is",
                _name(frames[0].frame),
                run,
                exc_info=failed.error,
                extra={"run": run},
            )
            self._broken.add(run)
            with guarded(logged("Nobody could be told that run %s is dropped", run)):
                self._on_drop(run, failed.damaged)
            return False
        return True

    def _store(self, by_run: Mapping[str, Sequence[Received]]) -> None:
        """Commit frames, however often it takes; raises `Failed` when no patience would help."""
        while True:
            try:
                changes = self._transactions.run(partial(self._record, by_run=by_run))
                break
            except Failed as failed:
                if not failed.passing:
                    raise
                self._transactions.postpone(failed)
            time.sleep(RETRY_AFTER)
            if time.monotonic() > self._give_up_at:
                count = sum(map(len, by_run.values()))
                _log.error("%d frames could not be stored: %s", count, self._transactions.error)
                return
        with guarded(logged("Nobody could be told what is stored of %s", ", ".join(by_run))):
            self._on_commit(changes)

    def _record(
        self, connection: Connection, by_run: Mapping[str, Sequence[Received]]
    ) -> list[Changes]:
        # In an order that every server of a data base has, lest two wait for each other's runs.
        found = [record(connection, run, by_run[run], self._detection) for run in sorted(by_run)]
        for changes in found:
            self._announce(connection, changes)
        return found

    def _perform(self, task: Task[Any]) -> None:
        if not task.future.set_running_or_notify_cancel():
            return
        try:
            result = self._transactions.run(task.work, commit=task.commit)
        except Failed as failed:
            if failed.passing:
                self._transactions.postpone(failed)
            task.future.set_exception(failed.error)
        else:
            task.future.set_result(result)


def _name(frame: Frame) -> str:
    kind = "sample" if isinstance(frame, Sample) else frame.type
    seq = getattr(frame, "seq", None)
    return f"The {kind}" if seq is None else f"The {kind} with seq {seq}"
