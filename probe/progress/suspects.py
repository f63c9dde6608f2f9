"""Whose steps are looked at closely: suspects, and now and then others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .close_look import Look
from .streaks import Streaks
from .verdicts import CHECKED, Verdicts

LONGEST_PAUSE = 64
"""Looks from one that clears a suspect to the next at the same, at most."""
SPOT_CHECKS = 4
"""Weights that are looked at closely though they are not suspect, now and then."""


@dataclass(frozen=True)
class _Cleared:
    """A suspect that was looked at, and is not to be for a while."""

    until: int
    """A number of a look."""
    pause: int


class Suspects:
    """Chooses what to look at closely next, by the looks that come in turn."""

    def __init__(
        self,
        streaks: Streaks,
        verdicts: Verdicts,
        patience: int,
        put_back: Callable[[], Collection[int]],
    ) -> None:
        """``patience``: samples after which another look at the same may tell more;
        ``put_back``: what a look has found as it was before the step."""
        self._streaks = streaks
        self._verdicts = verdicts
        self._patience = patience
        self._put_back = put_back
        self._looks = 0
        self._cleared: dict[int, _Cleared] = {}
        self._undecided: dict[int, int] = {}
        """Suspects that were looked at, and the step from which another look may tell more."""

    def choose(self, suspects: Iterable[int]) -> list[int]:
        """Return whose next step to look at, after another look of those that come in turn."""
        self._looks += 1
        unjudged = (index for index in suspects if index not in self._verdicts.current)
        wanted = [index for index in unjudged if not self._rests(index)]
        return list(dict.fromkeys((*wanted, *self._spot_checks())))

    def due(self, step: int) -> list[int]:
        """Return the suspects of which another look may tell more by now."""
        return [index for index, due in self._undecided.items() if due <= step]

    def settle(self, look: Look) -> None:
        """Let what was looked at rest, unless there is a verdict on it; longer each time."""
        index, still = look.index, bool(self._streaks.still[look.index])
        self._undecided.pop(index, None)
        if index in self._verdicts.current:
            self._cleared.pop(index, None)
        elif (look.moved and still) or self._streaks.roaming[index]:
            before = self._cleared.get(index, _Cleared(0, 0))
            pause = min(max(2 * before.pause, 1), LONGEST_PAUSE)
            self._cleared[index] = _Cleared(self._looks + pause, pause)
        elif look.put_back:
            self._undecided[index] = self._streaks.step + 1
        elif still:
            lasted = int(self._streaks.since[index]) + self._patience
            self._undecided[index] = max(lasted, self._streaks.step + 1)

    def _spot_checks(self) -> Iterator[int]:
        """Choose some trained weights; all, with those first at which a check has found something.

        That a weight is put back after each step shows in no look, which comes right after one.
        """
        put_back, number = self._put_back(), self._looks
        is_due = number & (number - 1) == 0
        if not (is_due or put_back):
            return
        trained = [int(i) for i in np.flatnonzero(self._streaks.trained)]
        unjudged = [i for i in trained if self._verdicts.reason(i) in (None, *CHECKED)]
        if put_back:
            turn = number % max(1, len(unjudged))
            yield from (index for index in unjudged if index in put_back)
            yield from (*unjudged[turn:], *unjudged[:turn])
        else:
            stride = max(1, len(unjudged) // SPOT_CHECKS)
            yield from unjudged[number.bit_length() % stride :: stride]

    def _rests(self, index: int) -> bool:
        """Return whether a suspect was looked at a short while ago."""
        cleared = self._cleared.get(index)
        waits = self._undecided.get(index, 0) > self._streaks.step
        return waits or (cleared is not None and self._looks < cleared.until)
