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

    def track(self) -> Track:
        """Return the samples as buckets of one each."""
        finite = np.where(np.isfinite(self.values), self.values, np.float32("nan"))
        measured = (~np.isnan(self.values)).astype(np.uint32)
        sizes = np.ones(len(self.steps), np.int64)
        return Track(
            first_steps=self.steps,
            steps=self.steps,
            sizes=sizes,
            last=self.values,
            low=finite,
            high=finite,
            states=self.states,
            measured=measured,
        )

    def measured(self) -> History:
        """Return the history of the samples that have a value."""
        kept = ~np.isnan(self.values)
        return History(self.steps[kept], self.values[kept], self.states[kept])


@dataclass(frozen=True, slots=True)
class Track:
    """One statistic of one parameter, bucket by bucket, as the store has it; all of one length."""

    first_steps: NDArray[np.int64]
    steps: NDArray[np.int64]
    """The first and the last step of each bucket."""
    sizes: NDArray[np.int64]
    """The number of samples of each."""
    last: NDArray[np.float32]
    low: NDArray[np.float32]
    """The least finite value, NaN for none."""
    high: NDArray[np.float32]
    """The greatest finite value, NaN for none."""
    states: NDArray[np.uint8]
    """The worst state."""
    measured: NDArray[np.uint32]
    """The number of samples that have a value."""

    def only_measured(self) -> Track:
        """Return the buckets that have a value, as if they had no other samples."""
        kept = self.measured > 0
        return Track(
            first_steps=self.first_steps[kept],
            steps=self.steps[kept],
            sizes=self.measured[kept].astype(np.int64),
            last=self.last[kept],
            low=self.low[kept],
            high=self.high[kept],
            states=self.states[kept],
            measured=self.measured[kept],
        )


@dataclass(frozen=True, slots=True)
class Buckets:
    """A history in buckets, as plain numbers; one that is not finite is None."""

    first_steps: list[int]
    steps: list[int]
    values: list[float | None]
    low: list[float | None]
    high: list[float | None]
    states: list[str]


def bucket(track: Track, points: int) -> Buckets:
    """Divide a track into at most `points` buckets of as equal a number of samples as can be.

    A bucket has its first and last step, its last value, the least and the greatest of its finite
    values, and its worst state.
    """
    if len(track.steps) == 0:
        return Buckets([], [], [], [], [], [])
    starts = bucket_starts(track.sizes, points)
    ends = np.append(starts[1:], len(track.steps)) - 1
    return Buckets(
        first_steps=np.minimum.reduceat(track.first_steps, starts).tolist(),
        steps=track.steps[ends].tolist(),
        values=plain(track.last[ends]),
        low=plain(np.fmin.reduceat(track.low, starts)),
        high=plain(np.fmax.reduceat(track.high, starts)),
        states=[_LABELS[code] for code in worst(track.states, starts)],
    )


def bucket_starts(sizes: NDArray[np.int64], points: int) -> NDArray[np.intp]:
    """Return where groups begin that hold as equal a number of samples as can be.

    `sizes` are the numbers of samples of what is grouped; there are at most `points` groups.
    """
    ends = np.cumsum(sizes)
    total = int(ends[-1])
    bounds = np.arange(min(points, total), dtype=np.int64) * total // min(points, total)
    return np.unique(np.searchsorted(ends, bounds, side="right"))


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
