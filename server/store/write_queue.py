"""What waits to be written, in the order of its arrival."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from ..protocol.probe_messages import Bye
from .recording import Received

BACKLOG_BYTES = 256 * 1024 * 1024
BUSY_BYTES = 1024 * 1024
_BATCH_FRAMES = 4096

T = TypeVar("T")


class WriterEnded(Exception):
    """Nothing can be written any more, since the thread that writes has ended."""

    def __init__(self) -> None:
        super().__init__(
            "The thread that writes the store has ended: see the server's log, and start it again."
        )


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame of a run, with its size in bytes."""

    run: str
    received: Received
    size: int


@dataclass(frozen=True)
class Task(Generic[T]):
    """A piece of work that wants a transaction, and its result to come."""

    work: Callable[[Connection], T]
    future: Future[T]
    commit: bool
    """Whether what the work writes is kept."""


class Stop:
    """Stands behind everything that has to be written before the thread ends."""


class WriteQueue:
    """Frames and tasks: put in by any thread, collected by the thread that writes."""

    def __init__(self) -> None:
        self._entries: queue.SimpleQueue[Arrival | Task[Any] | Stop] = queue.SimpleQueue()
        self._ended = False
        # Each of the two is written by one thread only, so neither needs a lock.
        self._bytes_in = 0
        self._bytes_out = 0

    def append(self, arrival: Arrival) -> None:
        """Put in a frame; to be called from one thread only."""
        self._bytes_in += arrival.size
        self._entries.put(arrival)

    def put(self, entry: Task[Any] | Stop) -> None:
        """Put in a task or the end; a task behind the end fails with `WriterEnded`."""
        self._entries.put(entry)
        if self._ended:
            self._abandon()

    def collect(self, until: float) -> tuple[list[Arrival], Task[Any] | Stop | None]:
        """Wait for something to do; frames up to a task or a `Bye`, until a time at the latest."""
        arrivals: list[Arrival] = []
        entry = self._entries.get()
        while isinstance(entry, Arrival):
            arrivals.append(entry)
            # A job waits at its end until that is stored.
            if len(arrivals) == _BATCH_FRAMES or isinstance(entry.received.frame, Bye):
                return arrivals, None
            patience = max(0.0, until - time.monotonic())
            try:
                entry = (
                    self._entries.get(timeout=patience) if patience else self._entries.get_nowait()
                )
            except queue.Empty:
                return arrivals, None
        return arrivals, entry

    def written(self, arrivals: Sequence[Arrival]) -> None:
        """Count frames as no longer waiting."""
        self._bytes_out += sum(arrival.size for arrival in arrivals)

    def end(self) -> None:
        """Fail every task that waits, and every later one."""
        self._ended = True
        self._abandon()

    @property
    def waiting(self) -> int:
        """Return about how many frames and tasks wait."""
        return self._entries.qsize()

    @property
    def waiting_bytes(self) -> int:
        """Return the size of the frames that wait."""
        return self._bytes_in - self._bytes_out

    @property
    def busy(self) -> bool:
        """Return whether so much waits that nothing else should be done for now."""
        return self.waiting_bytes > BUSY_BYTES

    @property
    def overloaded(self) -> bool:
        """Return whether so much waits that nothing more should be read from a probe for now."""
        return self.waiting_bytes > BACKLOG_BYTES

    def _abandon(self) -> None:
        while True:
            try:
                entry = self._entries.get_nowait()
            except queue.Empty:
                return
            if isinstance(entry, Task) and entry.future.set_running_or_notify_cancel():
                entry.future.set_exception(WriterEnded())
