"""Reading what the training thread may be changing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

ATTEMPTS = 10


def consistently(read: Callable[[], T], attempts: int = ATTEMPTS) -> T:
    """Return ``read()``, called again while what it iterates over changes under it.

    Modules and optimizer state are plain dicts: a loop over one raises when another thread
    adds to it. That is rare (a first step, a layer that is added), so trying again is
    enough; nobody needs to hold up the training thread for it.
    """
    try:
        return read()
    except RuntimeError as error:
        # CPython says so of dicts, sets, ordered dicts and deques alike.
        if attempts == 1 or "during iteration" not in str(error):
            raise
    return consistently(read, attempts - 1)
