"""Episodes: what lasts is told once, when it begins, and not again soon after."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .finding import NOBODY, Positions
from .records import Mask


class Episodes:
    """Which parameters are in an episode, and when each was last told of."""

    def __init__(self, pause: int) -> None:
        """Tell of a parameter at most once in `pause` samples."""
        self._pause = pause
        self._within = np.zeros(0, bool)
        self._told: NDArray[np.int64] = np.zeros(0, np.int64)

    def begin(self, number: int, begins: Mask, ends: Mask) -> Positions:
        """Return who has to be told of with sample `number`, counted from 0.

        An episode begins where `begins` is true, and lasts until `ends` is.
        """
        self._grow(len(begins))
        within = self._within[: len(begins)]
        if not begins.any() and not within.any():
            return NOBODY
        told = self._told[: len(begins)]
        new = begins & ~within & (number - told >= self._pause)
        within |= begins
        within &= ~ends
        told[new] = number
        return np.flatnonzero(new)

    def state(self) -> dict[str, Any]:
        """Return what has to be kept over a restart."""
        return {"within": self._within, "told": self._told}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what was kept."""
        self._within, self._told = state["within"].astype(bool), state["told"].astype(np.int64)

    def _grow(self, size: int) -> None:
        missing = size - len(self._within)
        if missing > 0:
            self._within = np.concatenate([self._within, np.zeros(missing, bool)])
            never = np.full(missing, -self._pause, np.int64)
            self._told = np.concatenate([self._told, never])


class Streaks:
    """For how many samples running something has been so, of every parameter."""

    def __init__(self, length: int) -> None:
        """Tell when it has been so for `length` samples."""
        self._length = length
        self._counts: NDArray[np.int64] = np.zeros(0, np.int64)
        self._began: NDArray[np.int64] = np.zeros(0, np.int64)
        self._step = -1
        """The step of the latest sample."""

    def extend(self, step: int, so: Mask, counted: Mask | None = None) -> Positions:
        """Count one sample more where it is so, begin anew where not; return who reaches `length`.

        Those that are not `counted` stay as they are. Where the job went back to a checkpoint, what
        was not told yet begins anew: its steps do not follow each other.
        """
        self._grow(len(so))
        if step < self._step:
            self._counts[self._counts < self._length] = 0
        self._step = step
        counts = self._counts[: len(so)]
        if not so.any() and not counts.any():
            return NOBODY
        longer = np.where(so, np.minimum(counts + 1, self._length + 1), 0)
        counts[:] = longer if counted is None else np.where(counted, longer, counts)
        begins = counts == 1
        self._began[: len(so)][begins if counted is None else begins & counted] = step
        reached = counts == self._length
        return np.flatnonzero(reached if counted is None else reached & counted)

    def began(self, positions: Positions) -> int:
        """Return the step of the earliest sample that counts for any of these."""
        return int(self._began[positions].min())

    def state(self) -> dict[str, Any]:
        """Return what has to be kept over a restart: who was told of."""
        return {"reached": self._counts >= self._length}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what was kept: who was told of stays so, all others begin anew."""
        self._counts = np.where(state["reached"], self._length + 1, 0).astype(np.int64)
        self._began = np.zeros_like(self._counts)

    def _grow(self, size: int) -> None:
        missing = size - len(self._counts)
        if missing > 0:
            self._counts = np.concatenate([self._counts, np.zeros(missing, np.int64)])
            self._began = np.concatenate([self._began, np.zeros(missing, np.int64)])
