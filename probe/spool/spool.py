"""The file of one run, to which goes what no server has taken yet; bounded."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

from filelock import FileLock, Timeout

from .recording import MAGIC, Kind, Record, frame_record, message_record, records

logger = logging.getLogger("gradgate")

Hello: TypeAlias = Callable[[], "Mapping[str, Any] | None"]
"""Makes the message that says who the run is, with its whole table; None where the run is gone."""

_BINARY = getattr(os, "O_BINARY", 0)
"""On Windows a file that is opened by its descriptor is one of text otherwise."""
PORTION = 4 * 2**20
"""Bytes of frames that are read at once, about."""


class Spool:
    """Keeps frames on disk, in the order of their numbers, until a server has stored them.

    The file is made with the first frame and removed with the last; another process leaves it
    alone while this one has its lock. Where the disk is full, or the file as large as it may be,
    nothing more is taken, which is said once. Thread-safe.
    """

    def __init__(self, path: Path, most_bytes: int, server: str | None) -> None:
        """``server``: where it is to be sent, which the file says."""
        self.path = path
        self._most_bytes = most_bytes
        self._server = server
        self._lock = threading.RLock()
        self._file: IO[bytes] | None = None
        self._process_lock = FileLock(lock_of(path), blocking=False, thread_local=False)
        self._size = 0
        self._read_to = len(MAGIC)
        self._said = False
        self._introduced = False
        """Whether the file says whose it is: a disk that is full may end before that."""
        self._ended = False
        self.last_seq = 0
        """The number of the last frame that it holds and gives; 0 for none."""
        self._left_out: set[int] = set()

    def add(self, frames: Sequence[tuple[int, bytes | str]], hello: Hello, *, anew: bool) -> int:
        """Write frames, numbered above all before; return the number of the last that it took.

        ``anew``: the run's table has changed since the last time. The number is 0 for none.
        """
        with self._lock:
            taken = 0
            if self._ended:  # a thread that was late would begin the file anew
                return taken
            try:
                if (anew or not self._introduced) and not self._introduce(hello):
                    return taken
                for seq, frame in frames:
                    if not self._write(frame_record(seq, frame)):
                        break
                    taken = self.last_seq = seq
            except (OSError, Timeout) as error:
                self._say(f"{self.path} cannot be written ({error})")
            return taken

    def take(self, after: int) -> list[tuple[int, bytes | str]]:
        """Return a portion of the frames above a number, each only once until :meth:`rewind`."""
        with self._lock:
            frames: list[tuple[int, bytes | str]] = []
            size = 0
            if self._file is None or after >= self.last_seq:
                return frames
            for record in records(self._file, self._read_to):
                self._read_to = record.end
                if self._gives(record) and record.seq > after:
                    frames.append((record.seq, record.frame))
                    size += len(record.payload)
                if size >= PORTION:
                    break
            return frames

    def leave_out(self, seq: int) -> None:
        """Give a frame to nobody any more, if it is here."""
        with self._lock:
            self._left_out.add(seq)
            if self._file is not None and seq == self.last_seq:
                given = (each.seq for each in records(self._file) if self._gives(each))
                self.last_seq = max(given, default=0)

    def rewind(self) -> None:
        """Begin to take from the start."""
        with self._lock:
            self._read_to = len(MAGIC)

    def forget(self, seq: int) -> None:
        """Note that a server has stored all up to a number; with the last the file goes."""
        with self._lock:
            if self._file is not None and seq >= self.last_seq:
                self._remove()

    def end(self, bye: Mapping[str, Any], hello: Hello | None = None) -> Path | None:
        """Close the file for good, with the run's goodbye; return where it lies, or None.

        ``hello``: to make one for the goodbye alone, where there is none.
        """
        with self._lock:
            if self._ended:
                return None
            self._ended = True
            try:
                if self._file is None and hello is not None:
                    self._introduce(hello)
                if self._introduced:
                    self._write(message_record(Kind.BYE, bye), anyway=True)
            except (OSError, Timeout) as error:
                self._say(f"{self.path} cannot be written ({error})")
            if self._file is None:
                return None
            if not self._introduced:  # nobody could tell whose it is
                self._remove()
                return None
            self._file.close()
            self._file = None
            self._unlock()
            return self.path

    def _introduce(self, hello: Hello) -> bool:
        message = hello()
        if message is None:
            return False
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._process_lock.acquire()
            private = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
            self._file = os.fdopen(private, "r+b", buffering=0)
            self._size, self._read_to = 0, len(MAGIC)
        record = message_record(Kind.HELLO, {**message, "server": self._server})
        if self._write(record if self._size else MAGIC + record):
            self._introduced = True
            return True
        return False

    def _write(self, record: bytes, *, anyway: bool = False) -> bool:
        assert self._file is not None
        if self._size + len(record) > self._most_bytes and not anyway:
            self._say(f"{self.path} has reached its {self._most_bytes / 2**20:,.0f} MiB")
            return False
        self._file.seek(self._size)
        written = self._file.write(record)
        if written != len(record):
            raise OSError("no space is left")
        self._size += written
        return True

    def _remove(self) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        self._introduced = False
        self.last_seq = 0
        # What cannot be removed is all stored: whoever sends it again does no harm.
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._unlock()

    def _gives(self, record: Record) -> bool:
        return record.kind in (Kind.TEXT, Kind.BINARY) and record.seq not in self._left_out

    def _unlock(self) -> None:
        self._process_lock.release()
        with contextlib.suppress(OSError):
            lock_of(self.path).unlink(missing_ok=True)

    def _say(self, what: str) -> None:
        if not self._said:
            self._said = True
            logger.warning(
                "gradgate: %s, so what is measured now waits in memory alone, where the oldest "
                "is dropped. Training goes on.",
                what,
            )


def lock_of(path: Path) -> Path:
    """Return the file that is locked while a process writes or sends this one."""
    return path.with_name(f"{path.name}.lock")
