"""Writes a run into a file, beside a server or where there is none."""

from __future__ import annotations

import threading
import weakref
from functools import partial

from ..base.guard import Guard
from .conversation import Peer, hello_of, put_logged
from .loss import warn_of_loss
from .outbox import Outbox
from .server_messages import Message

PAUSE = 0.5
"""Seconds between two writes: what a job measures is on disk that soon."""


class Recorder:
    """A thread that writes what gathers; the training thread waits for it at the end alone."""

    def __init__(self, outbox: Outbox, guard: Guard, peer: Peer) -> None:
        self._outbox = outbox
        self._guard = guard
        self._peer = weakref.ref(peer)
        self._hello = partial(hello_of, self._peer)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gradgate-record", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, bye: Message, timeout: float) -> None:
        """Write what is left, and a goodbye."""
        self._ended.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join(timeout)
        self._outbox.leave(self._hello, bye, alone=True)
        warn_of_loss(self._outbox, "the recording lacks", "the disk has not taken them")

    def _run(self) -> None:
        while not self._ended.wait(PAUSE) and self._peer() is not None:
            put_logged(self._peer, self._guard)
            with self._guard:
                self._outbox.spill(self._hello)
