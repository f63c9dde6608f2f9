"""Seconds taken above a share of the time, which that share pays off as the time passes."""

from __future__ import annotations

from collections.abc import Callable


class Debt:
    """What was taken and is not paid off yet; time in which nothing was taken is not saved up."""

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        """``share``: of the time that passes by ``clock``."""
        self._share = share
        self._clock = clock
        self._counted = clock()
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """Take so many seconds."""
        self._seconds += seconds

    def is_paid(self) -> bool:
        """Return whether the time that has passed pays for all that was taken."""
        now = self._clock()
        self._seconds = max(0.0, self._seconds - self._share * (now - self._counted))
        self._counted = now
        return self._seconds == 0
