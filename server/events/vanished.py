"""Vanished gradients: there, and next to nothing against what is usual."""

from __future__ import annotations

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

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the event of a sample."""
        if not isinstance(record, SampleRecord) or record.skipped:
            return
        zero = record.states == State.ZERO
        with np.errstate(invalid="ignore"):
            low = record.norms < np.float32(self.thresholds.vanished) * record.usual
        found = self._streaks.extend(record.step, (record.present | zero) & low)
        if len(found):
            first = self._streaks.began(found)
            yield Finding(
                self.kind,
                "alert",
                record.time,
                first,
                f"The gradient of {NAMES} has vanished: since step {first:,} its norm is "
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
