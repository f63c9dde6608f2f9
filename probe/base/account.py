"""The time that the probe takes of the thread that trains."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any


class Account:
    """Adds up the seconds in what something else calls of the probe's: of nested calls once.

    Hooks in a thread of the engine's count as well: the one that trains waits for them. Calls in
    two threads at the same time are counted as one.
    """

    __slots__ = ("_began", "_spent")

    def __init__(self) -> None:
        self._began: float | None = None
        """When the outermost call under way began, or was accounted for; None between calls."""
        self._spent = 0.0

    def charge(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
        """Return what a function returns, and add its time up."""
        if self._began is not None:
            return function(*args, **named)
        self._began = perf_counter()
        try:
            return function(*args, **named)
        finally:
            began, self._began = self._began, None
            if began is not None:  # two threads began at once, and the other has ended
                self._spent += perf_counter() - began

    def take(self) -> float:
        """Return the seconds since the last time, those of the call under way included."""
        spent, self._spent = self._spent, 0.0
        if self._began is not None:
            now = perf_counter()
            spent += now - self._began
            self._began = now
        return spent
