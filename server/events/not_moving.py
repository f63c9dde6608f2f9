"""Weights that do not move, although a gradient is there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .finding import NAMES, Finding
from .lasting import Lasting
from .records import Record, SampleRecord
from .thresholds import Thresholds


class NotMoving(Lasting):
    """A weight of which step after step changed nothing."""

    kind = "not_moving"

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(thresholds, thresholds.not_moving_after)

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the event of a sample."""
        if not isinstance(record, SampleRecord) or record.skipped or record.update_ratios is None:
            return
        measured = ~np.isnan(record.update_ratios)
        found = self._streaks.extend(
            record.step, record.present & (record.update_ratios == 0), measured
        )
        if len(found):
            first = self._streaks.began(found)
            yield Finding(
                self.kind,
                "alert",
                record.time,
                first,
                f"The weights of {NAMES} do not move: there is a gradient, and none of "
                f"{self._length:,} measured steps from step {first:,} to {record.step:,} changed a "
                "bit.",
                {"measured_steps": self._length},
                found,
                record.step,
            )
