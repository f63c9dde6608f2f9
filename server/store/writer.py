"""The thread that writes: it batches what arrives and says what is stored."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from .database import Store
from .recording import Changes, Frame, Received, record

INTERVAL = 0.2
RETRY_AFTER = 0.5
CLOSE_PATIENCE = 5.0
BACKLOG_BYTES = 256 * 1024 * 1024
_BATCH_FRAMES = 4096

T = TypeVar("T")

_log = logging.getLogger("gradgate.server")


@dataclass(frozen=True, slots=True)
class _Arrival:
    run: str
    received: Received
    size: int


@dataclass(frozen=True)
class _Job(Generic[T]):
    work: Callable[[Connection], T]
    future: Future[T]


class _Stop:
    """Put into the queue behind everything that has to be written before the thread ends."""


class WriterEnded(Exception):
    """Nothing can be written any more, since the thread that writes has ended."""

    def __init__(self) -> None:
        super().__init__(
            "The thread that writes the store has ended: see the server's log, and start it again."
        )


class _Failed(Exception):
    """A transaction failed and was rolled back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(getattr(error, "orig", None) or error))
        self.error = error
        # Locked, full, not readable, or every connection taken: what another try may mend.
        self.passing = isinstance(error, OperationalError | NoConnection)


class Writer:
    """Writes frames in batches, about every `INTERVAL` seconds or at once when idle.

    Frames are committed in the order of their arrival, and a job in a transaction of its own after
    every frame before it. When the store cannot be written, frames are kept and tried again. Frames
    that cannot be stored for another reason are dropped with all that follows of their run, until
    `resume`: what is stored has no hole that the run's `last_seq` hides.
    """

    def __init__(
        self,
        store: Store,
        on_commit: Callable[[Sequence[Changes]], None],
        on_drop: Callable[[str], None],
    ) -> None:
        self._store = store
        self._on_commit = on_commit
        self._on_drop = on_drop
        self._broken: set[str] = set()
        self._queue: queue.SimpleQueue[_Arrival | _Job[Any] | _Stop] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="gradgate-writer", daemon=True)
        self._give_up_at = math.inf
        self._tick = 0.0
        self._ended = False
        # Each of the two is written by one thread only, so neither needs a lock.
        self._bytes_in = 0
        self._bytes_out = 0
        self.last_commit: float | None = None
        self.error: str | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Write what is queued and end the thread; a store that fails gets `CLOSE_PATIENCE`."""
        self._give_up_at = time.monotonic() + CLOSE_PATIENCE
        self._queue.put(_Stop())
        self._thread.join()

    def append(self, run: str, frame: Frame, size: int) -> None:
        """Queue a frame of a run; to be called from one thread only."""
        self._bytes_in += size
        self._queue.put(_Arrival(run, Received(frame, time.time()), size))

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue a piece of work that wants a transaction, and return its result to come.

        The future raises what the work raised, or `WriterEnded`.
        """
        job = _Job[T](work, Future())
        self._queue.put(job)
        if self._ended:
            self._abandon()
        return job.future

    def resume(self, run: str) -> None:
        """Take frames of a run again; to be called in a job."""
        self._broken.discard(run)

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """About how many frames and jobs wait to be written."""
        return self._queue.qsize()

    @property
    def overloaded(self) -> bool:
        """Whether so much waits that nothing more should be read from a probe for now."""
        return self._bytes_in - self._bytes_out > BACKLOG_BYTES

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._ended = True
            self._abandon()

    def _work(self) -> None:
        while True:
            arrivals, after = self._collect()
            if arrivals:
                self._commit(arrivals)
            if isinstance(after, _Job):
                self._perform(after)
            elif after is not None:
                return

    def _abandon(self) -> None:
        """Tell those who wait for a job that it will not be done."""
        while True:
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                return
            if isinstance(entry, _Job) and entry.future.set_running_or_notify_cancel():
                entry.future.set_exception(WriterEnded())

    def _collect(self) -> tuple[list[_Arrival], _Job[Any] | _Stop | None]:
        """Wait for something to do; frames up to the next job, to the end of the interval."""
        arrivals: list[_Arrival] = []
        entry = self._queue.get()
        while isinstance(entry, _Arrival):
            arrivals.append(entry)
            if len(arrivals) == _BATCH_FRAMES:
                return arrivals, None
            patience = max(0.0, self._tick + INTERVAL - time.monotonic())
            try:
                entry = self._queue.get(timeout=patience) if patience else self._queue.get_nowait()
            except queue.Empty:
                return arrivals, None
        return arrivals, entry

    def _commit(self, arrivals: Sequence[_Arrival]) -> None:
        by_run: dict[str, list[Received]] = defaultdict(list)
        for arrival in arrivals:
            if arrival.run not in self._broken:
                by_run[arrival.run].append(arrival.received)
        try:
            self._store_runs(by_run)
        except _Failed:
            for run, frames in by_run.items():
                self._store_or_drop(run, frames)
        self._bytes_out += sum(arrival.size for arrival in arrivals)

    def _store_or_drop(self, run: str, frames: Sequence[Received]) -> None:
        try:
            self._store_runs({run: frames})
        except _Failed as failed:
            _log.error(
                "%d frames of run %s cannot be stored", len(frames), run, exc_info=failed.error
            )
            self._broken.add(run)
            self._on_drop(run)

    def _store_runs(self, by_run: Mapping[str, Sequence[Received]]) -> None:
        """Commit frames, however often it takes; raises `_Failed` when no patience would help."""
        while not self._try_store(by_run):
            time.sleep(RETRY_AFTER)
            if time.monotonic() > self._give_up_at:
                count = sum(map(len, by_run.values()))
                _log.error("%d frames could not be stored: %s", count, self.error)
                return

    def _try_store(self, by_run: Mapping[str, Sequence[Received]]) -> bool:
        try:
            changes = self._transact(partial(_record_runs, by_run=by_run))
        except _Failed as failed:
            if not failed.passing:
                raise
            self._failed(failed)
            return False
        self._on_commit(changes)
        return True

    def _perform(self, job: _Job[Any]) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            result = self._transact(job.work)
        except _Failed as failed:
            if failed.passing:
                self._failed(failed)
            job.future.set_exception(failed.error)
        else:
            job.future.set_result(result)

    def _transact(self, work: Callable[[Connection], T]) -> T:
        """Do something in a transaction; raises `_Failed`, whatever went wrong."""
        try:
            with self._store.write() as connection:
                result = work(connection)
        # The one guard of the server: every run depends on this thread, so a fault that nobody
        # foresaw ends the work that it happened in, and not the thread.
        except Exception as error:
            raise _Failed(error) from error
        self._tick = time.monotonic()
        self.last_commit = time.time()
        self.error = None
        return result

    def _failed(self, failed: _Failed) -> None:
        if self.error is None:
            _log.error("The store cannot be written, and is tried again: %s", failed)
        self.error = str(failed)


def _record_runs(connection: Connection, by_run: Mapping[str, Sequence[Received]]) -> list[Changes]:
    return [record(connection, run, frames) for run, frames in by_run.items()]
