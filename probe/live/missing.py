"""Which parameters lack a useful gradient, and for how long."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..base.states import State
from ..model.sample import Sample

PATIENCE = 3
"""Samples in a row without a useful gradient after which somebody ought to look."""
MISSING = (State.ABSENT, State.STALE, State.ZERO, State.NONFINITE)
"""The states that ask for an explanation; frozen and gated are somebody's wish."""


class MissingGradients:
    """Follows the samples; arrays by the parameter's index in the table."""

    def __init__(self) -> None:
        self._missed = np.zeros(0, np.int64)
        """Samples in a row."""
        self.doubtful = False
        """A parameter is missing that was not looked at."""
        self._explained = np.zeros(0, np.bool_)
        """Those that were explained since they began to miss."""
        self._waiting = np.zeros(0, np.bool_)
        """Those that the latest sample did not ask for a gradient."""
        self._is_missing = np.isin(np.arange(256), MISSING)
        """By a state's code."""

    def receive(self, sample: Sample) -> None:
        """Take in a sample; a step that AMP skipped says nothing."""
        if sample.skipped:
            return
        self._grow(len(sample.states))
        waiting = self._waiting = np.zeros(len(sample.states), np.bool_)
        missing = self._is_missing[sample.states]
        if not (sample.waiting or missing.any()):
            self._missed[:], self._explained[:], self.doubtful = 0, False, False
            return
        waiting[list(sample.waiting)] = True
        self._missed = np.where(waiting, self._missed, np.where(missing, self._missed + 1, 0))
        self._explained &= missing | waiting
        self.doubtful = bool(((self._missed > 0) & ~self._explained).any())

    def overdue(self) -> npt.NDArray[np.int64]:
        """Find the parameters that ought to be looked at, and were not."""
        return np.flatnonzero((self._missed >= PATIENCE) & ~self._explained)

    def mark_explained(self) -> None:
        """Take what is missing now as explained."""
        self._explained |= (self._missed > 0) & ~self._waiting
        self.doubtful = False

    def _grow(self, count: int) -> None:
        more = count - len(self._missed)
        if more > 0:
            self._missed = np.append(self._missed, np.zeros(more, np.int64))
            self._explained = np.append(self._explained, np.zeros(more, np.bool_))
