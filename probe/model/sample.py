"""A sample: every parameter's state and statistics at one step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..base.states import State

GRAD_NORM = 1
GRAD_MAX = 2
UPDATE_RATIO = 3
WEIGHT_NORM = 4
SHARED_OUT = (UPDATE_RATIO, WEIGHT_NORM)
"""Taken with each sample of a share of the parameters, in turn."""


@dataclass(frozen=True)
class Sample:
    """What was measured at one step for every parameter."""

    step: int
    time: float
    """Seconds since the Unix epoch."""
    states: npt.NDArray[np.uint8]
    """Codes of :class:`~gradgate.probe.base.states.State`, [parameters]."""
    values: Mapping[int, npt.NDArray[np.float32]]
    """By statistic code: float32 [parameters], NaN where there is no value."""
    skipped: bool = False
    """The optimizer did not apply these gradients (an overflow under AMP)."""
    waiting: frozenset[int] = frozenset()
    """Parameters whose optimizer made no step in this one, as one of several may not: what they
    have for a gradient was not asked for."""

    def having(self, state: State) -> npt.NDArray[np.bool_]:
        """Return which parameters have a state.

        By a plain integer: comparing an array with an enum's member costs ten times as much.
        """
        having: npt.NDArray[np.bool_] = self.states == int(state)
        return having

    def has(self, state: State) -> bool:
        """Return whether a parameter has a state: for less than asking which."""
        return int(state) in self.states.tobytes()

    def has_states_of(self, other: Sample) -> bool:
        """Return whether every parameter has the state that it has in another sample."""
        return self.states.tobytes() == other.states.tobytes()
