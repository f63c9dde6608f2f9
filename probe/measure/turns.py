"""Whose turn it is to be looked at, so that what is dear is spread over many samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

MOST_ELEMENTS = 2**18
"""Elements of all the weights of one look, if they are several."""
MOST_PARAMETERS = 32
"""Parameters of one look."""
LOOKS = 64
"""Looks after which a large model has been seen whole; its looks take in more of it, then."""
FREE = 8
"""Looks at the start that come whatever they cost, with a sample each."""
SHARE = 0.3
"""The part of the probe's budget that looks may take from then on."""


class Turns:
    """Shares parameters out over looks, and holds the looks to a part of the budget.

    In turn, in the order of the table, each parameter is looked at: with one sample at most
    32 of them or 262,144 elements, or one 64th of the model if that is more. After the first
    8 looks the next waits until the earlier ones take no more than their share of the time.
    """

    def __init__(
        self,
        budget: float,
        sizes: Callable[[], Sequence[int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``sizes``: elements of each parameter of the table, 0 of one that is not there."""
        self._share = SHARE * budget
        self._sizes = sizes
        self._clock = clock
        self._queue: list[list[int]] = []
        self._looks = 0
        self._debt = 0.0
        """Seconds that looks took above their share."""
        self._counted = clock()

    def next(self) -> Collection[int]:
        """Return the parameters to look at with the coming sample; none while it is too dear."""
        now = self._clock()
        self._debt = max(0.0, self._debt - self._share * (now - self._counted))
        self._counted = now
        if self._debt > 0:
            return ()
        if not self._queue:
            self._queue = shares(self._sizes())[::-1]
        return self._queue.pop() if self._queue else ()

    def pay(self, seconds: float) -> None:
        """Account for what a look has taken."""
        self._looks += 1
        if self._looks > FREE:
            self._debt += seconds


def shares(sizes: Sequence[int]) -> list[list[int]]:
    """Share the parameters out; an empty one takes no part."""
    present = [index for index, size in enumerate(sizes) if size]
    elements = max(MOST_ELEMENTS, sum(sizes) // LOOKS)
    parameters = max(MOST_PARAMETERS, len(present) // LOOKS)
    found: list[list[int]] = []
    room = 0
    for index in present:
        if not found or sizes[index] > room or len(found[-1]) == parameters:
            found.append([])
            room = elements
        found[-1].append(index)
        room -= sizes[index]
    return found
