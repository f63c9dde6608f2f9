"""A thread that asks the store for the training thread, which has to wait no longer than it would.

The host of a store may be stopped, or cut off. No operation of the store's client ends then, nor
can it be ended, so whoever waits for one has to leave it behind.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from .store import RankStore, StoreGone

T = TypeVar("T")

_LOOK = 0.5
"""Seconds between two looks whether the store still answers."""


class StoreThread:
    """Does what asks the store, one thing at a time; it is there from the first on."""

    def __init__(self, store: RankStore, longest: float | None = None) -> None:
        """``store``: used in this thread alone.

        ``longest``: the seconds that it may be silent; by default as long as the job would wait.
        """
        self._store = store
        self._longest = longest
        self._errands: queue.SimpleQueue[_Errand | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._given_up = False

    def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` does, or raise what it raises.

        Raises :class:`StoreGone` where the store has not answered for too long, and ever after.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gradgate-store", daemon=True)
            self._thread.start()
        if self._longest is None:
            self._longest = self._store.longest_silence()
        errand = _Errand(work)
        self._errands.put(errand)
        while not self._given_up and not errand.done.wait(_LOOK):
            self._given_up = self._store.silent_for() > self._longest
        if self._given_up:
            raise StoreGone(f"it has not answered for {self._longest:g} seconds")
        if errand.error is not None:
            raise errand.error
        found: T = errand.found
        return found

    def stop(self) -> None:
        """Let the thread end once it has done what it was given."""
        self._errands.put(None)

    def _run(self) -> None:
        while (errand := self._errands.get()) is not None:
            with errand:
                errand.found = errand.work()


class _Errand:
    """Something to do, and what came of it, an error too: that is for the thread that waits."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.found: Any = None
        self.error: BaseException | None = None
        self.done = threading.Event()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self.error = error
        self.done.set()
        return True
