"""A clock that goes on while the machine sleeps, and that nobody sets."""

from __future__ import annotations

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
"""On Linux the monotonic one stands still in a suspended machine, elsewhere it does not."""


def elapsed() -> float:
    """Return seconds since some moment."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
