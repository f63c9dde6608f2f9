"""How long, by parameter, gradients have been of use and weights have stayed or moved."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..base.states import State
from ..model.movement import Movement
from ..model.sample import Sample

IDLE = (State.ABSENT, State.STALE, State.ZERO, State.FROZEN)
"""States in which no gradient asks a weight to move."""
_IS_IDLE = np.isin(np.arange(256), IDLE)
"""By a state's code."""


class Streaks:
    """Arrays by the parameter's index in the table, int64."""

    def __init__(self) -> None:
        self.step = 0
        """Of the latest sample."""
        self.idle = np.zeros(0, np.int64)
        """Samples in a row without a useful gradient."""
        self.still = np.zeros(0, np.int64)
        """Looks in a row that saw no bit of the weight change, though a gradient was applied."""
        self.roaming = np.zeros(0, np.int64)
        """Looks in a row that saw it change while it was idle."""
        self.since = np.zeros(0, np.int64)
        """The step from which on the looks in a row count."""
        self._useful_step = np.zeros(0, np.int64)
        """The latest sampled step that applied a useful gradient."""

    @property
    def trained(self) -> npt.NDArray[np.bool_]:
        """Return which parameters had a useful gradient in the latest sample."""
        trained: npt.NDArray[np.bool_] = self._useful_step == (self.step or -1)
        return trained

    def receive(self, sample: Sample, useful: npt.NDArray[np.bool_], times: int = 1) -> None:
        """Take in a sample of a step that was applied; ``useful``: by parameter.

        ``times``: it is the last of so many in a row with the same states.
        """
        self.step, count = sample.step, len(useful)
        self._grow(count)
        idle, waiting = self.idle[:count], list(sample.waiting)
        stays = (idle[waiting], self._useful_step[waiting]) if waiting else None
        np.copyto(self._useful_step[:count], sample.step, where=useful)
        idle += times
        idle *= _IS_IDLE[sample.states]
        if stays is not None:
            idle[waiting], self._useful_step[waiting] = stays

    def receive_movement(self, movement: Movement) -> None:
        """Take in a look; what it says nothing of stays as it is.

        It may be of a time when there were fewer parameters.
        """
        known, moved, count = movement.known, movement.moved, len(movement.known)
        self._grow(count)
        since, stays, roams = self.since[:count], self.still[:count], self.roaming[:count]
        still = known & ~moved & (self._useful_step[:count] > movement.since)
        roaming = known & moved & (self.idle[:count] > 0)
        begins = (still & (stays == 0)) | (roaming & (roams == 0))
        since[begins] = movement.since[begins]
        stays += still
        stays[known & moved] = 0
        roams += roaming
        roams[known & ~roaming] = 0

    def _grow(self, count: int) -> None:
        more = count - len(self.idle)
        if more > 0:
            for name in ("idle", "still", "roaming", "since", "_useful_step"):
                setattr(self, name, np.append(getattr(self, name), np.zeros(more, np.int64)))
