"""Bucketing of a parameter's history, pure: last value, min, max and worst state, no spike lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..protocol.states import State, worst

_DIGITS = 6
_LABELS = [state.label for state in State]


@dataclass(frozen=True, slots=True)
class History:
    """One statistic of one parameter, sample by sample."""

    steps: NDArray[np.int64]
    values: NDArray[np.float32]
    states: NDArray[np.uint8]

    def measured(self) -> History:
        """Return the history of the samples that have a value."""
        kept = ~np.isnan(self.values)
        return History(self.steps[kept], self.values[kept], self.states[kept])


@dataclass(frozen=True, slots=True)
class Buckets:
    """A history in buckets, as plain numbers; one that is not finite is None."""

    steps: list[int]
    values: list[float | None]
    low: list[float | None]
    high: list[float | None]
    states: list[str]


def bucket(history: History, points: int) -> Buckets:
    """Divide a history into at most `points` buckets of as equal a number of samples as can be.

    A bucket has its last step and last value, the least and the greatest of its finite values, and
    its worst state.
    """
    count = len(history.steps)
    if count == 0:
        return Buckets([], [], [], [], [])
    buckets = min(points, count)
    starts = np.arange(buckets, dtype=np.intp) * count // buckets
    ends = np.append(starts[1:], count) - 1
    finite = np.where(np.isfinite(history.values), history.values, np.float32("nan"))
    return Buckets(
        steps=history.steps[ends].tolist(),
        values=plain(history.values[ends]),
        low=plain(np.fmin.reduceat(finite, starts)),
        high=plain(np.fmax.reduceat(finite, starts)),
        states=[_LABELS[code] for code in worst(history.states, starts)],
    )


def plain(values: NDArray[np.float32]) -> list[float | None]:
    """Return numbers for JSON, to six digits as float32 has them; None for the rest."""
    wide = values.astype(np.float64)
    finite = np.isfinite(wide)
    scaled = np.where(finite & (wide != 0), wide, 1.0)
    exponent = _DIGITS - 1 - np.floor(np.log10(np.abs(scaled)))
    # Divided rather than multiplied by a negative power, so that 0.1 comes out as 0.1.
    shift = np.power(10.0, np.abs(exponent))
    up = exponent >= 0
    rounded = np.where(up, np.round(scaled * shift) / shift, np.round(scaled / shift) * shift)
    rounded = np.where(wide == 0, 0.0, rounded)
    numbers: list[float | None] = rounded.tolist()
    for place in np.flatnonzero(~finite):
        numbers[place] = None
    return numbers
