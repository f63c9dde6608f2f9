"""Buckets of a metric's values, pure: whatever is summed up, no minimum and no maximum is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Buckets:
    """Neighbouring values of one metric, in the order in which they were logged, in buckets.

    Each array has a number a bucket.
    """

    last_step: Integers
    low_step: Integers
    high_step: Integers
    """The lowest and the highest step of a bucket; a job that was resumed may have gone back."""
    last: Floats
    low: Floats
    high: Floats
    """The lowest and the highest finite value; NaN where there is none."""
    count: Integers
    nan: Integers
    posinf: Integers
    neginf: Integers
    """How many of `count` values are NaN, and how many are infinite."""

    def __len__(self) -> int:
        """Return the number of buckets."""
        return len(self.last_step)

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Buckets:
        """Return some of the buckets."""
        return Buckets(*(each[which] for each in self.columns()))

    def grouped(self, starts: NDArray[np.intp]) -> Buckets:
        """Put neighbours together: a bucket begins at each of `starts`, the first of which is 0."""
        if not len(self):
            return self
        ends = np.append(starts[1:], len(self)) - 1
        return Buckets(
            last_step=self.last_step[ends],
            low_step=np.minimum.reduceat(self.low_step, starts),
            high_step=np.maximum.reduceat(self.high_step, starts),
            last=self.last[ends],
            low=np.fmin.reduceat(self.low, starts),
            high=np.fmax.reduceat(self.high, starts),
            count=np.add.reduceat(self.count, starts),
            nan=np.add.reduceat(self.nan, starts),
            posinf=np.add.reduceat(self.posinf, starts),
            neginf=np.add.reduceat(self.neginf, starts),
        )

    def merged(self, factor: int) -> Buckets:
        """Put each `factor` neighbours together."""
        return self.grouped(np.arange(0, len(self), factor))

    def spread(self, points: int) -> Buckets:
        """Put neighbours together, so that at most `points` have about as many values each."""
        if len(self) <= points:
            return self
        before = np.cumsum(self.count) - self.count
        place = before * points // int(self.count.sum())
        return self.grouped(np.flatnonzero(np.diff(place, prepend=-1)))

    def columns(self) -> list[NDArray[Any]]:
        """Return the arrays, in the order of the fields."""
        return [getattr(self, field.name) for field in fields(self)]


def of_values(steps: Integers, values: Floats) -> Buckets:
    """Return buckets of one value each."""
    finite = np.where(np.isfinite(values), values, np.nan)
    return Buckets(
        last_step=steps,
        low_step=steps,
        high_step=steps,
        last=values,
        low=finite,
        high=finite,
        count=np.ones(len(steps), np.int64),
        nan=np.isnan(values).astype(np.int64),
        posinf=np.isposinf(values).astype(np.int64),
        neginf=np.isneginf(values).astype(np.int64),
    )


def joined(parts: Sequence[Buckets]) -> Buckets:
    """Return the buckets of neighbouring parts, one after the other."""
    nothing = of_values(np.empty(0, np.int64), np.empty(0, np.float64))
    columns = zip(*(part.columns() for part in (nothing, *parts)), strict=True)
    return Buckets(*(np.concatenate(column) for column in columns))
