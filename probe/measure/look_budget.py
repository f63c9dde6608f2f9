"""What looks at weights may cost: a part of the probe's budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .debt import Debt

SHARE = 0.2
"""The part of the probe's budget that the others may take, which come in turn."""
CLOSE_SHARE = 0.1
"""The same of close looks, at what is suspect."""
_FIRST = 4


class LookBudget:
    """Lets a look wait until the earlier ones take no more than their share of the time.

    At the occasions 1, 2, 3, 4, 8, 16, 32 … for one it comes all the same, so that a short run
    is told of, too.
    """

    def __init__(
        self,
        share: float,
        clock: Callable[[], float] = time.monotonic,
        room: Callable[[], float] = lambda: 1.0,
    ) -> None:
        """``share``: the part of a job's time that they may take; ``room``: what part of it is
        left."""
        self._debt = Debt(share, clock, room)
        self._occasions = 0
        self._taken = 0.0
        """Seconds of looks that have not ended."""

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Account for the block as a part of a look."""
        # Of this thread: on a busy machine a look is no dearer than on an idle one.
        began = time.thread_time()
        yield
        self.take(time.thread_time() - began)

    def take(self, seconds: float) -> None:
        """Account for a part of a look."""
        self._taken += seconds

    def end_look(self) -> None:
        """Put what the look has taken on the bill."""
        self._debt.add(self._taken)
        self._taken = 0.0

    def affords(self) -> bool:
        """Return whether another look may begin, now that there is an occasion."""
        self._occasions += 1
        return self._debt.is_paid() or _is_early(self._occasions)


def _is_early(number: int) -> bool:
    """Return whether an occasion is one of the first, or its number a power of two."""
    return number <= _FIRST or number & (number - 1) == 0
