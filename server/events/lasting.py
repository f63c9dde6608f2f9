"""What is so for several samples running: told once it has lasted so long."""

from __future__ import annotations

from typing import Any

from .detector import Detector
from .episodes import Streaks
from .records import SampleRecord
from .thresholds import Thresholds


class Lasting(Detector):
    """Keeps over a restart of whom it was told; all others begin anew."""

    records = (SampleRecord,)

    def __init__(self, thresholds: Thresholds, length: int) -> None:
        """Tell of a parameter with the sample that makes `length`."""
        super().__init__(thresholds)
        self._length = length
        self._streaks = Streaks(length)

    def state(self) -> dict[str, Any]:
        """Return who was told of."""
        return self._streaks.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Take up who was told of."""
        self._streaks.restore(state)
