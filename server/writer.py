"""The thread that writes: it batches what arrives and says what is stored."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from .recording import Changes, Frame, record
from .registry import Refusal
from .store import Store

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
    frame: Frame
    size: int


@dataclass(frozen=True)
class _Job(Generic[T]):
    work: Callable[[Connection], T]
    future: Future[T]


class _Stop:
    """Put into the queue behind everything that has to be written before the thread ends."""


class Writer:
    """Writes frames in batches, about every `INTERVAL` seconds or at once when idle.

    Frames are committed in the order of their arrival, and a job in a transaction of its own after
    every frame before it. When the store cannot be written, frames are kept and tried again.
    """

    def __init__(self, store: Store, on_commit: Callable[[Sequence[Changes]], None]) -> None:
        self._store = store
        self._on_commit = on_commit
        self._queue: queue.SimpleQueue[_Arrival | _Job[Any] | _Stop] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="gradgate-writer", daemon=True)
        self._give_up_at = math.inf
        self._tick = 0.0
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
        self._queue.put(_Arrival(run, frame, size))

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue a piece of work that wants a transaction, and return its result to come.

        The future raises `Refusal` or `SQLAlchemyError` as the work did.
        """
        job = _Job[T](work, Future())
        self._queue.put(job)
        return job.future

    @property
    def waiting(self) -> int:
        """About how many frames and jobs wait to be written."""
        return self._queue.qsize()

    @property
    def overloaded(self) -> bool:
        """Whether so much waits that nothing more should be read from a probe for now."""
        return self._bytes_in - self._bytes_out > BACKLOG_BYTES

    def _run(self) -> None:
        while True:
            arrivals, after = self._collect()
            if arrivals:
                self._commit(arrivals)
            if isinstance(after, _Job):
                self._perform(after)
            elif after is not None:
                return

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
        by_run: dict[str, list[Frame]] = defaultdict(list)
        for arrival in arrivals:
            by_run[arrival.run].append(arrival.frame)
        while not self._try_commit(by_run):
            time.sleep(RETRY_AFTER)
            if time.monotonic() > self._give_up_at:
                _log.error("%d frames could not be stored: %s", len(arrivals), self.error)
                break
        self._bytes_out += sum(arrival.size for arrival in arrivals)

    def _try_commit(self, by_run: dict[str, list[Frame]]) -> bool:
        now = time.time()
        try:
            with self._store.write() as connection:
                changes = [record(connection, run, frames, now) for run, frames in by_run.items()]
        except SQLAlchemyError as error:
            self._failed(error)
            return False
        self._succeeded(now)
        self._on_commit(changes)
        return True

    def _perform(self, job: _Job[Any]) -> None:
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            with self._store.write() as connection:
                result = job.work(connection)
        except Refusal as refusal:
            job.future.set_exception(refusal)
        except SQLAlchemyError as error:
            self._failed(error)
            job.future.set_exception(error)
        else:
            self._succeeded(time.time())
            job.future.set_result(result)

    def _succeeded(self, now: float) -> None:
        self._tick = time.monotonic()
        self.last_commit = now
        self.error = None

    def _failed(self, error: SQLAlchemyError) -> None:
        if self.error is None:
            _log.error("The store cannot be written, and is tried again: %s", error)
        self.error = str(getattr(error, "orig", None) or error)
