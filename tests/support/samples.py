"""Samples made by hand, for tests that need no training."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gradgate.probe.base.states import State
from gradgate.probe.model.sample import Sample


def sample(step: int, *states: State, skipped: bool = False, waiting: Iterable[int] = ()) -> Sample:
    """A sample of one state a parameter, without figures."""
    return Sample(step, 0.0, np.array(states, np.uint8), {}, skipped, frozenset(waiting))
