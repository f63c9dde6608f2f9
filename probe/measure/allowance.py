"""A share of the time, for what may be done as long as it takes no more than that."""

from __future__ import annotations

import time
from collections.abc import Callable

from .debt import Debt

FREE = 8
"""Times at the start that cost nothing: the first ones warm caches up."""


class Allowance:
    """Says whether something may be done again, since it took no more than its share so far."""

    def __init__(
        self,
        share: float,
        clock: Callable[[], float] = time.perf_counter,
        room: Callable[[], float] = lambda: 1.0,
    ) -> None:
        """``share``: of the time that passes, by the clock that also tells what is to be paid.

        On a busy machine both pass faster, the time of a step and what is done in it. ``room``:
        what part of the share is left.
        """
        self._clock = clock
        self._debt = Debt(share, clock, room)
        self._times = 0

    def covers(self) -> bool:
        """Return whether the share of the time that has passed pays for what was done."""
        return self._debt.is_paid()

    def now(self) -> float:
        """Return the time by this clock."""
        return self._clock()

    def pay(self, began: float) -> None:
        """Account for what was done since ``began``."""
        self._times += 1
        if self._times > FREE:
            self._debt.add(self._clock() - began, began)
