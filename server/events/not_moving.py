"""Weights that do not move, although a gradient is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .detector import Detector
from .episodes import Streaks
from .finding import NAMES, Finding
from .records import Record, SampleRecord
from .thresholds import Thresholds


class NotMoving(Detector):
    """A weight of which step after step changed nothing."""

    kind = "not_moving"
    records = (SampleRecord,)

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(thresholds)
        self._length = thresholds.not_moving_after
        self._streaks = Streaks(self._length)

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the event of a sample."""
        if not isinstance(record, SampleRecord) or record.skipped or record.update_ratios is None:
            return
        measured = ~np.isnan(record.update_ratios)
        found = self._streaks.extend(record.present & (record.update_ratios == 0), measured)
        if len(found):
            yield Finding(
                self.kind,
                "alert",
                record.time,
                record.step,
                f"The weights of {NAMES} do not move: there is a gradient, and none of the latest "
                f"{self._length:,} measured steps up to step {record.step:,} changed a bit.",
                {"measured_steps": self._length},
                found,
            )

    def state(self) -> dict[str, Any]:
        """Return who does not move."""
        return self._streaks.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up who does not move."""
        self._streaks.restore(state)
