"""A time limit: a check ends though its script makes no step."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

PATIENCE = 5.0
"""Seconds for the main thread to end by itself where it is asked to."""
_OFTEN = 1.0
"""Seconds after which it is asked again what is left."""


class TimeLimit:
    """Stops the main thread where nothing has happened for too long; waits in a thread of its own.

    What blocks in C, as a queue that stays empty, cannot be stopped: that is given up.
    """

    def __init__(
        self,
        left: Callable[[], float],
        stop: type[BaseException],
        late: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        """``left``: the seconds that are left, should nothing happen; ``late`` is told that there
        are none, before ``stop`` is raised in the main thread."""
        self._left = left
        self._stop = stop
        self._late = late
        self._give_up = give_up
        self._lock = threading.Lock()
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="gradgate-limit", daemon=True).start()

    def end(self) -> None:
        """Stop nothing any more. Idempotent."""
        with self._lock:
            self._ended.set()

    def _watch(self) -> None:
        while (left := self._left()) > 0:
            if self._ended.wait(min(left, _OFTEN)):
                return
        with self._lock:
            if self._ended.is_set():
                return
            self._late()
            main = ctypes.c_ulong(threading.main_thread().ident or 0)
            # https://docs.python.org/3/c-api/init.html#c.PyThreadState_SetAsyncExc
            ctypes.pythonapi.PyThreadState_SetAsyncExc(main, ctypes.py_object(self._stop))
        if not self._ended.wait(PATIENCE):
            self._give_up()
