"""Samples as the server reads them from a frame, for tests of what it stores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradgate.server.protocol.frames import Sample
from gradgate.server.protocol.states import State
from gradgate.server.protocol.statistics import Statistic


def sample(step: int, norms: Sequence[float], **values: Sequence[float]) -> Sample:
    """A sample in which every parameter has a gradient."""
    numbers = {int(Statistic.GRAD_NORM): np.array(norms, np.float32)}
    numbers |= {
        int(Statistic[name.upper()]): np.array(row, np.float32) for name, row in values.items()
    }
    states = np.full(len(norms), State.PRESENT, np.uint8)
    return Sample(step, step, float(step), False, states, numbers)
