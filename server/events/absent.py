"""Absent gradients: a parameter that is trained, and got none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..protocol.states import State
from .detector import Detector
from .episodes import Episodes
from .finding import NAMES, Finding
from .records import Record, SampleRecord
from .thresholds import Thresholds


class Absent(Detector):
    """No gradient where nobody froze or gated the parameter."""

    kind = "absent"
    records = (SampleRecord,)

    def __init__(self, thresholds: Thresholds) -> None:
        super().__init__(thresholds)
        self._episodes = Episodes(thresholds.pause)
        self._had = np.zeros(0, bool)
        """Who had a gradient before."""

    def find(self, record: Record) -> Iterable[Finding]:
        """Return the event of a sample."""
        if not isinstance(record, SampleRecord):
            return
        now = record.states == State.ABSENT
        found = self._episodes.begin(record.number, now, ~now)
        missing = len(now) - len(self._had)
        if missing > 0:
            self._had = np.concatenate([self._had, np.zeros(missing, bool)])
        if len(found):
            had = int(self._had[found].sum())
            before = "and had one before" if had == len(found) else "and has had none so far"
            if 0 < had < len(found):
                before = f"and {had:,} of them had one before"
            yield Finding(
                self.kind,
                "alert",
                record.time,
                record.step,
                f"No gradient came to {NAMES} at step {record.step:,}, {before}.",
                {"had_one_before": had},
                found,
            )
        self._had[: len(now)] |= record.present

    def state(self) -> dict[str, Any]:
        """Return who has no gradient now, and who ever had one."""
        return {**self._episodes.state(), "had": self._had}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what was kept."""
        self._episodes.restore(state)
        self._had = state["had"].astype(bool)
