"""Vanished gradients: there, and next to nothing against what is usual."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np

from ..protocol.states import State
from .finding import NAMES, Finding
from .lasting import Lasting
from .records import Record, SampleRecord
from .thresholds import Thresholds


class Vanished(Lasting):
    """A norm far below its running median for several samples."""

    kind = "vanished"

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(thresholds, thresholds.vanished_after)
        self._steps: deque[int] = deque(maxlen=self._length)

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the event of a sample."""
        if not isinstance(record, SampleRecord) or record.skipped:
            return
        self._steps.append(record.step)
        zero = record.states == State.ZERO
        with np.errstate(invalid="ignore"):
            low = record.norms < np.float32(self.thresholds.vanished) * record.usual
        found = self._streaks.extend((record.present | zero) & low)
        if len(found):
            yield Finding(
                self.kind,
                "alert",
                record.time,
                self._steps[0],
                f"The gradient of {NAMES} has vanished: since step {self._steps[0]:,} its norm is "
                f"below {self.thresholds.vanished:g} of its running median.",
                {
                    "part": self.thresholds.vanished,
                    "samples": self._length,
                    "value": float(record.norms[found[0]]),
                    "median": float(record.usual[found[0]]),
                },
                found,
                record.step,
            )
