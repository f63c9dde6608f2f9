"""Packing of samples into tiles: blocks of samples x parameters of one statistic, compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..protocol.frames import Sample
from ..protocol.statistics import STATES_CODE

# A block is narrow enough that one parameter's history does not read everything, and wide enough
# that a sample of 10,000 parameters is some eighty rows of the data base.
BLOCK = 128

N = TypeVar("N", bound=np.generic)

_AXIS = np.dtype([("step", "<u8"), ("time", "<f8"), ("skipped", "u1")])
_FAST = 1


@dataclass(frozen=True, slots=True)
class Axis:
    """The steps, times and skipped flags of the samples of a span."""

    steps: NDArray[np.uint64]
    times: NDArray[np.float64]
    skipped: NDArray[np.uint8]

    def part(self, start: int, end: int | None = None) -> Axis:
        """Return the samples from one place up to another."""
        return Axis(self.steps[start:end], self.times[start:end], self.skipped[start:end])


@dataclass(frozen=True, slots=True)
class Tile:
    """One statistic of one block; `data` unpacks to (samples, width)."""

    statistic: int
    block: int
    width: int
    data: bytes


def block_of(parameter: int) -> tuple[int, int]:
    """Return the block of a parameter and its column there."""
    return divmod(parameter, BLOCK)


def axis_of(samples: Sequence[Sample]) -> Axis:
    """Return the steps, times and flags of samples."""
    rows = np.array([(each.step, each.time, each.skipped) for each in samples], dtype=_AXIS)
    return Axis(rows["step"], rows["time"], rows["skipped"])


def pack_axis(axis: Axis) -> bytes:
    """Pack the steps, times and flags of a span."""
    rows = np.empty(len(axis.steps), _AXIS)
    rows["step"], rows["time"], rows["skipped"] = axis.steps, axis.times, axis.skipped
    return _squeeze(rows.view(np.uint8).reshape(len(rows), _AXIS.itemsize))


def unpack_axis(data: bytes, count: int) -> Axis:
    """Undo `pack_axis` for a span of `count` samples."""
    rows = _expand(data, count, _AXIS.itemsize).view(_AXIS).reshape(count)
    return Axis(rows["step"].copy(), rows["time"].copy(), rows["skipped"].copy())


def pack_tiles(samples: Sequence[Sample]) -> Iterator[Tile]:
    """Pack samples into tiles, the states and every statistic that any of them holds.

    A sample that misses a statistic, or is shorter since its table was, is filled with NaN (and
    with the state unmeasured). A block without any value is left out, as one is that another
    share of the parameters was measured than its own.
    """
    width = max(len(sample.states) for sample in samples)
    states = _stack([each.states for each in samples], width, np.uint8(0))
    for block, part in _blocks(states):
        yield Tile(STATES_CODE, block, part.shape[1], pack_rows(part))
    codes = sorted({code for sample in samples for code in sample.values})
    empty = np.empty(0, np.float32)
    for code in codes:
        rows = [each.values.get(code, empty) for each in samples]
        for block, numbers in _blocks(_stack(rows, width, np.float32("nan"))):
            if not np.isnan(numbers).all():
                yield Tile(code, block, numbers.shape[1], pack_rows(numbers))


def pack_rows(rows: NDArray[np.generic]) -> bytes:
    """Pack states or values of (samples, width)."""
    # One parameter after the other: neighbours in time are alike, so this compresses best.
    column_major = np.ascontiguousarray(rows.T)
    return _squeeze(column_major.view(np.uint8).reshape(-1, column_major.dtype.itemsize))


def unpack_states(
    data: bytes, count: int, width: int, columns: Sequence[int] | None = None
) -> NDArray[np.uint8]:
    """Return the states of a tile, or of some of its columns, as (samples, columns)."""
    planes = _planes(data, 1).reshape(width, count)
    states: NDArray[np.uint8] = (planes if columns is None else planes[columns]).T
    return states


def unpack_values(
    data: bytes, count: int, width: int, columns: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """Return the values of a tile, or of some of its columns, as (samples, columns)."""
    planes = _planes(data, 4).reshape(4, width, count)
    chosen = planes if columns is None else planes[:, columns]
    values = np.ascontiguousarray(chosen.reshape(4, -1).T).view("<f4")
    turned: NDArray[np.float32] = values.reshape(-1, count).T
    return turned


def _stack(rows: Sequence[NDArray[N]], width: int, fill: N) -> NDArray[N]:
    stacked = np.full((len(rows), width), fill)
    for place, row in enumerate(rows):
        stacked[place, : len(row)] = row
    return stacked


def _blocks(array: NDArray[N]) -> Iterator[tuple[int, NDArray[N]]]:
    for start in range(0, array.shape[1], BLOCK):
        yield start // BLOCK, array[:, start : start + BLOCK]


def _squeeze(items: NDArray[np.uint8]) -> bytes:
    """Compress (items, bytes of an item), all first bytes first: exponents lie together."""
    return zlib.compress(np.ascontiguousarray(items.T).tobytes(), _FAST)


def _expand(data: bytes, items: int, size: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(_planes(data, size).reshape(size, items).T)


def _planes(data: bytes, size: int) -> NDArray[np.uint8]:
    """Return what `_squeeze` compressed as (bytes of an item, items)."""
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(size, -1)
