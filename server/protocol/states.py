"""States of a parameter's gradient, with their codes on the wire."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class State(IntEnum):
    """What a parameter's gradient was at one step; exactly one of these."""

    UNMEASURED = 0
    PRESENT = 1
    ZERO = 2
    NONFINITE = 3
    ABSENT = 4
    STALE = 5
    FROZEN = 6
    GATED = 7

    @property
    def label(self) -> str:
        """Return the word that the REST API and the pages use."""
        return self.name.lower()


WORST_FIRST = (
    State.NONFINITE,
    State.ZERO,
    State.ABSENT,
    State.STALE,
    State.GATED,
    State.FROZEN,
    State.PRESENT,
    State.UNMEASURED,
)
_RANKS = np.argsort(np.array(WORST_FIRST)).astype(np.uint8)
_BY_RANK = np.array(WORST_FIRST, dtype=np.uint8)


def worst(states: NDArray[np.uint8], starts: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return the worst state of each bucket; `starts` holds the first index of each."""
    return _BY_RANK[np.minimum.reduceat(_RANKS[states], starts)]


def count_states(states: NDArray[np.uint8]) -> dict[str, int]:
    """Return how many parameters are in each state; states that nobody is in are left out."""
    counts = np.bincount(states, minlength=len(State))
    return {state.label: int(counts[state]) for state in State if counts[state]}
