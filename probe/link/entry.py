"""A frame of the outbox, under its number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Frame: TypeAlias = "bytes | str"
Make: TypeAlias = "Callable[[Any, int], Frame | None]"
"""Returns the frame of a source under a number, or None where a fault is in the way."""


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
    make: Make | None = None
    source: Any = None
    """What the frame is made of."""

    def is_made(self) -> bool:
        """Make the frame if that was put off; return whether there is one."""
        # Another thread may make it at the same time, which lets go of the source last.
        source, make = self.source, self.make
        if make is not None:
            frame = make(source, self.seq)
            if frame is None:
                return False
            self.frame, self.make = frame, None
            self.source = None
        return True
