"""Whose turn it is to be looked at, so that what is dear is spread over many samples."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

MOST_ELEMENTS = 2**18
"""Elements of all the weights of one look, if they are several."""
MOST_PARAMETERS = 16
"""Parameters of one look."""
LOOKS = 64
"""Looks after which a large model has been seen whole; its looks take in more of it, then."""


class Turns:
    """Shares parameters out over looks.

    In turn, in the order of the table, each parameter is looked at: with one sample at most
    16 of them or 262,144 elements, or one 64th of the model if that is more.
    """

    def __init__(self, sizes: Callable[[], Sequence[int]]) -> None:
        """``sizes``: elements of each parameter of the table, 0 of one that is not there."""
        self._sizes = sizes
        self._queue: list[list[int]] = []

    def next(self) -> Collection[int]:
        """Return the parameters of the coming look; none of a model without any."""
        if not self._queue:
            self._queue = shares(self._sizes())[::-1]
        return self._queue.pop() if self._queue else ()


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
