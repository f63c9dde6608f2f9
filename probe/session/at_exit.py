"""What a job does when the program ends without a ``detach``."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Protocol


class Closing(Protocol):
    """What is to be closed."""

    def close(self, *, failed: bool) -> None:
        """Send what is left; ``failed``: the program ends by an error."""


def at_exit(closing: weakref.ref[Closing]) -> Callable[[], None]:
    """A hook for :mod:`atexit` that keeps nothing alive."""

    def hook() -> None:
        job = closing()
        if job is not None:
            # Set when the interpreter has printed the traceback of an uncaught exception.
            job.close(failed=hasattr(sys, "last_value"))

    return hook
