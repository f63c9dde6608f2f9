"""A frame of the outbox, under its number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Frame: TypeAlias = "bytes | str"


@dataclass(slots=True)
class Entry:
    """A frame and its sequence number; it may be made as late as somebody takes it.

    In the thread that sends, one after the other, a small frame costs a fifth of what it costs the
    thread that trains, with cold caches between two steps.
    """

    seq: int
    frame: Frame = ""
    """Empty until it is made."""
    replaces: str | None = None
    size: int = 0
    """Bytes of the frame; about, of one that is to be made. Who keeps many says so."""
    make: Callable[[int], Frame | None] | None = None
    """Returns the frame, or None where a fault is in the way."""

    def is_made(self) -> bool:
        """Make the frame if that was put off; return whether there is one."""
        make = self.make  # another thread may make it at the same time
        if make is not None:
            frame = make(self.seq)
            if frame is None:
                return False
            self.frame, self.make = frame, None
        return True
