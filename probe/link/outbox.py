"""What is on its way to the server, bounded."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Frame: TypeAlias = "bytes | str"

OVERHEAD = 250
"""Bytes that an entry takes in memory beside its payload, about."""
MAX_KEPT = 10_000
"""Reports kept at most; only a script that freezes thousands of times offline gets there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A frame and its sequence number."""

    seq: int
    frame: Frame
    replaces: str | None = None


class Outbox:
    """Keeps frames until the server has stored them; bounded, and it drops the oldest first.

    Thread-safe: the training thread puts, the link's thread sends. Samples and metrics are
    dropped when they take more than ``max_bytes`` (``dropped`` counts them); reports of
    commands are not, and are few.
    """

    def __init__(self, max_bytes: int = 32 * 2**20) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._max_bytes = max_bytes
        self._bytes = 0
        self._seq = 0
        self._sent = 0
        self._taken = 0
        self._droppable: deque[Entry] = deque()
        self._kept: deque[Entry] = deque()
        self._wake: Callable[[], None] | None = None
        self._woken = False
        self.dropped = 0

    def put(
        self,
        make: Callable[[int], Frame],
        *,
        keep: bool = False,
        replaces: str | None = None,
        in_place: bool = False,
    ) -> None:
        """Add the frame that ``make(seq)`` gives.

        ``keep``: it must not be dropped. ``replaces``: an absolute state under this name,
        of which only the latest counts. ``in_place``: it takes the very place of the one
        that it replaces, if that still waits; for what frames behind it rely on.
        """
        with self._lock:
            if in_place and (place := self._waiting(replaces)) is not None:
                seq = self._kept[place].seq
                self._kept[place] = Entry(seq, make(seq), replaces)
                return
            self._seq += 1
            entry = Entry(self._seq, make(self._seq), replaces)
            if keep:
                self._keep(entry)
            else:
                self._droppable.append(entry)
                self._bytes += _size(entry)
                while self._bytes > self._max_bytes:
                    self._bytes -= _size(self._droppable.popleft())
                    self.dropped += 1
            if self._wake is not None and not self._woken:
                self._woken = True
                self._wake()

    def listen(self, wake: Callable[[], None] | None) -> None:
        """Call ``wake`` (from the putting thread) once when there is something to send.

        It is called again after a :meth:`take` that found nothing.
        """
        with self._lock:
            self._wake = wake
            self._woken = False
            if wake is not None and self._seq > self._sent:
                self._woken = True
                wake()

    def take(self) -> list[Entry]:
        """Return what was not sent yet over this connection, in order; note it by :meth:`sent`."""
        with self._lock:
            entries = [
                entry
                for lane in (self._droppable, self._kept)
                for entry in _after(lane, self._sent)
            ]
            self._taken = max((entry.seq for entry in entries), default=self._taken)
            # Who found something looks again by itself, and the training thread need not call.
            self._woken = bool(entries)
        return sorted(entries, key=lambda entry: entry.seq)

    def sent(self, entry: Entry) -> None:
        """Note that an entry, and all before it, was sent."""
        with self._lock:
            self._sent = max(self._sent, entry.seq)

    def acknowledge(self, seq: int) -> None:
        """Forget what the server has stored."""
        with self._lock:
            while self._droppable and self._droppable[0].seq <= seq:
                self._bytes -= _size(self._droppable.popleft())
            while self._kept and self._kept[0].seq <= seq:
                self._kept.popleft()
            self._changed.notify_all()

    def rewind(self, seq: int) -> None:
        """Start over after a lost connection: the server has stored up to ``seq``."""
        self.acknowledge(seq)
        with self._lock:
            self._sent = self._taken = seq

    def wait_empty(self, timeout: float) -> bool:
        """Wait until all is stored; False when ``timeout`` seconds were not enough."""
        with self._lock:
            return self._changed.wait_for(
                lambda: not self._droppable and not self._kept, timeout=timeout
            )

    def _waiting(self, name: str | None) -> int | None:
        """The position in the kept lane of the frame under ``name``, if nobody took it yet."""
        for place, entry in enumerate(self._kept):
            if entry.replaces == name and entry.seq > self._taken:
                return place
        return None

    def _keep(self, entry: Entry) -> None:
        if entry.replaces is not None:
            others = (e for e in self._kept if e.replaces != entry.replaces)
            self._kept = deque(others)
        self._kept.append(entry)
        if len(self._kept) > MAX_KEPT:
            self._kept.popleft()
            self.dropped += 1


def _size(entry: Entry) -> int:
    return len(entry.frame) + OVERHEAD


def _after(lane: deque[Entry], seq: int) -> list[Entry]:
    """The entries above ``seq``, found from the end: what was sent is at the front."""
    tail: list[Entry] = []
    for entry in reversed(lane):
        if entry.seq <= seq:
            break
        tail.append(entry)
    return tail
