"""Dead parameters: their gradient is exactly zero, sample after sample."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from ..protocol.states import State
from .detector import Detector
from .episodes import Streaks
from .finding import NAMES, Finding
from .records import Record, SampleRecord
from .thresholds import Thresholds


class Dead(Detector):
    """A gradient of zeros in many samples running."""

    kind = "dead"
    records = (SampleRecord,)

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(thresholds)
        self._length = thresholds.dead_after
        self._streaks = Streaks(self._length)
        self._steps: deque[int] = deque(maxlen=self._length)

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the event of a sample."""
        if not isinstance(record, SampleRecord) or record.skipped:
            return
        self._steps.append(record.step)
        found = self._streaks.extend(record.states == State.ZERO)
        if len(found):
            first = self._steps[0]
            yield Finding(
                self.kind,
                "alert",
                record.time,
                first,
                f"The gradient of {NAMES} is dead: exactly zero in the {self._length:,} samples "
                f"from step {first:,} to {record.step:,}.",
                {"samples": self._length},
                found,
                record.step,
            )

    def state(self) -> dict[str, Any]:
        """Return who is dead."""
        return self._streaks.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up who is dead."""
        self._streaks.restore(state)
