"""A share of the time, for what may be done as long as it takes no more than that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

FREE = 8
"""Times at the start that cost nothing: the first ones warm caches up."""


class Allowance:
    """Says whether something may be done again, since it took no more than its share so far."""

    def __init__(self, share: float, clock: Callable[[], float] = time.perf_counter) -> None:
        """``share``: of the time that passes, by the clock that also tells what is to be paid.

        On a busy machine both pass faster, the time of a step and what is done in it.
        """
        self._share = share
        self._clock = clock
        self._counted = clock()
        self._debt = 0.0
        """Seconds taken above the share."""
        self._times = 0

    def covers(self) -> bool:
        """Return whether the share of the time that has passed pays for what was done."""
        now = self._clock()
        self._debt = max(0.0, self._debt - self._share * (now - self._counted))
        self._counted = now
        return self._debt == 0

    @contextmanager
    def paying(self) -> Iterator[None]:
        """Account for what is done inside."""
        began = self._clock()
        yield
        self._times += 1
        if self._times > FREE:
            self._debt += self._clock() - began
