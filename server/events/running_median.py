"""Running medians: of every parameter by an estimate, of one number over its latest values."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

STEP = 1.05
FIRST_STEP = 1.25
_FACTORS = np.array([1, 1 / STEP, STEP, 1 / FIRST_STEP, FIRST_STEP], np.float32)
"""What a median is multiplied by: nothing there; below, above; and so among the first."""
_SMALLEST = np.float32(1e-37)
_MOST = np.uint8(255)

WINDOW = 63
"""Values over which the median of one number is taken."""


class RunningMedians:
    """An estimate of the running median of many series at once, in five bytes each.

    It goes up by 5 % for a value above it and down by as much for one below (25 % for the first
    `settled` values), so it comes to rest where as many are above as below: frugal streaming (Ma,
    Muthukrishnan and Sandler, "Frugal streaming for estimating quantiles", 2013), multiplied
    instead of added since norms spread over decades.
    """

    def __init__(self, settled: int) -> None:
        self._settled = np.uint8(min(settled, int(_MOST)))
        self.values = np.empty(0, np.float32)
        self.counts = np.empty(0, np.uint8)

    def grow(self, size: int) -> None:
        """Have room for so many series."""
        missing = size - len(self.values)
        if missing > 0:
            self.values = np.concatenate([self.values, np.zeros(missing, np.float32)])
            self.counts = np.concatenate([self.counts, np.zeros(missing, np.uint8)])

    def usual(self, size: int) -> NDArray[np.float32]:
        """Return the medians of the first so many, NaN where too few values were seen."""
        known = self.counts[:size] >= self._settled
        return np.where(known, self.values[:size], np.float32(np.nan))

    def add(self, values: NDArray[np.float32], there: NDArray[np.bool_]) -> None:
        """Take in one value of each series, above 0, of those that are there."""
        size = len(values)
        medians, counts = self.values[:size], self.counts[:size]
        new = there & (counts == 0)
        if new.any():
            medians[new] = values[new]
        cases = (values > medians).view(np.uint8) + np.uint8(1)
        cases += (counts < self._settled).view(np.uint8) << 1
        cases *= there.view(np.uint8)
        medians *= _FACTORS.take(cases)
        np.maximum(medians, _SMALLEST, out=medians)
        counts += (there & (counts < _MOST)).view(np.uint8)


class RunningMedian:
    """The median of the latest values of one number."""

    def __init__(self, settled: int, values: Iterable[float] = ()) -> None:
        self._settled = min(settled, WINDOW)
        self.values = deque(values, maxlen=WINDOW)

    def usual(self) -> float:
        """Return the median, NaN where too few values were seen."""
        known = len(self.values) >= self._settled
        return statistics.median(self.values) if known else float("nan")

    def add(self, value: float) -> None:
        """Take in a finite value."""
        self.values.append(value)
