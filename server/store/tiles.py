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
RAW_LEVEL = 0

N = TypeVar("N", bound=np.generic)

_AXIS = np.dtype([("step", "<u8"), ("time", "<f8"), ("skipped", "u1")])
_FAST = 1


@dataclass(frozen=True, slots=True)
class Axis:
    """The steps, times and skipped flags of the samples of a span."""

    steps: NDArray[np.uint64]
    times: NDArray[np.float64]
    skipped: NDArray[np.uint8]


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


def pack_axis(samples: Sequence[Sample]) -> bytes:
    """Pack the steps, times and flags of samples."""
    rows = np.array([(each.step, each.time, each.skipped) for each in samples], dtype=_AXIS)
    return _squeeze(rows.view(np.uint8).reshape(len(samples), _AXIS.itemsize))


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
    yield from _blocks(STATES_CODE, _stack([each.states for each in samples], width, np.uint8(0)))
    codes = sorted({code for sample in samples for code in sample.values})
    empty = np.empty(0, np.float32)
    for code in codes:
        rows = [each.values.get(code, empty) for each in samples]
        values = _stack(rows, width, np.float32("nan"))
        yield from (tile for tile in _blocks(code, values) if _has_value(values, tile))


def unpack_states(data: bytes, count: int, width: int) -> NDArray[np.uint8]:
    """Return the states of a tile, as (samples, width)."""
    states: NDArray[np.uint8] = _expand(data, count * width, 1).reshape(width, count).T
    return states


def unpack_values(data: bytes, count: int, width: int) -> NDArray[np.float32]:
    """Return the values of a tile, as (samples, width)."""
    values = _expand(data, count * width, 4).view("<f4")
    turned: NDArray[np.float32] = values.reshape(width, count).T
    return turned


def _stack(rows: Sequence[NDArray[N]], width: int, fill: N) -> NDArray[N]:
    stacked = np.full((len(rows), width), fill)
    for place, row in enumerate(rows):
        stacked[place, : len(row)] = row
    return stacked


def _has_value(values: NDArray[np.float32], tile: Tile) -> bool:
    start = tile.block * BLOCK
    return not np.isnan(values[:, start : start + tile.width]).all()


def _blocks(statistic: int, array: NDArray[np.generic]) -> Iterator[Tile]:
    for start in range(0, array.shape[1], BLOCK):
        part = array[:, start : start + BLOCK]
        # One parameter after the other: neighbours in time are alike, so this compresses best.
        column_major = np.ascontiguousarray(part.T)
        size = column_major.dtype.itemsize
        data = _squeeze(column_major.view(np.uint8).reshape(-1, size))
        yield Tile(statistic, start // BLOCK, part.shape[1], data)


def _squeeze(items: NDArray[np.uint8]) -> bytes:
    """Compress (items, bytes of an item), all first bytes first: exponents lie together."""
    return zlib.compress(np.ascontiguousarray(items.T).tobytes(), _FAST)


def _expand(data: bytes, items: int, size: int) -> NDArray[np.uint8]:
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(size, items)
    return np.ascontiguousarray(planes.T)
