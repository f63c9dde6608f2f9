"""The samples that one frame to a browser stands for: the latest, and the range of the others."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..protocol.frames import Sample, Values, encode
from ..protocol.statistics import SHARED_OUT, Statistic

OTHERS = (Statistic.GRAD_MAX, *SHARED_OUT)
"""What a live frame has beside the norm, where it was measured."""


@dataclass(frozen=True)
class Band:
    """The latest of `count` samples, and the lowest and highest gradient norm among them."""

    latest: Sample
    low: Values
    high: Values
    others: dict[Statistic, Values]
    """The latest value of each parameter, of every other statistic that was taken."""
    count: int

    @classmethod
    def of(cls, sample: Sample) -> Band:
        """Return the band of one sample."""
        norms = sample.values.get(Statistic.GRAD_NORM)
        if norms is None:
            norms = np.full(len(sample.states), np.nan, np.float32)
        others = {each: sample.values[each] for each in OTHERS if each in sample.values}
        return cls(sample, norms, norms, others, 1)

    def then(self, later: Band) -> Band:
        """Return the band of these samples and of later ones."""
        width = len(later.low)
        return Band(
            latest=later.latest,
            low=np.fmin(_widened(self.low, width), later.low),
            high=np.fmax(_widened(self.high, width), later.high),
            others=self.others
            | {
                each: _updated(self.others.get(each), values) if each in SHARED_OUT else values
                for each, values in later.others.items()
            },
            count=self.count + later.count,
        )

    @cached_property
    def frame(self) -> bytes:
        """Return the live frame, encoded once for all browsers that are sent this band."""
        return encode(self.sample())

    def sample(self, wanted: Collection[str] | None = None) -> Sample:
        """Return the sample of the live frame; its `seq` is the number of samples.

        Of the statistics only those `wanted`, by their labels, beside the norm, which always is
        there; its range is left out where it is the norm itself, of one sample.
        """
        norms = self.latest.values.get(Statistic.GRAD_NORM)
        values: dict[int, Values] = {Statistic.GRAD_NORM: self.low if norms is None else norms}
        if wanted is None or self.count > 1:
            values[Statistic.GRAD_NORM_LOW] = self.low
            values[Statistic.GRAD_NORM_HIGH] = self.high
        for each, known in self.others.items():
            if wanted is None or each.label in wanted:
                values[each] = _widened(known, len(self.low))
        return replace(self.latest, seq=self.count, values=values)


def _updated(earlier: Values | None, later: Values) -> Values:
    """Return the later values, and the earlier ones of those that have none."""
    if earlier is None:
        return later
    return np.where(np.isnan(later), _widened(earlier, len(later)), later)


def _widened(values: Values, width: int) -> NDArray[np.float32]:
    """Return values with NaN for the parameters that came into the table later."""
    if len(values) == width:
        return values
    wide = np.full(width, np.nan, np.float32)
    wide[: len(values)] = values[:width]
    return wide
