"""Stretches of steps in which nothing is asked of a run, so that boundaries can put work off."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sized


class Lull:
    """What was planned of the coming steps, at the boundary before them: who looks at them.

    Between two hooks a step takes the place of the probe's code and data in the processor's caches,
    so that merely to ask each part whether it has anything to do costs more than most of what they
    do. So all are asked at one boundary for several steps; see :class:`outlook.Outlook`.
    """

    def __init__(self, commands: Sized, clock: Callable[[], float] = time.monotonic) -> None:
        """``commands``: those that wait for a boundary, which end a lull."""
        self.is_on = False
        """Nobody is about to change what the coming step computes, nor to look at its forward."""
        self.is_quiet = False
        """Nobody looks at the coming step at all: at no gradient, and at no weight."""
        self.is_calm = False
        """The coming step is sampled, and nobody does more than that."""
        self._commands = commands
        self._clock = clock
        self._last = 0
        """The last step behind which the boundary may put its work off to a later one."""
        self._until = -math.inf

    def begin(self, last: int, until: float, *, is_quiet: bool, is_calm: bool) -> None:
        """Let boundaries put their work off up to step ``last`` and ``until`` a time."""
        self._last, self._until = last, until
        self.is_on, self.is_quiet, self.is_calm = True, is_quiet, is_calm

    def end(self) -> None:
        """Have the next boundary do all its work, and all look at the coming step that want to."""
        self._last, self.is_on, self.is_quiet, self.is_calm = 0, False, False, False

    def look(self) -> None:
        """Have all look at the present step that want to, before its optimizer applies it."""
        self.is_quiet = False

    def lasts(self, step: int) -> bool:
        """Return whether the boundary behind ``step`` may put its work off."""
        return step <= self._last and not self._commands and self._clock() < self._until
