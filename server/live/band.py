"""The samples that one frame to a browser stands for: the latest, and the range of the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..protocol.frames import Sample, Values, encode
from ..protocol.statistics import Statistic


@dataclass(frozen=True)
class Band:
    """The latest of `count` samples, and the lowest and highest gradient norm among them."""

    latest: Sample
    low: Values
    high: Values
    grad_max: Values | None
    count: int

    @classmethod
    def of(cls, sample: Sample) -> Band:
        """Return the band of one sample."""
        norms = sample.values.get(Statistic.GRAD_NORM)
        if norms is None:
            norms = np.full(len(sample.states), np.nan, np.float32)
        return cls(sample, norms, norms, sample.values.get(Statistic.GRAD_MAX), 1)

    def then(self, later: Band) -> Band:
        """Return the band of these samples and of later ones."""
        width = len(later.low)
        return Band(
            latest=later.latest,
            low=np.fmin(_widened(self.low, width), later.low),
            high=np.fmax(_widened(self.high, width), later.high),
            grad_max=self.grad_max if later.grad_max is None else later.grad_max,
            count=self.count + later.count,
        )

    @cached_property
    def frame(self) -> bytes:
        """Return the live frame, encoded once for all browsers that are sent this band."""
        return encode(self.sample())

    def sample(self) -> Sample:
        """Return the sample of the live frame; its `seq` is the number of samples."""
        norms = self.latest.values.get(Statistic.GRAD_NORM)
        values: dict[int, Values] = {
            Statistic.GRAD_NORM: self.low if norms is None else norms,
            Statistic.GRAD_NORM_LOW: self.low,
            Statistic.GRAD_NORM_HIGH: self.high,
        }
        if self.grad_max is not None:
            values[Statistic.GRAD_MAX] = _widened(self.grad_max, len(self.low))
        return replace(self.latest, seq=self.count, values=values)


def _widened(values: Values, width: int) -> NDArray[np.float32]:
    """Return values with NaN for the parameters that came into the table later."""
    if len(values) == width:
        return values
    wide = np.full(width, np.nan, np.float32)
    wide[: len(values)] = values[:width]
    return wide
