"""Which optimizers take part in a step of the run, where there are several."""

from __future__ import annotations

from collections.abc import Callable, Collection

LONGEST_WAIT = 200
"""Steps of the run without one of an optimizer, after which its parameters miss something."""


class Rounds:
    """Follows when each optimizer stepped, as the generator's does once in five of its critic's.

    What an optimizer holds is asked for a gradient only in the steps in which it makes one.
    """

    def __init__(self, count: int, set_of: Callable[[int], Collection[int]]) -> None:
        """``count``: of optimizers; ``set_of``: the parameters of one."""
        self._latest = [0] * count
        """The latest step in which each made one."""
        self._set_of = set_of

    def stepped(self, k: int, step: int) -> None:
        """Take in that optimizer k makes a step, in ``step`` of the run."""
        self._latest[k] = step

    def waiting(self, step: int) -> frozenset[int]:
        """Return the parameters whose optimizers wait in ``step`` for another one to step."""
        applied = [k for k, latest in enumerate(self._latest) if latest == step]
        if not applied or len(applied) == len(self._latest):
            return frozenset()
        waits = [k for k, latest in enumerate(self._latest) if 0 < step - latest < LONGEST_WAIT]
        held = frozenset[int]().union(*map(self._set_of, waits))
        return held.difference(*map(self._set_of, applied))
