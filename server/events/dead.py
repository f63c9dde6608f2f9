"""Dead parameters: their gradient is exactly zero, sample after sample."""

from __future__ import annotations

from collections.abc import Iterable

from ..protocol.states import State
from .finding import NAMES, Finding
from .lasting import Lasting
from .records import Record, SampleRecord
from .thresholds import Thresholds


class Dead(Lasting):
    """A gradient of zeros in many samples running."""

    kind = "dead"

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(thresholds, thresholds.dead_after)

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the event of a sample."""
        if not isinstance(record, SampleRecord) or record.skipped:
            return
        found = self._streaks.extend(record.step, record.states == State.ZERO)
        if len(found):
            first = self._streaks.began(found)
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
