"""The thread that merges what runs have stored, while the server goes on."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from ..database import Store
from ..guard import guarded
from ..merges import Merge, MergeSource, Outdated
from ..write_queue import WriterEnded

RETRY_AFTER = 10.0
INTERVAL = 1.0
"""Seconds between two looks at runs of which there was nothing to merge."""
PAUSE, LONGEST_PAUSE = 1.0, 20.0
"""So many times as long as a merge took, nothing is merged; the second while ingest is busy."""

T = TypeVar("T")

_log = logging.getLogger("gradgate.server")


class Submit(Protocol):
    """Runs work in a transaction of the thread that writes."""

    def __call__(self, work: Callable[[Connection], T], /) -> Future[T]:
        """Queue work and return its result to come."""
        ...


class Compactor:
    """Merges what runs have stored into blocks and levels, one small transaction after the other.

    What is merged is read and computed in this thread, and swapped in one transaction of the
    writer's: whoever reads sees all of it or nothing, and a server that is killed in between has
    lost nothing. A merge that fails is tried again, and ingest goes on meanwhile.
    """

    def __init__(
        self,
        store: Store,
        submit: Submit,
        sources: Sequence[MergeSource],
        busy: Callable[[], bool],
    ) -> None:
        """Merge in a store; `busy` says whether so much is to be stored that this should wait."""
        self._busy = busy
        self._store = store
        self._sources = sources
        self._submit = submit
        self._changed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._failing = False
        self._left_alone: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="gradgate-compactor", daemon=True)

    def start(self) -> None:
        """Start the thread; it begins with what earlier servers have left."""
        self._thread.start()

    def close(self) -> None:
        """End the thread after the merge that it is at."""
        self._closing.set()
        self._changed.put(None)
        self._thread.join()

    def notice(self, runs: Iterable[str]) -> None:
        """Have runs looked at, since something of them was stored; any thread may call it."""
        for run in runs:
            self._changed.put(run)

    def _run(self) -> None:
        waiting: set[str] = set()
        found = False
        while not found and not self._closing.is_set():
            found = self._guarded(None, partial(self._find, waiting))
        while not self._closing.is_set():
            self._collect(waiting)
            merged = [run for run in sorted(waiting) if self._merge_safely(run, waiting)]
            if not merged:
                self._closing.wait(INTERVAL)

    def _find(self, waiting: set[str]) -> None:
        """Add what earlier servers have left."""
        with self._store.read() as connection:
            for source in self._sources:
                waiting.update(source.unmerged_runs(connection))

    def _collect(self, waiting: set[str]) -> None:
        """Add the runs that changed; waits for one when none is waiting."""
        try:
            while True:
                run = self._changed.get(block=not waiting)
                if run is None:
                    return
                if run not in self._left_alone:
                    waiting.add(run)
        except queue.Empty:
            return

    def _merge_safely(self, run: str, waiting: set[str]) -> bool:
        """Do the next merges of a run, and return whether there was one and all went well."""
        merges: list[Merge] = []
        if self._closing.is_set() or not self._guarded(run, partial(self._merge, run, merges)):
            return False
        if not merges or run in self._left_alone:
            waiting.discard(run)
        return bool(merges)

    def _merge(self, run: str, merges: list[Merge]) -> None:
        for source in self._sources:
            self._merge_next(source, run, merges)

    def _merge_next(self, source: MergeSource, run: str, merges: list[Merge]) -> None:
        begun = time.monotonic()
        with self._store.read() as connection:
            merge = source.next_merge(connection, run)
        if merge is None:
            return
        try:
            self._submit(merge.apply).result()
        except (Outdated, IntegrityError):
            # Another server, or a person who deleted, was faster.
            _log.debug("Run %s changed while it was merged, and is looked at again", run)
        merges.append(merge)
        self._rest(time.monotonic() - begun)

    def _rest(self, took: float) -> None:
        """Leave the processor to ingest and to answers, after a merge that took so many seconds."""
        rested = 0.0
        while rested < LONGEST_PAUSE and not self._closing.wait(PAUSE * took):
            rested += PAUSE
            if not self._busy():
                return

    def _guarded(self, run: str | None, work: Callable[[], None]) -> bool:
        """Do something and return whether it need not be tried again."""
        failures: list[Exception] = []
        with guarded(failures.append):
            work()
        if not failures:
            self._failing = False
            return True
        if isinstance(failures[0], OperationalError | NoConnection | WriterEnded):
            self._postpone(failures[0])
            return False
        _log.error(
            "What is stored of run %s cannot be merged, and stays as it is until the server is "
            "started again",
            run,
            exc_info=failures[0],
        )
        if run is not None:
            self._left_alone.add(run)
        return True

    def _postpone(self, error: Exception) -> None:
        """Wait before the next try; the first failure in a row is logged."""
        if not self._failing and not isinstance(error, WriterEnded):
            _log.error(
                "Merging waits, since the store cannot be written (%s): free some room, or see "
                "that the data base answers. What jobs send is stored as soon as it can be.",
                getattr(error, "orig", None) or error,
            )
        self._failing = True
        self._closing.wait(RETRY_AFTER)
