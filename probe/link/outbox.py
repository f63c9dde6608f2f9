"""What is on its way to the server, bounded in memory, and then on disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set
from itertools import takewhile
from pathlib import Path
from typing import Any

from ..spool.spool import Hello, Spool
from .entry import Entry, Frame, Make

TABLE = "parameters"
"""What the whole table replaces: on disk the run's hello has it."""

LARGE = 64 * 1024
"""Bytes from which on a frame costs its bytes to send, and not that it is sent by itself."""
OVERHEAD = 250
"""Bytes that an entry takes in memory beside its payload, about."""
MOST_REFUSED = 20
"""Frames that a server may refuse, of a whole run; what refuses more takes none."""
MAX_KEPT = 10_000
"""Reports kept at most; only a script that freezes thousands of times offline gets there."""


class Outbox:
    """Keeps frames until the server has stored them; bounded, and it drops the oldest first.

    Thread-safe: the training thread puts, the link's thread sends, or, while there is nobody to
    send to, spills what is in memory into a file. Samples and metrics are dropped when they take
    more than ``max_bytes`` of memory (``dropped`` counts them); reports of commands are not, and
    are few.
    """

    def __init__(
        self,
        max_bytes: int = 32 * 2**20,
        spool: Spool | None = None,
        copy: Outbox | None = None,
    ) -> None:
        """``copy``: another that gets each frame, under the same number."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._max_bytes = max_bytes
        self._spool = spool
        self._copy = copy
        self._spilling = threading.Lock()
        """Held while frames go to disk: not by who puts, which never waits for one."""
        self._bytes = 0
        self._seq = 0
        self._sent = 0
        self._offered = 0
        self._taken = 0
        self._droppable: deque[Entry] = deque()
        self._kept: deque[Entry] = deque()
        self._wake: Callable[[], None] | None = None
        self._woken = False
        self._refused: set[int] = set()
        """Numbers of frames that the server does not take."""
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
            place = self._waiting(replaces) if in_place else None
            seq = self._seq + 1 if place is None else self._kept[place].seq
            frame = make(seq)
            entry = Entry(seq, frame, replaces, len(frame))
            if place is None:
                self._hold(entry, keep=keep)
            else:
                self._kept[place] = entry
            if self._copy is not None:
                self._copy.put_entry(entry, keep=keep)

    def put_off(self, make: Make, source: Any, size: int) -> None:
        """Add a frame, of about so many bytes, that ``make(source, seq)`` gives once it is taken.

        In the thread that takes it, or in several; None: there is none after all.
        """
        with self._lock:
            entry = Entry(self._seq + 1, size=size, make=make, source=source)
            self._hold(entry, keep=False)
            if self._copy is not None:
                self._copy.put_entry(entry, keep=False)

    def put_entry(self, entry: Entry, *, keep: bool) -> None:
        """Add what another outbox has made, under its number."""
        with self._lock:
            self._hold(entry, keep=keep)

    def listen(self, wake: Callable[[], None] | None) -> None:
        """Call ``wake`` (from the putting thread) once when there is something to send.

        It is called again after a :meth:`take` that found nothing, and whenever there is something
        that had better not wait for more: what must not be dropped, a large frame, or all of it,
        where somebody waits until it is stored.
        """
        with self._lock:
            self._wake = wake
            self._woken = False
            if wake is not None and self._seq > self._sent:
                self._woken = True
                wake()

    def take(self) -> list[Entry]:
        """Return what was not sent yet over this connection, in order; note it by :meth:`sent`.

        What is on disk comes first, in portions.
        """
        if self._spool is not None and (spooled := self._spool.take(self._sent)):
            return [Entry(seq, frame) for seq, frame in spooled]
        with self._lock:
            entries = [
                entry
                for lane in (self._droppable, self._kept)
                for entry in _after(lane, self._sent)
            ]
            self._taken = max((entry.seq for entry in entries), default=self._taken)
            # Who found something looks again by itself, and the training thread need not call.
            self._woken = bool(entries)
        made = self._made(sorted(entries, key=lambda entry: entry.seq))
        # Who takes nothing is woken by what comes next, and this was told otherwise above.
        return self.take() if entries and not made else made

    def offer(self, entry: Entry) -> None:
        """Note that an entry, and all before it, is about to be sent."""
        with self._lock:
            self._offered = max(self._offered, entry.seq)

    def sent(self, entry: Entry) -> None:
        """Note that an entry, and all before it, was sent."""
        with self._lock:
            self._sent = max(self._sent, entry.seq)

    def acknowledge(self, seq: int) -> None:
        """Forget what the server has stored; raises ValueError for what it was never sent."""
        if seq > self._offered:
            raise ValueError(f"it says that it has stored frame {seq}, which it was never sent")
        if self._spool is not None:
            self._spool.forget(seq)
        self._drop_up_to(seq)

    def refuse(self, seq: int) -> bool:
        """Drop a frame that the server does not take; return whether all others are to be sent.

        So they are not where it was never offered that frame, or refuses one after the other.
        """
        with self._lock:
            offered = 0 < seq <= self._offered and seq not in self._refused
            if not offered or len(self._refused) >= MOST_REFUSED:
                return False
            self._refused.add(seq)
            self._leave_out({seq})
        # Behind the lock, for which the training thread may wait: a file is read.
        if self._spool is not None:
            self._spool.leave_out(seq)
        with self._lock:
            self._changed.notify_all()
        return True

    def rewind(self, seq: int) -> None:
        """Start over after a lost connection: the server has stored up to ``seq``.

        Raises what :meth:`acknowledge` raises.
        """
        self.acknowledge(seq)
        if self._spool is not None:
            self._spool.rewind()
        with self._lock:
            self._sent = self._taken = seq

    def wait_empty(self, timeout: float) -> bool:
        """Wait until all is stored; False when ``timeout`` seconds were not enough."""
        with self._lock:
            if self._wake is not None and not self._is_empty():
                self._wake()
            return self._changed.wait_for(self._is_empty, timeout=timeout)

    @property
    def crowded(self) -> bool:
        """Whether memory is half full, as a server is slower than the job."""
        return self._bytes > self._max_bytes / 2

    @property
    def behind(self) -> bool:
        """Whether more lies on disk than one :meth:`take` returns, perhaps."""
        return self._spool is not None and self._spool.last_seq > self._sent

    @property
    def newest(self) -> int:
        """The number of the latest frame."""
        return self._seq

    @property
    def unstored(self) -> int:
        """Bytes of frames in memory, of which nobody knows whether a server has stored them.

        The table is none: on disk the run's hello has it, and without a frame nobody needs it.
        """
        with self._lock:
            waiting = [each for each in (*self._droppable, *self._kept) if each.replaces != TABLE]
            return sum(each.size for each in waiting)

    def holds(self, seq: int) -> bool:
        """Return whether a frame up to this number waits in memory."""
        with self._lock:
            return any(lane and lane[0].seq <= seq for lane in (self._droppable, self._kept))

    def spill(self, hello: Hello) -> None:
        """Write what is in memory to disk, in the order of its numbers, and drop it here.

        A table that a connected server was not sent yet waits: on disk it would be a part of the
        next connection's hello, and this one would miss it.
        """
        if self._spool is None:
            return
        with self._spilling:
            with self._lock:
                put_off = [entry for entry in self._droppable if entry.make is not None]
            self._made(put_off)
            with self._lock:
                if self._wake is not None and self._table_waits():
                    return
                ordered = sorted((*self._droppable, *self._kept), key=lambda entry: entry.seq)
                # What was put since waits for the next time.
                entries = list(takewhile(lambda entry: entry.make is None, ordered))
                anew = any(entry.replaces == TABLE for entry in entries)
                frames = [(each.seq, each.frame) for each in entries if each.replaces != TABLE]
                if not frames:
                    return
                # None may change its place any more.
                self._taken = max(self._taken, frames[-1][0])
            self._drop_up_to(self._spool.add(frames, hello, anew=anew))

    def leave(self, hello: Hello, bye: Mapping[str, Any], *, alone: bool = False) -> Path | None:
        """Close for good; return where what no server has stored lies.

        ``alone``: the goodbye is left also where there is nothing else. None where all is stored,
        or there is no file to leave it in, and the second time.
        """
        if self._spool is None:
            return None
        self.spill(hello)
        if self.holds(self._seq):  # what another thread has put meanwhile
            self.spill(hello)
        return self._spool.end(bye, hello if alone else None)

    def _made(self, entries: Iterable[Entry]) -> list[Entry]:
        """Make frames that were put off, outside of the lock; return those that there are."""
        made, missing = list[Entry](), set[int]()
        for entry in entries:
            if entry.is_made():
                made.append(entry)
            else:
                missing.add(entry.seq)
        if missing:
            with self._lock:
                self._leave_out(missing)
                self._changed.notify_all()
        return made

    def _leave_out(self, seqs: Set[int]) -> None:
        """Drop frames for good, by their numbers."""
        self._droppable = deque(each for each in self._droppable if each.seq not in seqs)
        self._bytes = sum(map(_size, self._droppable))
        self._kept = deque(each for each in self._kept if each.seq not in seqs)
        self.dropped += len(seqs)

    def _is_empty(self) -> bool:
        on_disk = self._spool is not None and self._spool.last_seq > 0
        return not (self._droppable or self._kept or on_disk)

    def _drop_up_to(self, seq: int) -> None:
        """Forget what is stored or on disk; a frame that was put meanwhile stays."""
        with self._lock:
            while self._droppable and self._droppable[0].seq <= seq:
                self._bytes -= _size(self._droppable.popleft())
            while self._kept and self._kept[0].seq <= seq:
                self._kept.popleft()
            self._changed.notify_all()

    def _table_waits(self) -> bool:
        return any(each.replaces == TABLE and each.seq > self._sent for each in self._kept)

    def _waiting(self, name: str | None) -> int | None:
        """The position in the kept lane of the frame under ``name``, if nobody took it yet."""
        for place, entry in enumerate(self._kept):
            if entry.replaces == name and entry.seq > self._taken:
                return place
        return None

    def _hold(self, entry: Entry, *, keep: bool) -> None:
        self._seq = max(self._seq, entry.seq)
        if keep:
            self._keep(entry)
        else:
            self._droppable.append(entry)
            self._bytes += _size(entry)
            while self._bytes > self._max_bytes:
                self._bytes -= _size(self._droppable.popleft())
                self.dropped += 1
        urgent = keep or entry.size > LARGE
        if self._wake is not None and (urgent or not self._woken):
            self._woken = True
            self._wake()

    def _keep(self, entry: Entry) -> None:
        if entry.replaces is not None:
            others = (e for e in self._kept if e.replaces != entry.replaces)
            self._kept = deque(others)
        self._kept.append(entry)
        if len(self._kept) > MAX_KEPT:
            self._kept.popleft()
            self.dropped += 1


def _size(entry: Entry) -> int:
    return entry.size + OVERHEAD


def _after(lane: deque[Entry], seq: int) -> list[Entry]:
    """The entries above ``seq``, found from the end: what was sent is at the front."""
    tail: list[Entry] = []
    for entry in reversed(lane):
        if entry.seq <= seq:
            break
        tail.append(entry)
    return tail
