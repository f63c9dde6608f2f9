"""Packing of values and of buckets into bytes, exactly."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..levels.codec import compress, decompress
from .buckets import Buckets, Floats, Integers
from .sizes import bucket_values

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Values:
    """Neighbouring values of one metric, in the order in which they were logged."""

    seqs: Integers
    """The sequence number of the frame that each came in."""
    steps: Integers
    times: Floats
    values: Floats
    """As they were logged; a NaN may also be one of which only is known that it is not finite."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.steps)

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Values:
        """Return some of them, or in another order."""
        return Values(self.seqs[which], self.steps[which], self.times[which], self.values[which])


def pack_values(values: Values) -> bytes:
    """Pack values."""
    return _pack([values.seqs, values.steps, values.times, values.values])


def unpack_values(data: bytes) -> Values:
    """Undo `pack_values`."""
    return Values(*_unpack(data))


def pack_buckets(buckets: Buckets) -> bytes:
    """Pack the buckets of a tile; how many values each stands for is known from its level."""
    return _pack(each for each in buckets.columns() if each is not buckets.count)


def unpack_buckets(data: bytes, level: int) -> Buckets:
    """Undo `pack_buckets`."""
    last_step, low_step, high_step, last, low, high, *kinds = _unpack(data)
    count = np.full(len(last_step), bucket_values(level), np.int64)
    return Buckets(last_step, low_step, high_step, last, low, high, count, *kinds)


def _pack(columns: Iterable[NDArray[Any]]) -> bytes:
    packed = [compress(column) for column in columns]
    return b"".join(_LENGTH.pack(len(each)) + each for each in packed)


def _unpack(data: bytes) -> list[NDArray[Any]]:
    columns = []
    place = 0
    while place < len(data):
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size
        columns.append(decompress(data[place : place + length]))
        place += length
    return columns
