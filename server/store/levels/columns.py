"""Tiles of blocks: each parameter's column is compressed alone, so that one is read without others.

A tile starts with one byte, how many low bits are 0 in all of its values; then come its width and
the length of each column, as little-endian uint16. A column of values is a `pcodec` stream of the
bits above; one of states is deflated, or a single byte where the state never changes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .codec import DIFFERENCES, PLAIN, compress, decompress
from .rounding import Values, spare_bits

States = NDArray[np.uint8]


def pack_value_columns(values: Values) -> bytes:
    """Pack values of (samples, width), exactly."""
    shift = spare_bits(values)
    columns = np.ascontiguousarray(values.T).view(np.uint32) >> np.uint32(shift)
    config = _better_config(columns[len(columns) // 2])
    return _framed(shift, [compress(column, config) for column in columns])


def unpack_value_columns(data: bytes, samples: int, columns: Sequence[int]) -> Values:
    """Return some columns of a tile as (samples, columns); what it does not reach to is NaN."""
    found = np.full((len(columns), samples), np.nan, np.float32)
    for place, shift, part in _chosen(data, columns):
        bits = decompress(part)
        found[place] = (bits << np.uint32(shift)).view(np.float32)
    turned: Values = found.T
    return turned


def pack_state_columns(states: States) -> bytes:
    """Pack states of (samples, width)."""
    return _framed(0, [_state_column(column) for column in np.ascontiguousarray(states.T)])


def unpack_state_columns(data: bytes, samples: int, columns: Sequence[int]) -> States:
    """Return some columns of a tile as (samples, columns); what it does not reach to is 0."""
    found = np.zeros((len(columns), samples), np.uint8)
    for place, _, part in _chosen(data, columns):
        if len(part) == 1:
            found[place] = part[0]
        else:
            found[place] = np.frombuffer(zlib.decompress(part), np.uint8)
    turned: States = found.T
    return turned


def _better_config(column: NDArray[np.uint32]) -> Any:
    """Return how a column is packed best: as it is, or as differences, which suit what drifts."""
    plain = len(compress(column, PLAIN))
    return DIFFERENCES if len(compress(column, DIFFERENCES)) < plain else PLAIN


def _state_column(column: States) -> bytes:
    if (column == column[0]).all():
        return bytes(column[:1])
    return zlib.compress(column.tobytes())


def _framed(shift: int, columns: Iterable[bytes]) -> bytes:
    parts = list(columns)
    lengths = np.array([len(part) for part in parts], "<u2")
    return b"".join([bytes([shift]), len(parts).to_bytes(2, "little"), lengths.tobytes(), *parts])


def _chosen(data: bytes, columns: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
    """Yield the place among `columns`, the shift and the bytes of each column that there is."""
    width = int.from_bytes(data[1:3], "little")
    lengths = np.frombuffer(data, "<u2", width, 3).astype(np.int64)
    ends = np.cumsum(lengths) + 3 + 2 * width
    for place, column in enumerate(columns):
        if column < width:
            yield place, data[0], data[int(ends[column] - lengths[column]) : int(ends[column])]
