"""The axes of spans above level 0: the steps, times and flags of samples, the steps of buckets."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from ..tiles import Axis
from .codec import compress, decompress

_LENGTHS = struct.Struct("<II")


def pack_block_axis(axis: Axis) -> bytes:
    """Pack the steps, times and flags of a block's samples, exactly."""
    steps = compress(axis.steps.astype(np.uint64))
    # As bits, neighbouring times differ by little; as numbers their last bits would look random.
    times = compress(axis.times.view(np.uint64))
    flags = zlib.compress(axis.skipped.tobytes())
    return _LENGTHS.pack(len(steps), len(times)) + steps + times + flags


def unpack_block_axis(data: bytes) -> Axis:
    """Undo `pack_block_axis`."""
    steps, times = _LENGTHS.unpack_from(data)
    at = _LENGTHS.size
    return Axis(
        decompress(data[at : at + steps]),
        decompress(data[at + steps : at + steps + times]).view(np.float64),
        np.frombuffer(zlib.decompress(data[at + steps + times :]), np.uint8),
    )


def pack_bucket_axis(first_steps: NDArray[np.int64], last_steps: NDArray[np.int64]) -> bytes:
    """Pack the lowest and the highest step of each bucket."""
    return compress(np.concatenate([first_steps, last_steps]))


def unpack_bucket_axis(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Undo `pack_bucket_axis`."""
    steps = decompress(data)
    half = len(steps) // 2
    return steps[:half], steps[half:]
