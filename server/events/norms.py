"""The norms of a run, sample after sample, and what is usual for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..protocol.frames import Sample
from ..protocol.states import State
from ..protocol.statistics import Statistic
from .records import SampleRecord
from .running_median import RunningMedian, RunningMedians
from .thresholds import Thresholds


class Norms:
    """Makes a record of each sample; the running medians leave out steps that were skipped."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._settled = thresholds.settled
        self._medians = RunningMedians(thresholds.settled)
        self._total = RunningMedian(thresholds.settled)

    def record(self, sample: Sample, number: int) -> SampleRecord:
        """Return the record of a sample, before it counts for what is usual."""
        size = len(sample.states)
        self._medians.grow(size)
        norms = sample.values.get(Statistic.GRAD_NORM)
        if norms is None:
            norms = np.full(size, np.nan, np.float32)
        present = (sample.states == State.PRESENT) & (norms > 0)
        squares = np.square(norms, dtype=np.float64, where=present, out=np.zeros(size))
        return SampleRecord(
            number=number,
            step=sample.step,
            time=sample.time,
            skipped=sample.skipped,
            states=sample.states,
            norms=norms,
            update_ratios=sample.values.get(Statistic.UPDATE_RATIO),
            present=present,
            usual=self._medians.usual(size),
            total=math.sqrt(float(squares.sum())),
            usual_total=self._total.usual(),
        )

    def add(self, record: SampleRecord) -> None:
        """Let a sample count for what is usual."""
        if not record.skipped:
            self._medians.add(record.norms, record.present)
            if record.total > 0 and math.isfinite(record.total):
                self._total.add(record.total)

    def state(self) -> dict[str, Any]:
        """Return what has to be kept over a restart."""
        return {
            "medians": self._medians.values,
            "counts": self._medians.counts,
            "totals": list(self._total.values),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what was kept."""
        self._medians.values = state["medians"].astype(np.float32)
        self._medians.counts = state["counts"].astype(np.uint8)
        self._total = RunningMedian(self._settled, state["totals"])
