"""Seconds taken above a share of the time, which that share pays off as the time passes."""

from __future__ import annotations

import math
from collections.abc import Callable


class Debt:
    """What was taken and is not paid off yet; time in which nothing was taken is not saved up."""

    def __init__(
        self, share: float, clock: Callable[[], float], room: Callable[[], float] = lambda: 1.0
    ) -> None:
        """``share``: of the time that passes by ``clock``; ``room``: what part of it is left now,
        above 0, since something else takes the rest."""
        self._share = share
        self._room = room
        self._clock = clock
        self._paid_at = -math.inf
        """When the time that has passed will have paid for all that was taken."""

    def add(self, seconds: float, since: float | None = None) -> None:
        """Take so many seconds; ``since``: the time pays for them from then on, or from now."""
        share = self._share * self._room()
        began = max(self._paid_at, self._clock() if since is None else since)
        self._paid_at = began + (seconds / share if share > 0 else math.inf)

    def is_paid(self) -> bool:
        """Return whether the time that has passed pays for all that was taken."""
        return self._clock() >= self._paid_at
