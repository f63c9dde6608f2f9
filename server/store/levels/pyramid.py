"""The pyramid, pure: what a bucket of samples keeps, and buckets of buckets."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...protocol.states import WORST_FIRST, State
from ...protocol.statistics import OCCASIONAL, STATES_CODE
from .codec import compress, decompress
from .rounding import PYRAMID_BITS, Values, round_down, round_nearest, round_up, spare_bits

Array = NDArray[Any]
Counts = NDArray[np.uint32]
States = NDArray[np.uint8]

_LOG_STEPS = 1024.0


class Figure(IntEnum):
    """A figure of a bucket, with its code in the store."""

    LAST = 1
    LOW = 2
    HIGH = 3
    LOG_MEAN = 4
    POSITIVE = 5
    MEASURED = 6

    def of(self, statistic: int) -> int:
        """Return the code of this figure of a statistic, among the codes of statistics."""
        return statistic + _FIGURES_APART * self


_FIGURES_APART = 256
COUNTS_CODE = STATES_CODE
"""The code of the counts of states: that of the states below the pyramid."""

COUNTED = (Figure.POSITIVE, Figure.MEASURED)
"""Figures that are whole numbers: of the finite samples above zero, and of those with a value."""


def statistic_of(code: int) -> int:
    """Return the statistic of a code, whether it names a figure of it or not."""
    return code % _FIGURES_APART


def empty_figure(figure: Figure, shape: tuple[int, ...]) -> Array:
    """Return a figure of buckets in which nothing was measured."""
    if figure in COUNTED:
        return np.zeros(shape, np.uint32)
    return np.full(shape, np.nan, np.float32)


def figure_of_samples(figure: Figure, values: Values) -> Array:
    """Return a figure of every sample, as if each were a bucket."""
    match figure:
        case Figure.LAST:
            return values
        case Figure.LOW | Figure.HIGH:
            return np.where(np.isfinite(values), values, np.float32("nan"))
        case Figure.LOG_MEAN:
            positive = _positive(values)
            return np.log(np.where(positive, values, np.float32("nan")))
        case Figure.POSITIVE:
            return _positive(values).astype(np.uint32)
        case Figure.MEASURED:
            return (~np.isnan(values)).astype(np.uint32)


def figures_of_samples(values: Values) -> dict[Figure, Array]:
    """Return every figure of samples, as if each were a bucket."""
    return {figure: figure_of_samples(figure, values) for figure in Figure}


def merge_figures(
    statistic: int, figures: Mapping[Figure, Array], size: int
) -> dict[Figure, Array]:
    """Make buckets of `size` neighbours out of figures of (buckets, width), a multiple of that."""
    split = {figure: array.reshape(-1, size, array.shape[1]) for figure, array in figures.items()}
    measured, positive = split[Figure.MEASURED], split[Figure.POSITIVE]
    return {
        Figure.LAST: _last(statistic, split[Figure.LAST], measured),
        Figure.LOW: np.fmin.reduce(split[Figure.LOW], axis=1),
        Figure.HIGH: np.fmax.reduce(split[Figure.HIGH], axis=1),
        Figure.LOG_MEAN: _log_mean(split[Figure.LOG_MEAN], positive),
        Figure.POSITIVE: positive.sum(axis=1, dtype=np.uint32),
        Figure.MEASURED: measured.sum(axis=1, dtype=np.uint32),
    }


def rounded(figures: Mapping[Figure, Array]) -> dict[Figure, Array]:
    """Round figures as the pyramid keeps them: the least downwards and the greatest upwards."""
    found = dict(figures)
    found[Figure.LAST] = round_nearest(_values(figures[Figure.LAST]), PYRAMID_BITS)
    found[Figure.LOW] = round_down(_values(figures[Figure.LOW]), PYRAMID_BITS)
    found[Figure.HIGH] = round_up(_values(figures[Figure.HIGH]), PYRAMID_BITS)
    logs = _values(figures[Figure.LOG_MEAN])
    found[Figure.LOG_MEAN] = np.round(logs * np.float32(_LOG_STEPS)) / np.float32(_LOG_STEPS)
    return found


def count_of_samples(states: States, size: int) -> Counts:
    """Return how many samples of each bucket are in each state, as (states, buckets, width)."""
    split = states.reshape(-1, size, states.shape[1])
    return np.stack([(split == state).sum(axis=1, dtype=np.uint32) for state in State])


def merge_counts(counts: Counts, size: int) -> Counts:
    """Make buckets of `size` neighbours out of counts."""
    split = counts.reshape(len(State), -1, size, counts.shape[2])
    merged: Counts = split.sum(axis=2, dtype=np.uint32)
    return merged


def pack_figure(figure: Figure, array: Array) -> bytes:
    """Pack one figure of (buckets, width)."""
    turned = np.ascontiguousarray(array.T)
    if figure in COUNTED:
        return _packed(turned.astype(np.uint32, copy=False).ravel(), 0)
    values = turned.astype(np.float32, copy=False)
    shift = spare_bits(values)
    return _packed((values.view(np.uint32) >> np.uint32(shift)).ravel(), shift)


def unpack_figure(figure: Figure, data: bytes, width: int) -> Array:
    """Undo `pack_figure`."""
    bits = decompress(data[1:])
    turned = bits if figure in COUNTED else (bits << np.uint32(data[0])).view(np.float32)
    found: Array = turned.reshape(width, -1).T
    return found


def pack_counts(counts: Counts) -> bytes:
    """Pack counts: a byte with a bit a state that occurs, and how often unless it is the only."""
    there = [state for state in State if counts[state].any()]
    mask = bytes([sum(1 << state for state in there)])
    if len(there) == 1:
        return mask
    turned = np.ascontiguousarray(counts[there].transpose(0, 2, 1))
    return mask + compress(turned.ravel())


def unpack_counts(data: bytes, buckets: int, width: int, size: int) -> Counts:
    """Undo `pack_counts` for buckets of `size` samples."""
    counts = np.zeros((len(State), buckets, width), np.uint32)
    there = _states_in(data)
    if len(there) == 1:
        counts[there] = size
    else:
        turned = decompress(data[1:]).reshape(len(there), width, buckets)
        counts[there] = turned.transpose(0, 2, 1)
    return counts


def unpack_worst(data: bytes, buckets: int, width: int) -> States:
    """Return the worst state that any sample of each bucket is in, as (buckets, width)."""
    there = _states_in(data)
    if len(there) == 1:
        return np.full((buckets, width), there[0], np.uint8)
    counts = decompress(data[1:]).reshape(len(there), width, buckets)
    worst = np.full((width, buckets), State.UNMEASURED, np.uint8)
    for state in reversed(WORST_FIRST):
        if state in there:
            worst[counts[there.index(state)] > 0] = state
    turned: States = worst.T
    return turned


def _states_in(data: bytes) -> list[State]:
    return [state for state in State if data[0] >> state & 1]


def _packed(bits: NDArray[np.uint32], shift: int) -> bytes:
    return bytes([shift]) + compress(bits)


def _positive(values: Values) -> NDArray[np.bool_]:
    return np.isfinite(values) & (values > 0)


def _last(statistic: int, last: Array, measured: Array) -> Array:
    """Return the value of the last sample; of what not every sample has, the last that there is."""
    if statistic not in OCCASIONAL:
        return last[:, -1]
    there = measured > 0
    places = last.shape[1] - 1 - np.argmax(there[:, ::-1], axis=1)
    return np.take_along_axis(last, places[:, None], axis=1)[:, 0]


def _log_mean(logs: Array, positive: Array) -> Array:
    total = positive.sum(axis=1, dtype=np.float64)
    weighted = np.where(positive > 0, logs, 0.0) * positive
    with np.errstate(invalid="ignore"):
        mean: Array = (weighted.sum(axis=1) / total).astype(np.float32)
    return mean


def _values(array: Array) -> Values:
    return np.ascontiguousarray(array, np.float32)
